"""What is captured of the place of a run, with a git that answers late or never."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from waiting import until

import runhaven
from runhaven.capture import surroundings
from runhaven.capture.git import Git


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a changed file, which is the working directory."""
    place = tmp_path / "work"
    place.mkdir()
    words = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(place)]
    (place / "a.py").write_text("x = 1\n")
    for command in (["init", "-q", "-b", "trunk"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*words, *command], check=True)
    (place / "a.py").write_text("x = 2\n")
    monkeypatch.chdir(place)
    monkeypatch.setenv("RUNHAVEN_DISABLE_GIT", "0")
    monkeypatch.delenv("RUNHAVEN_SILENT")
    return place


@pytest.fixture
def put_git_first(tmp_path, monkeypatch):
    """Returns what puts a shell script named `git` first in PATH; in it, REAL is the real one."""

    def put(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "git"
        program.write_text(f"#!/bin/sh\nREAL={shutil.which('git')}\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=":")

    return put


HANGS = """sleep 600 &
echo $$ $! > "$NOTED.part" && mv "$NOTED.part" "$NOTED"
wait"""


@pytest.fixture
def noted(tmp_path, monkeypatch):
    """The file in which a git that hangs notes its process and the one that it waits for."""
    path = tmp_path / "noted"
    monkeypatch.setenv("NOTED", str(path))
    return path


def living(noted: Path) -> list[str]:
    states = {pid: Path(f"/proc/{pid}/stat") for pid in noted.read_text().split()}
    return [
        pid for pid, stat in states.items() if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    ]


def test_a_git_that_hangs_holds_up_no_end(repository, put_git_first, noted, capfd):
    """A run ends a few seconds after its training, says what it lacks, keeps all else, and leaves no process behind."""
    put_git_first(HANGS)
    run = runhaven.init(project="p")
    run.log({"a": 1})
    until(noted.exists)
    begun = time.monotonic()
    run.finish()
    took_s = time.monotonic() - begun
    kept = runhaven.Api().run(run.path)

    assert took_s < 4 * surroundings.END_PATIENCE_S
    until(lambda: not living(noted))
    assert "git did not answer in time: the run does not say the commit." in capfd.readouterr().err
    assert "git" not in kept.metadata
    assert kept.metadata["packages"]["pytest"]
    assert (kept.state, kept.summary["a"]) == ("finished", 1)


def test_what_git_said_before_it_hung_is_kept(repository, put_git_first, noted, capfd):
    """A work tree that takes too long to compare costs the difference alone."""
    put_git_first(f'case "$*" in *status*) {HANGS};; *) exec $REAL "$@";; esac')
    run = runhaven.init(project="p")
    until(noted.exists)
    run.finish()
    found = runhaven.Api().run(run.path).metadata["git"]

    assert (len(found["commit"]), found["branch"]) == (40, "trunk")
    assert "dirty" not in found
    assert "the run does not say what differs from its commit" in capfd.readouterr().err


def test_a_slow_git_is_waited_for(repository, put_git_first, capfd):
    """The end waits for answers that come one after the other, though all of them take longer than one may."""
    pause_s = surroundings.END_PATIENCE_S / 4
    put_git_first(f'sleep {pause_s}; exec $REAL "$@"')
    run = runhaven.init(project="p")
    run.finish()
    kept = runhaven.Api().run(run.path)

    assert kept.metadata["git"]["dirty"] is True
    assert "+x = 2" in (kept.directory.files / "diff.patch").read_text()
    assert "git did not answer" not in capfd.readouterr().err


def test_a_git_that_hangs_is_asked_once(repository, put_git_first, noted):
    """What does not answer within its time is ended with all that it started, and asked no more."""
    put_git_first(HANGS)
    git = Git(patience_s=0.5)

    assert git.ask(repository, "status") is None
    assert git.is_silent
    noted.unlink(missing_ok=True)
    assert git.ask(repository, "status") is None
    assert not noted.exists()


def test_a_reference_waits_for_git_once(repository, put_git_first, noted, monkeypatch, capfd):
    """A reference to a file of a repository whose git hangs is made without its commit, and says so."""
    monkeypatch.setattr("runhaven.artifacts.revision._GIT_PATIENCE_S", 0.5)
    put_git_first(HANGS)
    artifact = runhaven.Artifact("data", type="dataset")
    (entry,) = artifact.add_reference((repository / "a.py").as_uri())

    assert "git" not in entry.extra
    assert "git did not answer in time" in capfd.readouterr().err
