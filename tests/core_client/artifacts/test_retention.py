"""Which versions a collection keeps, and what a collection of waste takes."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import numpy as np
import pytest

import runhaven
from runhaven import Artifact, ArtifactTTL, Retention
from runhaven.api import collecting
from runhaven.api.usage import measure
from runhaven.artifacts.retention import expired
from runhaven.errors import UsageError
from runhaven.store.blobs import Blobs
from runhaven.store.layout import Store

DAY_S = 86400.0


def log(
    run,
    text: str,
    *,
    name: str = "data",
    aliases: tuple[str, ...] = (),
    ttl: timedelta | ArtifactTTL | None = ArtifactTTL.INHERIT,
) -> Artifact:
    artifact = Artifact(name, "dataset")
    artifact.ttl = ttl
    with artifact.new_file("x.txt") as file:
        file.write(text)
    return run.log_artifact(artifact, aliases=list(aliases))


def rule(retention: Retention, name: str = "data"):
    collection = runhaven.Api().artifact_collection("dataset", f"me/p/{name}")
    collection.retention = retention
    collection.save()
    return collection._collection


def gone(collection, after_days: float = 0.0) -> dict[str, str]:
    return {one.version.label: one.reason for one in expired(collection, time.time() + after_days * DAY_S)}


def age(store) -> None:
    for path in Blobs(store).all():
        os.utime(path, (time.time() - 2 * DAY_S, time.time() - 2 * DAY_S))


def test_rules(run):
    """A version goes once no rule keeps it: age, place among the newest, alias; a link to it keeps it whatever they say."""
    for number in range(6):
        log(run, str(number), aliases=("best",) if number == 1 else ())
    run.link_artifact(runhaven.Api().artifact("me/p/data:v2"), "registry/data")
    collection = rule(Retention())
    assert not gone(collection, 10_000)

    assert set(gone(rule(Retention(keep_last=2)))) == {"v0", "v3"}
    assert set(gone(rule(Retention(keep_last=2, keep_aliased=False)))) == {"v0", "v1", "v3"}
    by_age = rule(Retention(ttl=timedelta(days=30)))
    assert not gone(by_age, 29)
    assert gone(by_age, 31) == dict.fromkeys(("v0", "v3", "v4", "v5"), "the artifact's ttl of 30 days is over")
    assert set(gone(rule(Retention(ttl=timedelta(days=30), keep_last=3)), 31)) == {"v0"}
    assert not gone(rule(Retention(ttl=timedelta(days=30), keep_last=3)), 1)
    assert runhaven.Api().artifact_collection("dataset", "me/p/data").retention == Retention(
        ttl=timedelta(days=30), keep_last=3
    )
    with pytest.raises(UsageError, match="keep_last=0"):
        Retention(keep_last=0)
    with pytest.raises(UsageError, match="ttl="):
        Retention(ttl=timedelta())


def test_a_versions_own_ttl_stands_over_its_collections(run):
    """A version's own time to live counts before its collection's; None keeps it without end, INHERIT leaves it to the collection."""
    short = log(run, "short", ttl=timedelta(days=1))
    forever = log(run, "forever", ttl=None)
    plain = log(run, "plain")
    collection = rule(Retention(ttl=timedelta(days=30)))
    api = runhaven.Api()

    assert gone(collection, 2) == {"v0": "its own ttl of 1 day is over"}
    assert set(gone(collection, 31)) == {"v0", "v2"}
    assert [api.artifact(f"me/p/{one.name}").ttl for one in (short, forever, plain)] == [
        timedelta(days=1), None, timedelta(days=30)
    ]  # fmt: skip
    found = api.artifact(f"me/p/{short.name}")
    found.ttl = ArtifactTTL.INHERIT
    found.save()
    assert not gone(collection, 2)
    assert "v1" not in gone(rule(Retention(keep_last=1)))


def test_waste_goes_and_nothing_else(run, store, folder):
    """A collection of waste deletes expired versions and what nothing names; media, tables' pictures, shared bytes, the trash stay."""
    picture = runhaven.Image(np.zeros((4, 4, 3), np.uint8))
    table = runhaven.Table(["n", "image"], [[1, runhaven.Image(np.ones((4, 4, 3), np.uint8))]])
    run.log({"image": picture, "table": table})
    shared = Artifact("shared", "dataset")
    shared.add_dir(folder)
    run.log_artifact(shared)
    for number in range(3):
        old = Artifact("data", "dataset")
        old.add_dir(folder)
        with old.new_file("more.txt") as file:
            file.write(f"version {number}")
        run.log_artifact(old)
    rule(Retention(keep_last=1))
    with runhaven.init(entity="me", project="p", id="removed", reinit="create_new") as other:
        other.log({"image": runhaven.Image(np.full((4, 4, 3), 7, np.uint8))})
    Store(store).remove(runhaven.Api().run("p/removed").directory)
    run.finish()
    age(store)
    before = {path.name for path in Blobs(store).all()}
    waste = collecting.find(Store(store))
    untouched = {path.name for path in Blobs(store).all()}
    freed = collecting.collect(Store(store), waste)
    left = {path.name for path in Blobs(store).all()}
    api = runhaven.Api()

    assert [one.version.label for one in waste.versions] == ["v0", "v1"]
    assert untouched == before
    # Two manifests and two small files; the large one is shared.
    assert len(before - left) == 4
    assert 0 < freed < 5000
    assert [one.version for one in api.artifacts("dataset", "me/p/data")] == ["v2"]
    api.artifact("me/p/data:v2").verify()
    api.artifact("me/p/shared:v0").verify()
    assert not collecting.find(Store(store)).blobs
    Store(store).restore("".join(one.run.ulid for one in Store(store).removed()))
    for row in [*api.run(run.id).scan_history(), *runhaven.Api().run("p/removed").scan_history()]:
        for value in row.values():
            if isinstance(value, dict) and "sha256" in value:
                assert api.run(run.id).open_media(value).is_file()
    assert len(list(Blobs(store).all())) == len(left)


@pytest.mark.parametrize("seals", [False, True])
def test_media_of_runs_are_needed_sealed_or_not(run, store, seals):
    """What a row of a run names is found in its journal and in its sealed files, pictures in tables included."""
    for number in range(3):
        run.log({"table": runhaven.Table(["image"], [[runhaven.Image(np.full((4, 4), number, np.uint8))]])})
    run.finish()
    found = runhaven.Api().run(run.id)
    if seals:
        assert found.seal()
        for path in found.directory.journal.iterdir():
            path.unlink()

    assert collecting.blobs_of(Store(store), found.directory) == {path.name for path in Blobs(store).all()}
    assert len(list(Blobs(store).all())) >= 6


def test_nothing_goes_while_a_run_is_damaged(run, store):
    """A damaged run might name anything: then no blob goes, and it is said why."""
    run.log({"a": 1})
    run.finish()
    Blobs(store).put(b"waste")
    age(store)
    assert len(collecting.find(Store(store)).blobs) == 1
    (path,) = runhaven.Api().run(run.id).directory.journal.glob("*.rhj")
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    waste = collecting.find(Store(store))

    assert not waste.blobs
    assert "is damaged" in waste.stays


def test_usage(run, store, folder):
    """Room is told by project, type, run and artifact; what is shared counts for each, and once in the total."""
    for name, kind in (("a", "dataset"), ("b", "model")):
        artifact = Artifact(name, kind)
        artifact.add_dir(folder)
        run.log_artifact(artifact)
    run.finish()
    waste = Blobs(store).put(b"x" * 100_000)
    large = 20 << 20
    found = measure(Store(store))
    by_type = {group.name: group for group in measure(Store(store), "type").groups}

    assert [(group.name, group.runs, group.versions) for group in found.groups] == [("me/p", 1, 2)]
    assert large < found.total < 1.1 * large
    assert found.total == found.groups[0].bytes
    assert found.unnamed >= waste.size
    assert {name: large < group.bytes < 1.1 * large for name, group in by_type.items()} == {
        "dataset": True, "model": True, "run": False
    }  # fmt: skip
    assert measure(Store(store), "type").total == found.total
    assert [group.versions for group in measure(Store(store), "run").groups] == [2]
    assert {group.name for group in measure(Store(store), "artifact").groups} == {"me/p/a", "me/p/b", "runs"}
    assert not measure(Store(store), project="other").groups
