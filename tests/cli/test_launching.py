"""`runhaven run`, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import runhaven
from runhaven.launch.program import starts_ranks
from runhaven.sealed.view import read_view
from runhaven_cli.launching.command import interpreter_of, is_shut
from runhaven_cli.launching.relay import Relay

READY = "import time; print('ready', flush=True)\n"


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "runhaven_cli.app", "run", *words]


def launch(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    told = os.environ | {"OMP_NUM_THREADS": "1"} | environment
    return subprocess.run(command(*words), cwd=cwd, env=told, capture_output=True, text=True, check=False)


def started(*words: str, cwd: Path) -> subprocess.Popen[str]:
    """Start a program that prints "ready", and wait for that."""
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    process = subprocess.Popen(command(*words), cwd=cwd, text=True, **pipes)
    assert process.stdout is not None
    while process.stdout.readline() != "ready\n":
        assert process.poll() is None
    return process


def only_run() -> Any:
    (run,) = runhaven.Api().runs()
    return run


def exit_code(run: Any) -> int | None:
    newest = read_view(run.directory).newest
    assert newest is not None
    return newest.exit_code


def printed(run: Any) -> list[str]:
    return [line.text for line in run.logs()]


def script(folder: Path, text: str, name: str = "train.py") -> Path:
    (folder / name).write_text(text)
    return folder / name


def test_an_unchanged_script_is_a_run(tmp_path):
    """A script that knows nothing of Runhaven is a run with its command, console, exit code, and what the options say."""
    script(tmp_path, "import sys; print('hello', *sys.argv[1:]); sys.exit(3)")
    options = (
        "-p",
        "digits",
        "-n",
        "first",
        "-g",
        "pair",
        "-t",
        "a,b",
        "-t",
        "c",
        "--job-type",
        "eval",
        "--id",
        "mine",
    )
    done = launch(*options, "--", "train.py", "--lr", "0.1", cwd=tmp_path)
    run = only_run()

    assert (done.returncode, done.stdout) == (3, "hello --lr 0.1\n")
    assert (run.state, exit_code(run)) == ("failed", 3)
    assert printed(run) == ["hello --lr 0.1"]
    assert (run.project, run.name, run.group, run.job_type, run.id) == ("digits", "first", "pair", "eval", "mine")
    assert run.tags == ["a", "b", "c"]


def test_a_script_that_calls_init_logs_into_the_same_run(tmp_path):
    """Its `init()` describes the launcher's run, also with `reinit` and under W&B's name, and `finish()` ends it."""
    script(
        tmp_path,
        "import runhaven as wandb\n"
        "run = wandb.init(project='digits', name='theirs', tags=['a'], config={'lr': 0.1}, reinit=True)\n"
        "run.log({'loss': 0.5})\n"
        "run.finish()\n",
    )
    done = launch("-n", "ours", "train.py", cwd=tmp_path)
    run = only_run()

    assert done.returncode == 0, done.stderr
    assert (run.project, run.name, run.tags, run.config["lr"], run.summary["loss"]) == (
        "digits",
        "ours",
        ["a"],
        0.1,
        0.5,
    )
    assert run.state == "finished"


def test_the_command_line_comes_before_the_script(tmp_path):
    """A project on the command line stays, whatever the script's `init()` says; an id of the script's is named."""
    script(tmp_path, "import runhaven; runhaven.init(project='theirs', id='other')")
    done = launch("-p", "ours", "train.py", cwd=tmp_path, RUNHAVEN_SILENT="0")

    assert only_run().project == "ours"
    assert "--id other" in done.stderr


@pytest.mark.parametrize("words", [("train.py",), ("--", "sh", "-c", "python train.py; true")])
def test_a_store_of_the_scripts_is_named(tmp_path, words):
    """A script's `init(dir=)` cannot move the run that is open, which says so and how to have it there; its own store is no news."""
    told = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "RUNHAVEN_SILENT": "0"}
    script(tmp_path, "import os, runhaven\nrunhaven.init(dir=os.environ['RUNHAVEN_DIR'])")
    same = launch(*words, cwd=tmp_path, **told)
    script(tmp_path, "import runhaven\nrunhaven.init(dir='./my store').log({'a': 1})")
    other = launch(*words, cwd=tmp_path, **told)

    assert "warning" not in same.stderr
    assert "dir='./my store' was left alone" in other.stderr
    assert "`runhaven --dir './my store' run ...`" in other.stderr
    assert sorted(run.summary.get("a", 0) for run in runhaven.Api().runs()) == [0, 1]


def test_a_store_of_an_adapters_is_named(tmp_path):
    """An adapter that is given a store joins the launcher's run, and says so."""
    script(tmp_path, "from runhaven.adapter import Adapter\nAdapter('Callback', dir='mine').run.log({'a': 1})")
    done = launch("train.py", cwd=tmp_path, RUNHAVEN_SILENT="0")

    assert "dir='mine' was left alone" in done.stderr
    assert only_run().summary["a"] == 1


@pytest.mark.parametrize("words", [("train.py",), ("--", "sh", "-c", "python train.py; true")])
def test_trainings_one_after_another_share_the_run(tmp_path, words):
    """Several trainings through adapters, in a script that opens no run, are one run, whoever keeps it."""
    script(
        tmp_path,
        "from runhaven.adapter import Adapter\n"
        "for at in range(3):\n"
        "    adapter = Adapter('SomeCallback')\n"
        "    adapter.begin()\n"
        "    adapter.run.log({'at': at})\n"
        "    adapter.note_outcome(has_failed=False)\n",
    )
    launch(*words, cwd=tmp_path, PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}")

    assert [row["at"] for row in only_run().scan_history()] == [0, 1, 2]


def test_a_second_run_of_a_script_is_its_own(tmp_path):
    """After `finish()`, the script's next `init()` opens a run as ever."""
    script(
        tmp_path, "import runhaven\nfor k in range(2):\n    with runhaven.init(project='p', name=f'fold-{k}'): pass\n"
    )
    launch("train.py", cwd=tmp_path)

    assert {run.name for run in runhaven.Api().runs("p")} == {"fold-0", "fold-1"}


def test_modules_and_paths_with_spaces(tmp_path):
    """`-m module`, with or without `python`, and a script in a folder whose name has spaces, are programs too."""
    folder = tmp_path / "my code"
    folder.mkdir()
    script(folder, "import sys; print('ran', *sys.argv[1:])", "my train.py")
    script(folder, "print('module ran')", "module.py")

    assert launch(str(folder / "my train.py"), "a b", cwd=tmp_path).stdout == "ran a b\n"
    assert launch("--", sys.executable, "-m", "module", cwd=folder).stdout == "module ran\n"
    assert launch("--", "-m", "module", cwd=folder).stdout == "module ran\n"
    assert len(runhaven.Api().runs()) == 3


def test_the_environments_own_sitecustomize_runs(tmp_path):
    """A `sitecustomize` on the user's PYTHONPATH runs as without the launcher, and one that raises changes nothing."""
    script(tmp_path, "import builtins; builtins.told = 'yes'; raise ValueError('theirs')", "sitecustomize.py")
    script(tmp_path, "print(told)")
    done = launch("train.py", cwd=tmp_path, PYTHONPATH=str(tmp_path))

    assert done.stdout == "yes\n"
    assert "theirs" in done.stderr
    assert printed(only_run())[-1] == "yes"


def test_an_exception_is_kept(tmp_path):
    """A script that raises is a failed run with its traceback."""
    script(tmp_path, "def train():\n    raise ValueError('too hot')\ntrain()")
    done = launch("train.py", cwd=tmp_path)
    run = only_run()

    assert done.returncode == 1
    assert run.state == "failed"
    assert run.exception["message"] == "too hot"


@pytest.mark.parametrize(
    ("kind", "number", "state"),
    [
        ("python", "SIGTERM", "killed"),
        ("python", "SIGUSR1", "preempted"),
        ("python", "SIGHUP", "killed"),
        ("python", "SIGINT", "failed"),
        ("shell", "SIGTERM", "killed"),
        ("shell", "SIGUSR1", "preempted"),
        ("shell", "SIGINT", "failed"),
    ],
)
def test_signals_go_to_the_program(tmp_path, kind, number, state):
    """A signal to the launcher reaches the program; the exit code is 128 + n, the state what the signal means."""
    script(tmp_path, READY + "time.sleep(600)")
    words = ("train.py",) if kind == "python" else ("--", "sh", "-c", "echo ready; exec sleep 600")
    process = started(*words, cwd=tmp_path)
    process.send_signal(signal.Signals[number])
    process.communicate()

    assert process.returncode == 128 + signal.Signals[number]
    assert only_run().state == state


def test_a_program_may_handle_a_signal(tmp_path):
    """A handler of the program's own runs once, and what it exits with is the exit code."""
    script(
        tmp_path,
        "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: (print('saving', flush=True), sys.exit(7)))\n"
        + READY
        + "time.sleep(600)",
    )
    process = started("train.py", cwd=tmp_path)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate()

    assert (process.returncode, out) == (7, "saving\n")
    assert (only_run().state, exit_code(only_run())) == ("failed", 7)


@pytest.mark.parametrize("kind", ["python", "shell"])
def test_a_program_that_is_killed(tmp_path, kind):
    """After SIGKILL of the program the exit code is 137, and the run neither runs nor has finished."""
    ready = "import os; print(os.getpid(), flush=True)\n" + READY + "time.sleep(600)"
    script(tmp_path, ready)
    words = ("train.py",) if kind == "python" else ("--", "sh", "-c", "echo $$; echo ready; exec sleep 600")
    process = subprocess.Popen(command(*words), cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    os.kill(int(process.stdout.readline()), signal.SIGKILL)
    process.communicate()

    assert process.returncode == 137
    assert only_run().state == ("crashed" if kind == "python" else "failed")


def test_the_launcher_may_be_killed(tmp_path):
    """A Python program goes on, and its run with it, when the launcher is killed."""
    script(tmp_path, READY + "time.sleep(1)\nimport runhaven\nrunhaven.init().log({'a': 1})")
    process = started("train.py", cwd=tmp_path)
    process.kill()
    # The program holds the pipes until it ends.
    process.communicate()

    assert (only_run().state, only_run().summary["a"]) == ("finished", 1)


def test_what_a_killed_launcher_left_is_removed_by_the_next(tmp_path, monkeypatch):
    """A launcher leaves no directory; one that was killed, only until the next launch. Those of living launchers stay."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    script(tmp_path, READY + "import sys; sys.stdin.read()")
    killed, living = started("train.py", cwd=tmp_path), started("train.py", cwd=tmp_path)
    kept = set(place.glob("runhaven-run-*"))
    killed.kill()
    killed.communicate()
    launch("--", "true", cwd=tmp_path)
    left = set(place.glob("runhaven-run-*"))
    living.communicate("")

    assert (len(kept), len(left)) == (2, 1)
    assert left < kept
    assert living.returncode == 0, "its notes were taken away"
    assert list(place.glob("runhaven-run-*")) == []


def test_a_program_that_leaves_without_a_word(tmp_path):
    """`os._exit(5)` leaves no time to say how it ended; the launcher does."""
    script(tmp_path, "import os; os._exit(5)")
    done = launch("train.py", cwd=tmp_path)

    assert done.returncode == 5
    assert (only_run().state, exit_code(only_run())) == ("failed", 5)


def test_a_program_that_is_not_python(tmp_path):
    """Its output arrives unchanged, on the stream it was written to, and is kept with the exit code."""
    done = launch("-n", "shell", "--", "sh", "-c", "echo out; echo err >&2; exit 4", cwd=tmp_path)
    run = only_run()

    assert (done.returncode, done.stdout, done.stderr) == (4, "out\n", "err\n")
    assert (run.name, run.state, exit_code(run)) == ("shell", "failed", 4)
    assert {(line.stream, line.text) for line in run.logs()} == {("stdout", "out"), ("stderr", "err")}


def test_bytes_that_are_no_text_pass_unchanged(tmp_path):
    """What a program prints arrives byte by byte."""
    done = subprocess.run(command("--", "printf", r"\377\001\n"), cwd=tmp_path, capture_output=True, check=True)

    assert done.stdout == b"\xff\x01\n"
    assert printed(only_run()) == ["\ufffd\x01"]


def test_python_below_a_program_joins(tmp_path):
    """Of the Python processes below a shell the first that asks for a run gets the launcher's; the next has its own."""
    script(tmp_path, "import runhaven, sys; runhaven.init(project='p').log({'a': int(sys.argv[1])}); print('trained')")
    python = sys.executable
    line = f"{python} -c 'print(0)' && {python} train.py 1 && {python} train.py 2"
    done = launch("-n", "pipeline", "--", "sh", "-c", line, cwd=tmp_path)
    first, second = sorted(runhaven.Api().runs(), key=lambda run: run.summary["a"])

    assert done.stdout.splitlines() == ["0", "trained", "trained"]
    assert (first.name, first.project, first.state, printed(first)) == (
        "pipeline",
        "p",
        "finished",
        ["0", "trained", "trained"],
    )
    assert second.summary["a"] == 2


def test_a_python_that_is_shut_is_kept_from_outside(tmp_path):
    """`python -I` reads no PYTHONPATH; the launcher keeps console and exit code."""
    done = launch("--", sys.executable, "-I", "-c", "print('alone'); raise SystemExit(2)", cwd=tmp_path)

    assert done.returncode == 2
    assert (printed(only_run()), exit_code(only_run())) == (["alone"], 2)


def test_processes_that_the_program_starts_open_nothing(tmp_path):
    """Workers of multiprocessing, and other Python programs that the script runs, are no runs."""
    script(
        tmp_path,
        "import multiprocessing, subprocess, sys\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(2) as pool:\n"
        "        print(sum(pool.map(abs, [-1, -2])))\n"
        "    subprocess.run([sys.executable, '-c', 'import runhaven'], check=True)\n",
    )
    done = launch("train.py", cwd=tmp_path)

    assert done.stdout == "3\n"
    assert len(read_view(only_run().directory).sessions) == 1


RANKS = """
import runhaven, torch, torch.distributed as dist
dist.init_process_group("gloo")
total = torch.ones(1)
dist.all_reduce(total)
runhaven.init(project="ranks").log({"total": total.item()})
dist.destroy_process_group()
"""


@pytest.mark.parametrize("kind", ["module", "wrapper"])
def test_torchrun_is_one_run(tmp_path, kind):
    """Two ranks under torchrun log into one run, whether it is a Python program to us or any other."""
    pytest.importorskip("torch")
    script(tmp_path, RANKS)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "train.py"]
    shell = ["sh", "-c", '"$@"', "sh"] if kind == "wrapper" else []
    done = launch("--", *shell, *torchrun, cwd=tmp_path)
    run = only_run()

    assert done.returncode == 0, done.stderr
    assert (run.project, run.state) == ("ranks", "finished")
    assert [row["total"] for row in run.scan_history()] == [2.0]


def test_a_rank_that_fails_fails_the_run(tmp_path):
    """Torchrun's exit code is ours, and the run has failed, when a rank is killed."""
    pytest.importorskip("torch")
    script(
        tmp_path,
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGKILL) if os.environ['RANK'] == '1' else time.sleep(600)",
    )
    done = launch(
        "--",
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        "2",
        "train.py",
        cwd=tmp_path,
    )

    assert done.returncode == 1
    assert only_run().state in ("failed", "killed")


def test_nothing_is_imported_for_adapters(tmp_path):
    """A program that uses no framework has none in memory, and no adapter."""
    script(
        tmp_path,
        "import sys; print([n for n in ('torch', 'sklearn', 'lightning', 'runhaven_integrations') if n in sys.modules])",
    )

    assert launch("train.py", cwd=tmp_path).stdout == "[]\n"


def test_lightning_needs_no_word(tmp_path):
    """A script with a plain `Trainer` logs its metrics; the trainer keeps the loggers that it has."""
    pytest.importorskip("lightning")
    script(
        tmp_path,
        "from lightning.pytorch import Trainer\n"
        "from lightning.pytorch.demos.boring_classes import BoringModel\n"
        "class Model(BoringModel):\n"
        "    def training_step(self, batch, at):\n"
        "        loss = super().training_step(batch, at)['loss']\n"
        "        self.log('train_loss', loss)\n"
        "        return loss\n"
        "plain = dict(max_epochs=1, limit_train_batches=4, log_every_n_steps=1, limit_val_batches=0,\n"
        "             enable_progress_bar=False, enable_model_summary=False)\n"
        "trainer = Trainer(**plain)\n"
        "trainer.fit(Model())\n"
        "print([type(each).__name__ for each in trainer.loggers][1:])\n"
        "print(Trainer(logger=False, **plain).loggers)\n",
    )
    done = launch("train.py", cwd=tmp_path)
    run = only_run()

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-2:] == ["['RunhavenLogger']", "[]"]
    assert [row["_step"] for row in run.scan_history(["train_loss"])] == [0, 1, 2, 3]
    assert run.state == "finished"


def test_scikit_learn_needs_no_word(tmp_path):
    """A script that fits an estimator logs the fit into the launcher's run."""
    pytest.importorskip("sklearn")
    script(
        tmp_path,
        "from sklearn.linear_model import Ridge\nRidge(alpha=0.5).fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.5])\nprint('fitted')",
    )
    done = launch("train.py", cwd=tmp_path)
    run = only_run()

    assert done.stdout == "fitted\n", done.stderr
    assert run.state == "finished"
    assert "0.5" in str(run.config)
    assert run.summary


@pytest.mark.parametrize(
    ("words", "code", "hint"),
    [
        ((), 1, "runhaven run -- python train.py"),
        (("--", "no-such-program"), 127, "'no-such-program' is not found"),
        (("nowhere.py",), 127, "nowhere.py does not exist"),
        (("--", "./plain.txt"), 126, "chmod +x ./plain.txt"),
        (("--id", "a/b", "train.py"), 1, "a/b"),
    ],
)
def test_what_cannot_be_run_is_explained(tmp_path, words, code, hint):
    """Each mistake on the command line is one line that says what to do, with the exit code of a shell; no run begins."""
    (tmp_path / "plain.txt").write_text("")
    script(tmp_path, "")
    done = launch(*words, cwd=tmp_path)

    assert done.returncode == code
    assert hint in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(runhaven.Api().runs())


def test_a_store_that_cannot_be_written_stops_no_program(tmp_path):
    """The program runs, with its exit code and a warning."""
    (tmp_path / "file").write_text("")
    script(tmp_path, "print('trained')")
    for words in (("train.py",), ("--", "echo", "trained")):
        done = launch(*words, cwd=tmp_path, RUNHAVEN_DIR=str(tmp_path / "file"), RUNHAVEN_SILENT="0")

        assert (done.returncode, done.stdout) == (0, "trained\n")
        assert "warning" in done.stderr


def test_a_terminal_stays_one(tmp_path):
    """In a terminal the program has a terminal of the same size, on all streams, whoever keeps the run."""
    script(
        tmp_path, "import os, sys; print(sys.stdout.isatty(), os.get_terminal_size(1).columns, '\\033[31mred\\033[0m')"
    )
    for words in (["train.py"], ["--", "sh", "-c", f"{sys.executable} -I train.py"]):
        text = in_terminal(command(*words), tmp_path)

        assert "True 77 \x1b[31mred\x1b[0m\r\n" in text
    assert all(printed(run) == ["True 77 red"] for run in runhaven.Api().runs())


def test_what_was_printed_last_arrives_however_late(capfd):
    """On a machine that is slow to pass on what a program printed, nothing of it is cut off when the program has ended."""
    kept: list[str] = []

    def keep(_: str, text: str) -> None:
        time.sleep(1.2)
        kept.append(text)

    relay = Relay(keep)
    process = subprocess.Popen(["head", "-c", "200000", "/dev/zero"], stdout=relay.outputs[1], stderr=relay.outputs[2])
    relay.begin()
    process.wait()
    relay.end()

    assert sum(map(len, kept)) == len(capfd.readouterr().out) == 200_000


def in_terminal(words: list[str], cwd: Path) -> str:
    import pty
    import termios

    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (30, 77))
    process = subprocess.Popen(words, cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    text = b""
    try:
        while data := os.read(ours, 4096):
            text += data
    except OSError:
        pass
    os.close(ours)
    assert process.wait() == 0, text
    return text.decode()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("python /opt/bin/torchrun --nproc-per-node 2 train.py", True),
        ("python -u -W ignore -m torch.distributed.run train.py", True),
        ("python -m accelerate.commands.launch train.py", True),
        ("python train.py torchrun", False),
        ("python -c torchrun", False),
        ("python", False),
    ],
)
def test_programs_that_only_start_ranks(line, expected):
    """Torchrun and its like train nothing themselves, whichever way they are started."""
    assert starts_ranks(line.split()) is expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-I train.py", True),
        ("-uE -m x", True),
        ("-W E -S train.py", True),
        ("-u train.py -I", False),
        ("-c I", False),
        ("", False),
    ],
)
def test_options_that_shut_a_python(line, expected):
    """-E, -I and -S before the program, and only there, keep Python from what the launcher leaves in the environment."""
    assert is_shut(line.split()) is expected


def test_the_interpreter_of_a_script(tmp_path):
    """A first line names it: by path, by `env`, or, where a path has spaces, as installers write it; a shell is none."""
    python = str(Path(sys.executable).with_name("python"))
    lines = {
        f"#!{python} -u\n": python,
        "#!/usr/bin/env -S python3\n": "python3",
        f'#!/bin/sh\n\'\'\'exec\' "{python}" "$0" "$@"\n': python,
        "#!/bin/sh\necho\n": None,
        "": None,
    }
    for text, expected in lines.items():
        path = script(tmp_path, text, "program")
        found = interpreter_of(str(path))

        assert found == expected or (expected is not None and found is not None and found.endswith(expected))
    assert interpreter_of(sys.executable) == sys.executable
