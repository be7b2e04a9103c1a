"""What happens when things break: killed processes, full and hanging disks, many processes, forks, exceptions."""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import cast

import pytest
import torch

import runhaven
from runhaven.journal.writer import QUEUE_SIZE, JournalWriter

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="signals, /proc and limits of Linux")


def script(text: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    code = textwrap.dedent(text)
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(
        command,
        env=os.environ | environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def the_run():
    (run,) = runhaven.Api().runs()
    return run


def values(run, key="i"):
    return [row[key] for row in run.scan_history() if key in row]


@LINUX
def test_sigkill_at_fifty_moments_loses_no_row(tmp_path):
    """Every row whose `log()` had returned before SIGKILL is read back, and the run is `crashed` at once."""
    chooser = random.Random(7)
    for moment in range(50):
        counter = tmp_path / f"counter{moment}"
        counter.write_bytes(bytes(8))
        child = script(
            """
            import mmap, runhaven, sys
            file = open(sys.argv[1], "r+b")
            done = mmap.mmap(file.fileno(), 8)
            run = runhaven.init(project="kill", id=sys.argv[2])
            print("ready", flush=True)
            i = 0
            while True:
                run.log({"i": i, "x": i / 7})
                done[:8] = i.to_bytes(8, "little")
                i += 1
            """,
            str(counter),
            f"m{moment}",
            RUNHAVEN_CODE="0",
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n", child.communicate()[1]
        time.sleep(chooser.random() * 0.15)
        child.kill()
        child.communicate()
        returned = int.from_bytes(counter.read_bytes(), "little") + 1
        found = runhaven.Api().run(f"kill/m{moment}")

        assert found.state == "crashed"
        read = values(found)
        assert read == list(range(len(read)))
        assert len(read) >= returned
        assert found.damage == []


@LINUX
def test_a_full_disk_does_not_stop_a_training():
    """When no file may grow any more, training ends normally, with one warning, and the run says what is missing."""
    child = script(
        """
        import resource, runhaven
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, 2 << 20))
        run = runhaven.init(project="p")
        for i in range(600_000):
            run.log({"i": i, **{f"m{k}": i / 3 for k in range(10)}})
        runhaven.finish()
        """,
        RUNHAVEN_CODE="0",
        RUNHAVEN_SILENT="0",
    )
    # Were each call to wait for room, they would take hours.
    _, err = child.communicate()

    assert child.returncode == 0, err
    assert err.count("cannot be written") == 1
    found = the_run()
    assert found.state == "finished"
    assert found.incomplete is not None
    kept = values(found)
    assert kept == list(range(len(kept)))
    assert len(kept) + found.incomplete["lost_rows"] == 600_000


TMPFS = """
import runhaven, sys
run = runhaven.init(project="p", dir=sys.argv[1])
for i in range(200_000):
    run.log({"i": i, **{f"m{k}": i / 3 for k in range(10)}})
runhaven.finish()
"""


@LINUX
def test_a_full_file_system_does_not_stop_a_training(tmp_path):
    """A run on a file system of 4 MiB ends normally with one warning, keeps what fits and counts what does not."""
    small, kept = tmp_path / "small", tmp_path / "kept"
    small.mkdir()
    # A namespace of its own lets an ordinary user mount a small file system, which is gone with the process.
    mount = (
        'mount -t tmpfs -o size=4m small "$1" && "$2" -c "$3" "$1/store"; code=$?; cp -r "$1/store" "$4"; exit $code'
    )
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    try:
        probe = subprocess.run(
            [*command[:4], "mount", "-t", "tmpfs", "small", str(small)], capture_output=True, check=False
        )
    except FileNotFoundError:
        pytest.skip("needs unshare")
    if probe.returncode:
        pytest.skip("mounting a file system is not allowed here")
    done = subprocess.run(
        [*command, str(small), sys.executable, TMPFS, str(kept)],
        env=os.environ | {"RUNHAVEN_CODE": "0", "RUNHAVEN_SILENT": "0"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.count("cannot be written") == 1
    (found,) = runhaven.Api(kept).runs()
    assert found.state == "finished"
    assert found.incomplete is not None
    rows = values(found)
    assert rows == list(range(len(rows)))
    assert 1000 < len(rows) == 200_000 - found.incomplete["lost_rows"]


HANG = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/types.h>
static void hang(int fd) {
    const char *flag = getenv("HANG_FLAG"), *root = getenv("HANG_ROOT");
    char link[64], path[4096];
    if (!flag || !root || access(flag, F_OK)) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return;
    path[n] = 0;
    if (!strncmp(path, root, strlen(root))) for (;;) pause();
}
#define WRAP(type, name, params, args) \
    type name params { static type (*real) params; if (!real) real = dlsym(RTLD_NEXT, #name); hang(fd); return real args; }
WRAP(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n))
WRAP(int, fsync, (int fd), (fd))
WRAP(int, fdatasync, (int fd), (fd))
WRAP(int, posix_fallocate, (int fd, off_t o, off_t n), (fd, o, n))
WRAP(int, posix_fallocate64, (int fd, off_t o, off_t n), (fd, o, n))
WRAP(int, ftruncate, (int fd, off_t n), (fd, n))
WRAP(int, ftruncate64, (int fd, off_t n), (fd, n))
"""


@LINUX
@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs a C compiler for a file system whose writes hang")
def test_a_hanging_disk_does_not_stop_a_training(tmp_path):
    """When every write to the store hangs, `log()` goes on, `finish()` returns, and one warning is printed."""
    (tmp_path / "hang.c").write_text(HANG)
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", "hang.so", "hang.c", "-ldl"], cwd=tmp_path, check=True)
    child = script(
        """
        import os, pathlib, runhaven
        import runhaven.lifetime
        runhaven.lifetime.FINISH_TIMEOUT_S = 1.0
        run = runhaven.init(project="p")
        pathlib.Path(os.environ["HANG_FLAG"]).touch()
        for i in range(400_000):
            run.log({"i": i, **{f"m{k}": i / 3 for k in range(10)}})
        runhaven.finish()
        os._exit(0)
        """,
        RUNHAVEN_CODE="0",
        RUNHAVEN_SILENT="0",
        RUNHAVEN_CONSOLE="off",
        LD_PRELOAD=str(tmp_path / "hang.so"),
        HANG_FLAG=str(tmp_path / "flag"),
        HANG_ROOT=os.environ["RUNHAVEN_DIR"],
    )
    # A call that waited for the disk would never return; were each to wait only for its patience, they would take hours.
    _, err = child.communicate()

    assert child.returncode == 0, err
    assert err.count("warning:") == 1
    kept = values(the_run())
    assert len(kept) > 5_000
    assert kept == list(range(len(kept)))


@LINUX
def test_sixteen_processes_share_a_store():
    """Sixteen processes that log at once into one store end without an error and without a lost row."""
    code = """
        import runhaven, sys
        with runhaven.init(project="many", config={"k": int(sys.argv[1])}) as run:
            for i in range(2000):
                run.log({"i": i})
        """
    children = [script(code, str(number), RUNHAVEN_CODE="0") for number in range(16)]
    for child in children:
        _, err = child.communicate()
        assert child.returncode == 0, err
    runs = runhaven.Api().runs("many")

    assert len({run.id for run in runs}) == 16
    assert sorted(run.config["k"] for run in runs) == list(range(16))
    assert all(run.state == "finished" and values(run) == list(range(2000)) for run in runs)


@LINUX
@pytest.mark.parametrize(
    ("ending", "state", "status"),
    [
        ("raise ValueError('boom')", "failed", 1),
        ("import sys; sys.exit(3)", "failed", 3),
        ("pass", "finished", 0),
        ("import os; os._exit(0)", "crashed", 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM); time.sleep(600)", "killed", -signal.SIGTERM),
        ("import os, signal; os.kill(os.getpid(), signal.SIGUSR1); time.sleep(600)", "preempted", -signal.SIGUSR1),
        (
            "import ctypes, threading, os; threading.Timer(0.2, os.kill, (os.getpid(), 15)).start(); ctypes.CDLL(None).sleep(600)",
            "killed",
            -15,
        ),
    ],
)
def test_nobody_has_to_call_finish(ending, state, status):
    """However a process ends, the run says how, and the exit status stays what it was."""
    child = script(f"import runhaven, time\nrun = runhaven.init(project='p')\nrun.log({{'i': 0}})\n{ending}\n")
    child.communicate()

    assert child.returncode == status
    found = the_run()
    assert found.state == state
    assert values(found) == [0]
    assert (found.exception is not None) == ("raise" in ending)
    if found.exception:
        assert found.exception["type"] == "ValueError"
        assert "boom" in found.exception["traceback"]


@LINUX
def test_a_stop_file_raises_keyboard_interrupt_once():
    """A `stop` in the run's control directory interrupts the main thread, even in a sleep."""
    child = script(
        """
        import runhaven, time
        run = runhaven.init(project="p")
        (run.identity.directory / "control" / "stop").touch()
        try:
            time.sleep(600)
        except KeyboardInterrupt:
            print("stopped")
        time.sleep(2.5)
        print("not again")
        """
    )
    out, err = child.communicate()

    assert out.split("\n")[:2] == ["stopped", "not again"], err


def test_the_console_is_kept_without_progress_bars():
    """What is printed is in the log, a progress bar as its last state."""
    child = script(
        """
        import runhaven, sys
        run = runhaven.init(project="p")
        print("hello")
        for i in range(101):
            sys.stderr.write(f"\\r{i}%")
        sys.stderr.write("\\ndone\\n")
        """
    )
    child.communicate()
    lines = [(line.stream, line.text) for line in the_run().logs()]

    assert ("stdout", "hello") in lines
    assert [text for stream, text in lines if stream == "stderr"] == ["100%", "done"]


def forked(run: runhaven.Run, number: int) -> None:
    run.log({f"child{number}": number})


@LINUX
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_forked_children_log_into_the_run():
    """A forked child writes rows of its own and neither deadlocks nor ends its parent's run."""
    run = runhaven.init(project="p")
    context = multiprocessing.get_context("fork")
    lock = cast("JournalWriter", run._journal)._lock
    lock.acquire()  # held by this thread while it forks, as another thread's might be
    children = [context.Process(target=forked, args=(run, number)) for number in range(4)]
    for child in children:
        child.start()
    lock.release()
    for child in children:
        child.join()
    run.log({"parent": 1})
    found = the_run()

    assert [child.exitcode for child in children] == [0] * 4
    assert found.state == "running"
    run.finish()
    assert {series.key for series in runhaven.Api().run(run.path).series("")} == {
        "parent",
        "child0",
        "child1",
        "child2",
        "child3",
    }


class Squares(torch.utils.data.Dataset[int]):
    def __init__(self, run: runhaven.Run) -> None:
        self.run = run

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> int:
        self.run.log({"loaded": index})
        return index * index


@LINUX
@pytest.mark.parametrize("start", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_data_loader_workers_never_deadlock(start, tmp_path):
    """Workers that log through an inherited or a pickled run work under either start method."""
    (tmp_path / "train.py").write_text(
        textwrap.dedent(
            f"""
            import sys, torch, runhaven
            sys.path.insert(0, {str(Path(__file__).parent)!r})
            from test_faults import Squares
            if __name__ == "__main__":
                run = runhaven.init(project="p")
                loader = torch.utils.data.DataLoader(Squares(run), num_workers=2, multiprocessing_context={start!r})
                for batch in loader:
                    run.log({{"batch": int(batch)}})
            """
        )
    )
    done = subprocess.run([sys.executable, tmp_path / "train.py"], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    found = the_run()
    assert found.state == "finished"
    assert values(found, "batch") == [index**2 for index in range(8)]
    assert sorted(values(found, "loaded")) == list(range(8))


@LINUX
def test_no_socket_is_opened():
    """A whole run, from import to finish, opens no socket but a local pair."""
    child = script(
        """
        import socket, sys
        opened = []
        sys.addaudithook(lambda event, args: opened.append((event, args)) if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.sendto") else None)
        import runhaven
        with runhaven.init(project="p", config={"a": 1}) as run:
            run.log({"a": 1})
        print(opened)
        """,
        RUNHAVEN_X_DISABLE_STATS="0",
        RUNHAVEN_DISABLE_GIT="0",
    )
    out, err = child.communicate()

    assert out.strip() == "[]", err


@LINUX
@pytest.mark.timeout(900)
def test_memory_stays_flat():
    """Ten million rows take no more memory than a hundred thousand."""
    child = script(
        """
        import runhaven
        def resident():
            # Memory of the process's own; pages of the tail are the disk's, and wait for a busy machine to fold them.
            with open("/proc/self/status") as file:
                return next(int(line.split()[1]) * 1024 for line in file if line.startswith("RssAnon"))
        run = runhaven.init(project="p")
        row = {"loss": 0.5, "accuracy": 0.25}
        for i in range(100_000):
            run.log(row)
        before = resident()
        for i in range(9_900_000):
            run.log(row)
        print(resident() - before)
        """,
        RUNHAVEN_CODE="0",
    )
    out, err = child.communicate()

    # On a busy machine rows wait in the queue, which has a limit; eight bytes of each row would be 79 MB.
    assert int(out.split()[-1]) < QUEUE_SIZE + (24 << 20), err
