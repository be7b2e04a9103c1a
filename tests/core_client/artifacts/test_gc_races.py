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
from runhaven.store.blobs import GRAVE, Blob, Blobs
from runhaven.store.layout import Store

DAY_S = 86400.0

COLLECT = """
import os, sys
from pathlib import Path
from runhaven.api import collecting
from runhaven.store.layout import Store
store, count, parent = Store(Path(sys.argv[1])), 0, os.getppid()
print("ready", flush=True)
while not Path(sys.argv[2]).exists() and os.getppid() == parent:
    waste = collecting.find(store, spared_s=20)
    assert not waste.stays, waste.stays
    count += collecting.collect(store, waste, spared_s=20) > 0
print(count)
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


def test_two_collections_take_only_what_they_judged(blobs, dying, monkeypatch):
    """What a writer wrote anew, and a second collection put where the first is about to delete, is not deleted with it."""
    stat = os.stat
    place, grave = blobs.path(dying.sha256), blobs.path(dying.sha256).with_name(GRAVE + dying.sha256)

    def meanwhile(path, **options):
        found = stat(path, **options)
        if str(path) == str(grave):
            monkeypatch.setattr(os, "stat", stat)
            place.write_bytes(b"x" * 1000)
            place.rename(grave)
        return found

    monkeypatch.setattr(os, "stat", meanwhile)

    assert blobs.bury(dying.sha256, time.time() - DAY_S)
    assert place.read_bytes() == b"x" * 1000
    assert list(place.parent.iterdir()) == [place]


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
        for number in range(60):
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
                    os.utime(Blobs(store).path(sha256), (time.time() - 100, time.time() - 100))
    stop.touch()
    counts = [int(process.communicate()[0]) for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    assert sum(counts) > 5
