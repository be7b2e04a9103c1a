"""Artifacts with many versions: their claims are summed up, and the sum is never more than a help."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import runhaven
from runhaven.artifacts.collection import Collection, Place
from runhaven.artifacts.digests import LAG, keep_digests, read_digests
from runhaven.artifacts.resolving import Home

# Prints which claims are read while one more version is logged.
ONE_MORE = """
import sys, runhaven
from pathlib import Path
from runhaven.artifacts.resolving import Home
artifact = runhaven.Artifact("data", "dataset")
with artifact.new_file("x.txt") as file:
    file.write(sys.argv[2])
sys.addaudithook(lambda event, what: event == "open" and what[1] == "r" and print(Path(what[0]).name))
artifact.commit(Home(Path(sys.argv[1]), "me", "p"))
"""


def log(store: Path, text: str) -> str:
    artifact = runhaven.Artifact("data", "dataset")
    with artifact.new_file("x.txt") as file:
        file.write(text)
    artifact.commit(Home(store, "me", "p"))
    return artifact.version


@pytest.fixture
def many(store) -> int:
    """How many versions of one artifact were logged, more than are left to be summed up."""
    for number in range(count := 3 * LAG):
        log(store, str(number))
    return count


@pytest.fixture
def collection(store, many) -> Collection:
    return Collection(store, Place("me", "p", "data"))


def test_a_new_version_reads_few_claims(store, many):
    """Another process that logs one more version reads the claims that are not summed up yet, however many there are."""
    done = subprocess.run(
        [sys.executable, "-c", ONE_MORE, store, "new"], capture_output=True, text=True, check=True, env=os.environ
    )
    claims = [name for name in done.stdout.split() if name.startswith("v")]

    assert 0 < len(claims) <= LAG + 1
    assert len(read_digests(Collection(store, Place("me", "p", "data")).path)) >= many - LAG


def test_what_was_summed_up_is_found_again(store, many, collection):
    """Content that an old version holds is that version; of a deleted one it is a new version."""
    assert log(store, "3") == "v3"
    collection.delete(3)
    assert log(store, "3") == f"v{many}"
    assert log(store, "3") == f"v{many}"


@pytest.mark.parametrize("damage", ["lost", "torn", "foreign"])
def test_claims_are_right_without_the_sum(store, many, collection, damage):
    """A sum that is gone, damaged or of something else costs time alone."""
    path = collection.path / "digests.json"
    if damage == "lost":
        path.unlink()
    elif damage == "torn":
        path.write_bytes(path.read_bytes()[:-9])
    else:
        keep_digests(collection.path, dict.fromkeys(range(many, 2 * many), "0" * 64))

    assert log(store, "3") == "v3"
    assert log(store, "new") == f"v{many}"


def test_the_newest_version_may_have_been_deleted(store, many, collection):
    """`latest` is the newest version that stands, or the one that it was moved to since."""
    collection.delete(many - 1)
    assert Collection(store, collection.place).find("latest").number == many - 2
    old = runhaven.Api(store).artifact("me/p/data:v5")
    old.aliases.append("latest")
    old.save()
    assert Collection(store, collection.place).find("latest").number == 5
    collection.delete(5)

    assert Collection(store, collection.place).find("latest").number == many - 2
