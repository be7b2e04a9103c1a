"""What a run keeps without being asked."""

from __future__ import annotations

import subprocess
import sys

from waiting import PATIENCE_S

import runhaven
from runhaven.capture import environment, git
from runhaven.capture.console import Console


def kept(console_text: list[tuple[str, str]], **options) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    console = Console(lambda name, lines: found.extend((name, text) for _, text in lines), **options)
    console.install()
    try:
        for name, text in console_text:
            getattr(sys, name).write(text)
            console.drain()
    finally:
        console.uninstall()
    console.close()
    return found


def test_lines_are_cut_where_they_end():
    """Parts of a line become one line, and the last one needs no newline."""
    assert kept([("stdout", "a"), ("stdout", "b\nc"), ("stderr", "e\n"), ("stdout", "d")]) == [
        ("stdout", "ab"), ("stderr", "e"), ("stdout", "cd"),
    ]  # fmt: skip


def test_progress_bars_collapse():
    """Ten thousand states of a bar are one line, colours and cursor moves left out."""
    states = [("stderr", f"\r\x1b[32m{step:5d}/10000\x1b[0m") for step in range(10_001)]

    assert kept([*states, ("stderr", "\n")]) == [("stderr", "10000/10000")]


def test_a_private_key_is_masked_line_by_line():
    """A key that is printed line by line leaves none of its lines."""
    key = "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nabcdef\n-----END RSA PRIVATE KEY-----\nafter\n"

    assert kept([("stdout", key)]) == [("stdout", "***")] * 4 + [("stdout", "after")]


def test_a_long_log_keeps_head_and_tail():
    """Of more than the limit the beginning and the end are kept, with a note of what was left out."""
    lines = kept([("stdout", "x" * 99 + f"{number:06d}\n") for number in range(40_000)], max_bytes=2 << 20)
    texts = [text for _, text in lines]

    assert texts[0].endswith("000000")
    assert texts[-1].endswith("039999")
    assert sum("lines left out" in text for text in texts) == 1
    assert len(texts) < 30_000


def test_streams_are_given_back():
    """After `uninstall` the streams are as they were, and keep their own methods meanwhile."""
    before = sys.stdout.write
    console = Console(lambda *_: None)
    console.install()
    assert sys.stdout.fileno is not None
    console.uninstall()

    assert sys.stdout.write == before


def test_git_state_of_a_real_repository(tmp_path):
    """Commit, branch, remote without password, and the changes; dot-files and binaries stay out."""
    run = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    (tmp_path / "a.py").write_text("x = 1\n")
    for command in (
        ["init", "-q", "-b", "trunk"],
        ["add", "-A"],
        ["commit", "-qm", "x"],
        ["remote", "add", "origin", "https://u:secret@example.org/r.git"],
    ):
        subprocess.run([*run, *command], cwd=tmp_path, check=True)
    (tmp_path / "a.py").write_text("x = 2\n")
    (tmp_path / "new.py").write_text("y = 1\n")
    (tmp_path / ".env").write_text("PRIVATE=1\n")
    (tmp_path / "data.bin").write_bytes(bytes(range(256)))
    asked = git.Git(patience_s=PATIENCE_S)
    found, changes = git.describe(asked, tmp_path), git.describe_changes(asked, tmp_path)

    assert found is not None
    assert (len(found.commit), found.branch, found.remote) == (40, "trunk", "https://***@example.org/r.git")
    assert changes is not None
    assert changes.is_dirty
    assert "+x = 2" in changes.diff
    assert "+y = 1" in changes.diff
    assert "PRIVATE" not in changes.diff
    assert "data.bin" not in changes.diff


def test_no_repository_is_no_error(tmp_path):
    """A directory outside any repository has no git state."""
    assert git.describe(git.Git(patience_s=PATIENCE_S), tmp_path) is None


def test_the_environment_is_an_allow_list(monkeypatch):
    """Launcher variables are kept, everything else is not."""
    monkeypatch.setenv("SLURM_JOB_ID", "42")
    monkeypatch.setenv("MY_VARIABLE", "mine")
    variables = environment.describe()["variables"]

    assert variables["SLURM_JOB_ID"] == "42"
    assert "MY_VARIABLE" not in variables
    assert environment.packages()["pytest"]
    assert environment.hardware()["cpu_count"] >= 1


def test_ctrl_c_is_failed_with_255(store):
    """A run that Ctrl-C ends is failed, and the traceback says KeyboardInterrupt."""
    code = "import runhaven, os, signal\nrun = runhaven.init(project='p')\nos.kill(os.getpid(), signal.SIGINT)\nimport time; time.sleep(600)"
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    (run,) = runhaven.Api().runs()

    assert run.state == "failed"
    assert run.exception is not None
    assert run.exception["type"] == "KeyboardInterrupt"


def test_an_exception_in_a_thread_is_kept_and_not_fatal(store):
    """A thread that dies leaves its traceback; the run goes on to finish."""
    code = (
        "import runhaven, threading\nrun = runhaven.init(project='p')\n"
        "t = threading.Thread(target=lambda: 1 / 0, name='loader')\nt.start()\nt.join()\nrun.finish()"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    (run,) = runhaven.Api().runs()

    assert run.state == "finished"
    assert run.exception is None
