"""No name leads out of a download folder, neither when it is added nor when a manifest made elsewhere names it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runhaven
from runhaven import Artifact
from runhaven.artifacts.fetching import Fetching
from runhaven.artifacts.manifest import Entry, Manifest
from runhaven.artifacts.names import check_path
from runhaven.errors import NotFoundError, StoreError, UsageError
from runhaven.store.blobs import Blobs

HOSTILE = [
    "", ".", "..", "/", "/etc/passwd", "../x", "a/../../x", "a/..", "..\\x", "a\\b", "C:\\x", "c:x", "C:/x", "//host/share",
    "con", "a/NUL.txt", "LPT1", "com9.tar.gz", "aux .txt", "x\0y", "x\ny", "x" * 256, "/".join("a" * 600), "é" * 128, "./../x", "./C:", "x\ud800",
]  # fmt: skip
PARTS = st.sampled_from(
    ["..", ".", "", "a", "b.txt", "C:", "nul", "\\", "x\\y", "\0", "…", "~", "COM1.x", " ", "x" * 300]
)
REFERENCES = st.sampled_from(
    ["file:///nothing/here", "file:///etc/../nothing", "file:relative", "nothing://x", "/etc/hostname", "..", ""]
)
PATHS = st.lists(PARTS, max_size=6).map("/".join) | st.text(st.characters(), max_size=30)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name, tmp_path):
    """A name that could lead out of a folder, or that is none on some system, cannot be added."""
    (tmp_path / "file").write_text("x")
    artifact = Artifact("data", "dataset")

    with pytest.raises(UsageError, match="cannot be used"):
        check_path(name)
    if name:
        with pytest.raises(UsageError):
            artifact.add_file(tmp_path / "file", name=name)
    assert not artifact.manifest.entries


@pytest.mark.parametrize(
    "name", ["a", "a b/c-d_e.bin", "step:100.pt", ".hidden", "deep/er/x..y", "ünïcode", "con1", "~/x"]
)
def test_usual_names_are_accepted(name):
    """What people call their files is fine."""
    assert check_path(name) == name
    assert check_path(f"./{name}") == name


@pytest.mark.parametrize(
    "name",
    ["a:b", "step:100.pt", "a.", "a/b ", "a?b", 'a"b', "x<y", "x|y", "a*", "a/.../b", "CONIN$", "com¹", "NUL.tar.gz"],
)
def test_windows_refuses_what_it_cannot_have(name, monkeypatch):
    """On Windows a name is refused that it would change or take for a device or a stream of another file."""
    with monkeypatch.context() as windows, contextlib.suppress(UsageError):
        windows.setattr(os, "name", "nt")
        check_path(name)
        pytest.fail(f"{name!r} was accepted")


def test_names_that_differ_in_case_alone_stay_apart(run, tmp_path):
    """Two files whose names differ in case alone both come back where the file system tells them apart."""
    artifact = Artifact("data", "dataset")
    for name in ("a.txt", "A.txt", "e\u0301.txt", "\u00e9.txt"):
        with artifact.new_file(name) as file:
            file.write(name)
    run.log_artifact(artifact)
    (tmp_path / "case").write_text("x")
    if (tmp_path / "CASE").exists():
        with pytest.raises(StoreError, match="one name"):
            artifact.download(tmp_path / "out")
        return
    artifact.download(tmp_path / "out")

    assert {path.name: path.read_text() for path in (tmp_path / "out").iterdir()} == {
        name: name for name in artifact.manifest.entries
    }


@settings(deadline=None, max_examples=10_000)
@given(path=PATHS)
def test_no_path_leads_out(path):
    """Whatever a path is: it is refused, or stays within the folder."""
    try:
        name = check_path(path)
    except UsageError:
        return
    folder = Path("/a/folder")

    assert (folder / name).resolve().is_relative_to(folder)
    assert check_path(name) == name
    assert not set(name.split("/")) & {"..", ".", ""}


@settings(deadline=None, max_examples=300)
@given(
    data=st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_a_hostile_manifest_is_an_error(data):
    """A manifest of any shape is read or refused with a `StoreError`."""
    whole = [data, {"format": 1, "entries": data}, {"format": 1, "entries": {"a": data}}]
    for one in whole:
        with contextlib.suppress(StoreError):
            Manifest.from_bytes(json.dumps(one).encode())


@settings(deadline=None, max_examples=10_000, suppress_health_check=[HealthCheck.too_slow])
@given(names=st.lists(PATHS, min_size=1, max_size=4, unique=True), ref=st.none() | REFERENCES)
def test_no_manifest_writes_outside(names, ref, tmp_path_factory):
    """Whatever names and references a manifest made elsewhere holds: it is refused, or brings its files into the folder alone."""
    place = tmp_path_factory.getbasetemp() / "hostile"
    blobs, out = Blobs(place / "store"), place / "out"
    blob = blobs.put(b"evil", waits=False)
    entry = {"size": 4} | ({"ref": ref, "digest": blob.sha256} if ref else {"sha256": blob.sha256})
    data = json.dumps({"format": 1, "entries": dict.fromkeys(names, entry)}).encode()
    out.mkdir(exist_ok=True)
    before = outside(place)
    with contextlib.suppress(StoreError, UsageError, NotFoundError, OSError):
        entries = list(Manifest.from_bytes(data).entries.values())
        for one in entries:
            Fetching(blobs, out).fetch(one, allow_missing_reference=True)

    assert outside(place) == before
    assert all(path.resolve().is_relative_to(out) for path in out.rglob("*"))
    shutil.rmtree(out)


def outside(place: Path) -> set[Path]:
    """What lies around the target folder, and in the directory that relative names would start from."""
    return {path for folder in (place, place.parent, Path.cwd()) for path in folder.iterdir()}


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.isascii()])
def test_a_manifest_from_elsewhere_cannot_write_outside(name, tmp_path):
    """A manifest that names a file outside is refused, and so is its entry, should somebody get past that."""
    blobs = Blobs(tmp_path / "store")
    blob = blobs.put(b"evil")
    data = json.dumps({"format": 1, "entries": {name: {"sha256": blob.sha256, "size": 4}}}).encode()
    (tmp_path / "out").mkdir()

    with pytest.raises(StoreError):
        Manifest.from_bytes(data)
    with pytest.raises(UsageError):
        Fetching(blobs, tmp_path / "out").fetch(Entry(path=name, digest=blob.sha256, size=4))
    assert not list((tmp_path / "out").iterdir())


def test_nothing_is_written_through_a_link(run, tmp_path):
    """A link in the download folder is replaced where a file goes, and refused where a folder goes."""
    artifact = Artifact("data", "dataset")
    for name in ("x.txt", "deep/y.txt"):
        with artifact.new_file(name) as file:
            file.write("new")
    run.log_artifact(artifact)
    outside, out = tmp_path / "outside", tmp_path / "out"
    outside.mkdir()
    out.mkdir()
    (outside / "x.txt").write_text("old")
    (out / "x.txt").symlink_to(outside / "x.txt")
    artifact.download(out)
    assert (outside / "x.txt").read_text() == "old"
    assert (out / "x.txt").read_text() == "new"
    (out / "deep" / "y.txt").unlink()
    (out / "deep").rmdir()
    (out / "deep").symlink_to(outside)

    with pytest.raises(UsageError, match="link out of"):
        artifact.download(out)
    assert sorted(path.name for path in outside.iterdir()) == ["x.txt"]


def test_a_digest_is_no_path(run):
    """A manifest whose digests are paths is refused."""
    data = {"format": 1, "entries": {"a": {"sha256": "../../../etc/passwd", "size": 4}}}

    with pytest.raises(StoreError, match="no SHA-256"):
        Manifest.from_bytes(json.dumps(data).encode())


@pytest.mark.parametrize("sizes", [[-4, 8], [0, 4], [True, 3], ["4"], [4.0], [1 << 64], [3]])
def test_chunks_of_no_size_are_refused(sizes):
    """A manifest whose chunks have sizes that no chunk can have, or that do not add up, is refused."""
    entry = {"size": 4, "chunks": [["0" * 64, size] for size in sizes]}

    with pytest.raises(StoreError):
        Manifest.from_bytes(json.dumps({"format": 1, "entries": {"a": entry}}).encode())


@pytest.mark.parametrize(
    "checksums", [["0" * 16] * 2, ["0" * 15], ["0" * 17], ["A" * 16], [0], 7, "0" * 16, [["0" * 16]]], ids=str
)
@pytest.mark.parametrize("kind", ["blob", "reference"])
def test_checksums_that_cannot_be_are_refused(checksums, kind):
    """A manifest whose quick checksums are none, or not one for each blob, is refused."""
    entry = {"sha256": "0" * 64} if kind == "blob" else {"ref": "s3://bucket/key", "digest": "x"}
    data = {"format": 1, "entries": {"a": {**entry, "size": 4, "xxh3_64": checksums}}}

    with pytest.raises(StoreError):
        Manifest.from_bytes(json.dumps(data).encode())


def test_an_object_cannot_name_code_to_run(run, tmp_path):
    """An entry that names a class outside Runhaven makes no object."""
    artifact = Artifact("data", "dataset")
    with artifact.new_file("x.txt") as file:
        file.write("x")
    for named in ("subprocess:Popen", "runhaven.testing:record", "os:system", "runhaven.nothing:X"):
        artifact.get_entry("x.txt").extra["class"] = named
        with pytest.raises(StoreError, match="cannot make"):
            artifact.get("x.txt")
    assert hashlib.sha256(b"x").hexdigest() == artifact.get_entry("x.txt").digest
    assert runhaven.run is run
