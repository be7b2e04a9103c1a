"""Blobs that nothing needs are found, and no others."""

from __future__ import annotations

import os
import time

import pytest

from runhaven import Artifact
from runhaven.artifacts.waste import unreferenced
from runhaven.errors import StoreError
from runhaven.store.blobs import Blobs


def age(store) -> None:
    for path in Blobs(store).all():
        os.utime(path, (time.time() - 2 * 86400, time.time() - 2 * 86400))


def test_waste_is_what_no_version_needs(run, folder, store):
    """Blobs of deleted versions and of drafts are waste, those of versions, parts and others' are not, nor new ones."""
    kept, gone, draft, part = (Artifact(name, "dataset") for name in ("kept", "gone", "draft", "part"))
    kept.add_dir(folder)
    for artifact in (gone, draft, part):
        with artifact.new_file("x.txt") as file:
            file.write(artifact.name)
    foreign = Blobs(store).put(b"a picture").sha256
    run.log_artifact(kept)
    run.log_artifact(gone)
    run.upsert_artifact(part, distributed_id="d")
    gone_blobs = {gone.commit_hash, gone.get_entry("x.txt").digest}
    gone.delete()
    assert not list(unreferenced(store))
    age(store)
    fresh = Blobs(store).put(b"fresh").sha256
    found = {path.name for path, _ in unreferenced(store, lambda: [foreign])}

    assert found == gone_blobs | {draft.get_entry("x.txt").digest}
    assert fresh not in found
    draft.save()
    assert {path.name for path, _ in unreferenced(store, lambda: [foreign])} == gone_blobs


def test_nothing_is_waste_while_a_claim_cannot_be_read(run, store):
    """A damaged claim might need anything: then nothing is called waste."""
    artifact = Artifact("data", "dataset")
    with artifact.new_file("x.txt") as file:
        file.write("x")
    run.log_artifact(artifact)
    age(store)
    (claim,) = (store / "artifacts").rglob("v0.json")
    claim.write_text("{}")

    with pytest.raises(StoreError, match=r"v0\.json"):
        list(unreferenced(store))
