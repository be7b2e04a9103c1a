"""Downloads that were killed half-way: the next one goes on from there, and believes nothing that it did not read."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from runhaven import Artifact
from runhaven.artifacts import partial as partial_module
from runhaven.artifacts import storing as storing_module

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 24 << 20

# Brings a version, and stays in the middle of it once it has written so many bytes.
DOWNLOAD = """
import sys, threading, time
from runhaven import Api
from runhaven.artifacts import fetching, partial
lock, written = threading.Lock(), 0
def write_all(fd, data):
    global written
    with lock:
        write(fd, data)
        written += len(data)
        if written > int(sys.argv[3]):
            print("in the middle", flush=True)
            time.sleep(600)
write, partial.write_all = partial.write_all, write_all
Api(sys.argv[1]).artifact("me/p/data:v0").download(sys.argv[2])
"""


@pytest.fixture(params=["chunks", "whole", "reference"])
def logged(request, run, tmp_path, monkeypatch) -> Artifact:
    """A large file: in chunks, as one blob, or where it lies."""
    source = tmp_path / "source.bin"
    source.write_bytes(random.Random(1).randbytes(SIZE))
    artifact = Artifact("data", "dataset")
    if request.param == "reference":
        artifact.add_reference(source.as_uri())
    else:
        with monkeypatch.context() as context:
            if request.param == "whole":
                context.setattr(storing_module, "can_cut", lambda: False)
            artifact.add_file(source)
    run.log_artifact(artifact).wait()

    assert bool(artifact.get_entry("source.bin").chunks) == (request.param == "chunks")
    return artifact


@pytest.fixture
def half(logged, store, tmp_path) -> Path:
    """What a download that was killed in the middle leaves."""
    out = tmp_path / "out"
    words = [sys.executable, "-c", DOWNLOAD, store, out, str(SIZE // 3)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()

    assert process.returncode == -signal.SIGKILL
    assert [path.suffix for path in out.iterdir()] == [".part"]
    return next(out.iterdir())


class Written:
    """Counts what a download writes."""

    def __init__(self, monkeypatch) -> None:
        self.bytes = 0
        self._lock = threading.Lock()
        self._write = partial_module.write_all
        monkeypatch.setattr(partial_module, "write_all", self._count)

    def _count(self, fd: int, data: memoryview) -> None:
        with self._lock:
            self.bytes += len(data)
        self._write(fd, data)


def test_a_killed_download_goes_on(logged, half, tmp_path, monkeypatch):
    """What a killed download brought is not brought again; in the end the file is right, and alone."""
    data, brought = (tmp_path / "source.bin").read_bytes(), half.read_bytes()
    there = sum(4096 for at in range(0, SIZE, 4096) if data[at : at + 4096] == brought[at : at + 4096])
    written = Written(monkeypatch)
    logged.download(half.parent)

    assert 0 < written.bytes <= SIZE - there + (5 << 20)
    assert written.bytes < 0.8 * SIZE
    assert [path.name for path in half.parent.iterdir()] == ["source.bin"]
    logged.verify(str(half.parent))


@pytest.mark.parametrize("change", ["flip", "longer", "shorter", "noise", "link"])
def test_a_changed_half_is_not_believed(logged, half, tmp_path, change):
    """Whatever happened to the half meanwhile, the file is what was logged, and nothing else is written to."""
    chance = random.Random(change)
    data = half.read_bytes()
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    if change == "flip":
        at = chance.randrange(SIZE // 4)
        half.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    elif change == "longer":
        half.write_bytes(data + chance.randbytes(2 * SIZE - len(data)))
    elif change == "shorter":
        os.truncate(half, SIZE // 5)
    elif change == "noise":
        half.write_bytes(chance.randbytes(SIZE))
    else:
        half.unlink()
        half.symlink_to(other)
    logged.download(half.parent)

    logged.verify(str(half.parent))
    assert not (half.parent / "source.bin").is_symlink()
    assert other.read_bytes() == b"mine"


def test_a_link_to_the_store_is_no_half(logged, store, tmp_path, monkeypatch):
    """Killed just after it linked a file to the store's own, a download leaves nothing that a later one would write to or hand out."""
    entry = logged.get_entry("source.bin")
    if entry.chunks or entry.ref:
        pytest.skip("links are made of files that are one blob")
    with monkeypatch.context() as context:
        context.setattr(partial_module.Partial, "put_in_place", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            logged.download(tmp_path / "out", hard_links=True)
    assert next((tmp_path / "out").iterdir()).stat().st_nlink == 2
    logged.download(tmp_path / "out")
    (tmp_path / "out" / "source.bin").write_bytes(b"mine")

    logged.download(tmp_path / "again")
    logged.verify(str(tmp_path / "again"))


def test_two_downloads_at_once(logged, store, tmp_path):
    """Two processes that bring the same file into one folder both end well, and leave that file alone."""
    words = [sys.executable, "-c", DOWNLOAD, store, tmp_path / "out", str(2 * SIZE)]
    processes = [subprocess.Popen(words, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [process.communicate()[1] for process in processes]

    assert errors == ["", ""]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["source.bin"]
    logged.verify(str(tmp_path / "out"))


def test_a_full_disk_gets_its_room_back(logged, tmp_path, monkeypatch):
    """A download that the disk has no room for leaves nothing there."""

    def refuse(fd: int, data: memoryview) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(partial_module, "write_all", refuse)
    with pytest.raises(OSError, match="No space"):
        logged.download(tmp_path / "out")

    assert not list((tmp_path / "out").iterdir())


def test_a_download_that_another_one_overtakes_takes_nothing_back(logged, tmp_path, monkeypatch):
    """Should another process put the file in its place meanwhile, what this one writes from then on goes there too."""
    if not logged.get_entry("source.bin").chunks:
        pytest.skip("the others are written by one thread from the beginning")
    out, write = tmp_path / "out", partial_module.write_all

    def overtaken(fd: int, data: memoryview) -> None:
        write(fd, data)
        monkeypatch.setattr(partial_module, "write_all", write)
        next(out.iterdir()).rename(out / "source.bin")

    monkeypatch.setattr(partial_module, "write_all", overtaken)
    logged.download(out)

    logged.verify(str(out))
    assert [path.name for path in out.iterdir()] == ["source.bin"]
