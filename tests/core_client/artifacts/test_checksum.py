"""The quick checksum: it finds all damage that SHA-256 finds, and no version depends on it."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
import xxhash

from runhaven import Artifact
from runhaven.artifacts import checksum as checksum_module
from runhaven.artifacts import fetching as fetching_module
from runhaven.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

# A file below the size of a piece, one of several pieces, and one in chunks.
SIZES = {"small.bin": 100_000, "middle.bin": 3_000_000, "large.bin": 20 << 20}
BLOCK = 4096


@pytest.fixture
def source(tmp_path) -> Path:
    folder = tmp_path / "source"
    folder.mkdir()
    for name, size in SIZES.items():
        (folder / name).write_bytes(random.Random(name).randbytes(size))
    return folder


def log(run, source: Path, name: str = "data") -> Artifact:
    artifact = Artifact(name, "dataset")
    artifact.add_dir(source)
    return run.log_artifact(artifact).wait()


@pytest.fixture(params=["written and read", "only written", "only read", "neither"])
def logged(request, run, source, monkeypatch) -> Artifact:
    """The files, logged and to be downloaded with the package that computes checksums, or without."""
    with monkeypatch.context() as context:
        if "written" not in request.param:
            context.setattr(checksum_module, "begin", lambda: None)
        artifact = log(run, source)
    if "read" not in request.param:
        monkeypatch.setattr(checksum_module, "begin", lambda: None)
    # Clones are not checked at all.
    monkeypatch.setattr(fetching_module, "clone_file", lambda *_: False)

    assert all(bool(entry.checksums) == ("written" in request.param) for entry in artifact.manifest.entries.values())
    return artifact


def damage(path: Path, how: str) -> None:
    """Do to a blob what disks and people do."""
    data = bytearray(path.read_bytes())
    at = random.Random(how).randrange(len(data) - BLOCK)
    if how == "flipped bit":
        data[at] ^= 1
    elif how == "zeroed block":
        data[at : at + BLOCK] = bytes(BLOCK)
    elif how == "truncated":
        del data[at:]
    elif how == "longer":
        data += b"\0"
    path.unlink()
    if how != "missing":
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["flipped bit", "zeroed block", "truncated", "longer", "missing"])
@pytest.mark.parametrize("name", list(SIZES))
def test_damage_is_found_at_download(logged, blobs, tmp_path, name, how):
    """Whatever happened to a blob, a download says so and puts no such file in place; once it is mended, all is brought."""
    out = tmp_path / "out"
    path = blobs.path(logged.get_entry(name).blobs[-1].sha256)
    data = path.read_bytes()
    damage(path, how)
    with pytest.raises(StoreError, match="are missing" if how == "missing" else "damaged") as caught:
        logged.download(out)
    left = {path.name for path in out.iterdir()}
    path.write_bytes(data)
    logged.download(out)

    assert name in str(caught.value)
    assert name not in left
    assert {path.name for path in out.iterdir()} == set(SIZES)
    logged.verify(str(out))


def test_a_version_is_the_same_with_and_without(logged, run, source, tmp_path):
    """Files logged where checksums are computed and where they are not are one version, which each can bring."""
    again = log(run, source)
    other = log(run, source, "other")
    logged.download(tmp_path / "out")

    assert again.version == logged.version == "v0"
    assert other.digest == logged.digest
    assert all((tmp_path / "out" / name).read_bytes() == (source / name).read_bytes() for name in SIZES)


def test_the_manifest_names_the_checksum_of_each_blob(run, source, store, blobs):
    """A manifest holds, beside what it held before, the XXH3 of each blob; one without is read as before."""
    artifact = log(run, source)
    claim = json.loads(next(store.glob("artifacts/*/v0.json")).read_text("utf-8"))
    entries = json.loads(blobs.path(claim["manifest"]).read_bytes())["entries"]

    for path, fields in entries.items():
        named = [sha256 for sha256, _ in fields.get("chunks", [])] or [fields["sha256"]]
        assert fields.pop("xxh3_64") == [xxhash.xxh3_64_hexdigest(blobs.path(sha256).read_bytes()) for sha256 in named]
        assert set(fields) == {"size", "chunks" if path == "large.bin" else "sha256"}
    plain = type(artifact.manifest).from_bytes(json.dumps({"format": 1, "entries": entries}).encode())
    assert plain.digest == artifact.digest
    assert not any(entry.checksums for entry in plain.entries.values())


@pytest.mark.parametrize("name", list(SIZES))
def test_a_download_compares_checksums_and_verify_sha256(run, source, tmp_path, monkeypatch, name):
    """A download believes the checksum of the manifest; `verify`, and who cannot compute it, the SHA-256 alone."""
    artifact = log(run, source)
    entry = artifact.get_entry(name)
    entry.checksums = tuple("0" * 16 for _ in entry.checksums)
    monkeypatch.setattr(fetching_module, "clone_file", lambda *_: False)
    with pytest.raises(StoreError, match="damaged"):
        artifact.download(tmp_path / "out")
    artifact.verify()
    monkeypatch.setattr(checksum_module, "begin", lambda: None)

    artifact.download(tmp_path / "out")
    artifact.verify(str(tmp_path / "out"))
