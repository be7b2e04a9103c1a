"""Blobs that are deleted at the very moment at which somebody wants them again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import runhaven
from runhaven import Artifact
from runhaven.api import collecting
from runhaven.artifacts.checking import check_store
from runhaven.artifacts.waste import discard, unreferenced
from runhaven.errors import StoreError
from runhaven.platform.lock import FileLock
from runhaven.store.blobs import GRAVE, Blob, Blobs
from runhaven.store.layout import Store

DAY_S = 86400.0

COLLECT = """
import contextlib, os, sys
from pathlib import Path
from runhaven.api import collecting
from runhaven.errors import StoreError
from runhaven.store.layout import Store
store, count, parent = Store(Path(sys.argv[1])), 0, os.getppid()
print("ready", flush=True)
while not Path(sys.argv[2]).exists() and os.getppid() == parent:
    waste = collecting.find(store, spared_s=3600)
    assert not waste.stays, waste.stays
    with contextlib.suppress(StoreError):  # the other one is at it
        count += collecting.collect(store, waste, spared_s=3600) > 0
    Path(sys.argv[2]).with_name(f"count-{os.getpid()}").write_text(str(count))
"""


@pytest.fixture
def dying(blobs) -> Blob:
    """A blob that nobody needs and that is old."""
    blob = blobs.put(b"x" * 1000)
    os.utime(blobs.path(blob.sha256), (time.time() - 2 * DAY_S, time.time() - 2 * DAY_S))
    return blob


def test_what_nobody_wants_goes(blobs, dying):
    """An old blob goes, a new one stays, and one that is not there is no mistake."""
    fresh = blobs.put(b"fresh")
    before = time.time() - DAY_S

    assert blobs.bury(dying.sha256, before)
    assert not blobs.has(dying.sha256)
    assert not blobs.bury(dying.sha256, before)
    assert not blobs.bury(fresh.sha256, before)
    assert blobs.path(fresh.sha256).read_bytes() == b"fresh"
    assert not [path for path in blobs.all() if path.name.startswith(".")]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_what_is_wanted_while_it_is_deleted_stays(blobs, dying, monkeypatch, moment):
    """Whoever wants a blob just before or just after it got its last name has it for good."""
    replace = os.replace
    wanted = []

    def at_the_moment(path, target):
        if moment == "before" and not wanted:
            wanted.append(blobs.touch(dying))
        done = replace(path, target)
        if moment == "after" and not wanted:
            wanted.append(blobs.touch(dying))
        return done

    monkeypatch.setattr(os, "replace", at_the_moment)

    assert not blobs.bury(dying.sha256, time.time() - DAY_S)
    assert wanted == [True]
    assert blobs.path(dying.sha256).read_bytes() == b"x" * 1000
    assert not list(blobs.path(dying.sha256).parent.glob(f"{GRAVE}*"))


def test_what_is_half_deleted_is_judged_when_it_goes(blobs, dying, store):
    """A collection that found the leavings of another deletes no newer blob that lies in their place by then."""
    place, grave = blobs.path(dying.sha256), blobs.path(dying.sha256).with_name(GRAVE + dying.sha256)
    place.rename(grave)
    ((found, _),) = unreferenced(store)
    grave.unlink()
    blobs.put(b"x" * 1000)
    place.rename(grave)

    assert not discard(store, found)
    assert place.read_bytes() == b"x" * 1000
    assert list(place.parent.iterdir()) == [place]


def test_leavings_go_without_what_was_written_anew(blobs, dying, store):
    """What a killed collection left half deleted goes; the same bytes, written anew and old by now, stay where they are."""
    place = blobs.path(dying.sha256)
    place.rename(place.with_name(GRAVE + dying.sha256))
    place.write_bytes(b"x" * 1000)
    os.utime(place, (time.time() - 2 * DAY_S, time.time() - 2 * DAY_S))
    (leavings,) = [path for path, _ in unreferenced(store, lambda: [dying.sha256])]

    assert discard(store, leavings)
    assert list(place.parent.iterdir()) == [place]


def test_one_collection_at_a_time(store, dying):
    """A second collection says that another one is at work, and deletes nothing."""
    lock = FileLock(store / ".gc.lock")
    waste = collecting.find(Store(store))
    assert lock.acquire()
    with pytest.raises(StoreError, match="another process is collecting"):
        collecting.collect(Store(store), waste)
    lock.release()

    assert Blobs(store).has(dying.sha256)
    assert collecting.collect(Store(store), waste) == 1000


def test_a_killed_collection_loses_nothing(run, store, blobs, folder):
    """What a collection of waste that was killed left half deleted is found by readers and by the next writer; its leavings go."""
    artifact = Artifact("data", "dataset")
    artifact.add_dir(folder)
    run.log_artifact(artifact)
    for path in list(blobs.all()):
        path.rename(path.with_name(GRAVE + path.name))
    again = Artifact("again", "dataset")
    again.add_dir(folder)
    run.log_artifact(again)
    found = runhaven.Api().artifact("me/p/data:v0")

    assert (Path(found.download(folder.with_name("out"))) / "a.txt").read_text() == "hello"
    assert not check_store(found.manifest, blobs)
    for path in blobs.all():
        os.utime(path, (time.time() - 2 * DAY_S, time.time() - 2 * DAY_S))
    collecting.collect(Store(store), collecting.find(Store(store)))
    assert not [path for path in blobs.all() if path.name.startswith(".")]
    assert not check_store(runhaven.Api().artifact("me/p/again:v0").manifest, blobs)


def test_an_artifact_that_is_being_made_stops_nothing(run, store, dying, folder):
    """A directory that waits for its facts keeps no waste alive; one whose facts are lost does, since its versions name what nobody then knows."""
    artifact = Artifact("data", "dataset")
    artifact.add_dir(folder)
    run.log_artifact(artifact).wait()
    (store / "artifacts" / "other-0123456789ab").mkdir()

    assert [path.name for path, _ in collecting.find(Store(store)).blobs] == [dying.sha256]
    next((store / "artifacts").glob("data-*/collection.json")).unlink()
    assert "collection.json cannot be read" in collecting.find(Store(store)).stays


def test_collecting_beside_a_writer(store, tmp_path):
    """While two processes collect waste without a pause, a writer that reuses what is dying never gets a version that is not whole."""
    stop = tmp_path / "stop"
    words = [sys.executable, "-c", COLLECT, store, stop]
    with runhaven.init(entity="me", project="p") as run:
        processes = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for process in processes:
            assert process.stdout is not None
            process.stdout.readline()
        collected = lambda: sum(int(path.read_text() or 0) for path in tmp_path.glob("count-*"))  # noqa: E731 - one line of a test
        number = 0
        while number < 60 or collected() <= 5:
            number += 1
            artifact = Artifact("data", "dataset")
            for name in "abcdef":
                with artifact.new_file(name) as file:
                    file.write(f"{name} {number % 2}")
            run.log_artifact(artifact).wait()
            assert not check_store(artifact.manifest, Blobs(store))
            mine = {artifact.commit_hash, *(blob.sha256 for blob in artifact.manifest.blobs())}
            artifact.delete(delete_aliases=True)
            for sha256 in mine:
                with contextlib.suppress(FileNotFoundError):
                    os.utime(Blobs(store).path(sha256), (time.time() - 7200, time.time() - 7200))
    stop.touch()
    for process in processes:
        process.communicate()

    assert [process.returncode for process in processes] == [0, 0]
