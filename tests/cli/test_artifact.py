"""`runhaven artifact` as a person types it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

import runhaven
from runhaven.store.blobs import Blobs
from runhaven_cli.app import runhaven_command

if TYPE_CHECKING:
    from pathlib import Path


def call(*arguments: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(runhaven_command, list(map(str, arguments)), prog_name="runhaven")

    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "data"
    made.mkdir()
    (made / "a.txt").write_text("hello")
    (made / "b.txt").write_text("there")
    return made


@pytest.fixture
def logged(folder) -> Path:
    call("artifact", "put", folder, "-n", "me/p/digits", "-a", "clean")
    with runhaven.init(entity="me", project="p", name="calm-harbour-1") as run:
        (folder / "a.txt").write_text("changed")
        run.log_artifact(str(folder), name="digits", type="dataset")
        run.log_artifact(str(folder / "b.txt"), name="net", type="model")
    return folder


def test_put_and_get(folder, tmp_path, monkeypatch):
    """What is put comes back under its alias; unchanged content is the same version."""
    monkeypatch.chdir(tmp_path)
    first = call("artifact", "put", folder, "-n", "p/digits", "-a", "clean")
    again = json.loads(call("artifact", "put", folder, "--name", "p/digits", "--json"))
    out = call("artifact", "get", "digits:clean")
    data = json.loads(call("artifact", "get", "p/digits", "--root", tmp_path / "two", "--prefix", "a", "--json"))

    assert "p/digits:v0, 2 files, 10 B" in first
    assert (again["version"], again["aliases"]) == ("v0", ["latest", "clean"])
    assert (tmp_path / out.strip() / "b.txt").read_text() == "there"
    assert data["path"] == str(tmp_path / "two")
    assert [path.name for path in (tmp_path / "two").iterdir()] == ["a.txt"]


def test_ls(logged):
    """All artifacts, those of a type, or the versions of one are listed, for people and as JSON."""
    everything = call("artifact", "ls")
    data = json.loads(call("artifact", "ls", "dataset", "--json"))
    versions = call("artifact", "ls", "p/digits")

    assert [line.split()[0] for line in everything.splitlines()] == ["NAME", "digits", "net"]
    assert [(one["name"], one["latest"], one["versions"], one["aliases"]) for one in data] == [
        ("digits", "v1", 2, ["latest", "clean"])
    ]
    assert [line.split()[0] for line in versions.splitlines()] == ["NAME", "digits:v1", "digits:v0"]
    assert "calm-harbour-1" in versions
    assert [one["version"] for one in json.loads(call("artifact", "ls", "digits", "--json"))] == ["v1", "v0"]
    assert "no artifact and no type 'nothing'" in call("artifact", "ls", "nothing", code=1)
    assert json.loads(call("artifact", "ls", "-p", "other", "--json")) == []
    assert "artifact put" in call("artifact", "ls", "-p", "other")


def test_verify(logged, store, tmp_path):
    """Verifying says which files are wrong, in the store or in a folder, and ends with 1."""
    call("artifact", "get", "digits:v1", "-r", tmp_path / "out")
    assert "2 files are right" in call("artifact", "verify", "digits:v1", "-r", tmp_path / "out")
    (tmp_path / "out" / "a.txt").write_text("x")
    assert "a.txt" in call("artifact", "verify", "digits:v1", "-r", tmp_path / "out", code=1)
    assert "2 files are right" in call("artifact", "verify", "digits:v1")
    artifact = runhaven.Api().artifact("me/p/digits:v1")
    (store / "blobs" / artifact.get_entry("b.txt").digest[:2] / artifact.get_entry("b.txt").digest).write_text("x")
    faults = json.loads(call("artifact", "verify", "digits:v1", "--json", code=1))["faults"]

    assert [fault["path"] for fault in faults] == ["b.txt"]


def test_rm(logged):
    """Versions are deleted when they are named, and those with aliases only by force."""
    assert "names no version" in call("artifact", "rm", "digits", code=2)
    assert "delete_aliases" in call("artifact", "rm", "-y", "digits:clean", code=1)
    assert "Deleted 1 version." in call("artifact", "rm", "-y", "-f", "digits:clean")

    assert [one["version"] for one in json.loads(call("artifact", "ls", "digits", "--json"))] == ["v1"]
    assert "was deleted" in call("artifact", "get", "me/p/digits:v0", code=1)


def test_a_name_that_could_mean_several(logged, folder):
    """A bare name that two projects have is refused with both; the project decides."""
    call("artifact", "put", folder, "-n", "me/q/digits")

    assert "me/p/digits, me/q/digits" in call("artifact", "get", "digits", code=1)
    assert "there is no artifact" in call("artifact", "verify", "nothing:v0", code=1)
    assert "counts up by itself" in call("artifact", "put", folder, "-n", "digits:v3", code=2)
    assert "✓" in call("artifact", "verify", "q/digits")


def test_lineage(logged, folder):
    """What a version or a run was made from and went into is a tree, JSON, or text for Graphviz; what is gone is marked."""
    with runhaven.init(entity="me", project="p", id="late", name="late-tide-2") as run:
        run.use_artifact("digits:v1", use_as="train")
        artifact = runhaven.Artifact("net", "model")
        artifact.add_file(folder / "a.txt")
        artifact.add_reference((folder / "b.txt").as_uri(), name="reference.txt")
        run.log_artifact(artifact)
    (folder / "b.txt").unlink()
    runhaven.Api().artifact("me/p/digits:v1").delete()
    tree = call("lineage", "net").splitlines()
    whole = call("lineage", "late", "--down", "--check", "none")

    assert tree[0].startswith("net:v1  model, me/p")
    assert tree[1] == "! reference.txt is gone"
    assert [line.strip(" └─").split()[0] for line in tree[3:6]] == ["late-tide-2", "digits:v1", "calm-harbour-1"]
    assert "as train" in tree[4]
    assert tree[4].endswith("✗ deleted")
    assert tree[-1] == "went into nothing that is known"
    assert "made from" not in whole
    assert "gone" not in whole
    assert {node["kind"] for node in json.loads(call("lineage", "net:v1", "--json"))["nodes"]} == {"run", "artifact"}
    assert call("lineage", "net", "--up", "--depth", "1", "--dot").startswith("digraph lineage {")
    assert "there is no artifact" in call("lineage", "nothing", code=1)


def test_diff(logged, folder):
    """What differs between two versions is told file by file, for people and as JSON; by default against the latest."""
    (folder / "c.txt").write_text("new")
    (folder / "b.txt").unlink()
    call("artifact", "put", folder, "-n", "me/p/digits")
    text = call("artifact", "diff", "digits:v0")
    data = json.loads(call("artifact", "diff", "digits:v0", "digits:v1", "--json"))

    assert text.splitlines()[:3] == ["- b.txt  5 B", "+ c.txt  3 B", "~ a.txt  5 B →  7 B"]
    assert "digits:v0 → digits:v2: 1 added, 1 removed, 1 changed, 0 the same; 10 B of 10 B are new." in text
    assert ([one["path"] for one in data["changed"]], data["unchanged"], data["added"]) == (["a.txt"], 1, [])
    assert "0 changed, 2 the same" in call("artifact", "diff", "digits:v1", "digits:v1")


def test_mv(logged):
    """An artifact is renamed, and its old name leads to it."""
    assert "Renamed to me/p/numbers." in call("artifact", "mv", "digits", "numbers")

    assert [one["name"] for one in json.loads(call("artifact", "ls", "dataset", "--json"))] == ["numbers"]
    assert "numbers:v0" in call("artifact", "verify", "me/p/digits:v0")
    assert "names a version" in call("artifact", "mv", "numbers:v0", "x", code=2)
    assert "belongs to another" in call("artifact", "mv", "numbers", "net", code=1)


def test_retention_and_gc(logged, store):
    """Rules are shown and set; a dry run says which versions would go and why; then they go, with their bytes."""
    assert "keeps all versions" in call("artifact", "retention", "net")
    for number in range(3):
        (logged / "a.txt").write_text(f"next {number}")
        call("artifact", "put", logged, "-n", "me/p/digits")
    assert "the last 2, what has an alias" in call("artifact", "retention", "digits", "--keep-last", "2")
    assert json.loads(call("artifact", "retention", "digits", "--ttl", "8w", "--json"))["ttl_s"] == 8 * 7 * 86400
    assert "is no age" in call("artifact", "retention", "digits", "--ttl", "soon", code=2)
    call("artifact", "retention", "digits", "--clear")
    call("artifact", "retention", "digits", "--keep-last", "2")
    for path in Blobs(store).all():
        os.utime(path, (1, 1))
    dry = call("gc", "--dry-run")
    data = json.loads(call("gc", "--dry-run", "--json"))
    call("gc", "--yes")
    left = [one["version"] for one in json.loads(call("artifact", "ls", "digits", "--json"))]

    assert "me/p/digits:v1  it is not among the last 2" in dry
    assert "2 versions of artifacts, 4 blobs that nothing names" in dry
    assert [one["name"] for one in data["versions"]] == ["me/p/digits:v1", "me/p/digits:v2"]
    assert left == ["v4", "v3", "v0"]
    assert "✓" in call("artifact", "verify", "digits:v0")
    assert "Nothing to remove" in call("gc", "--dry-run")


def test_du(logged):
    """Room is told by project, type, run or artifact, with artifacts."""
    whole = json.loads(call("du", "--json"))
    kinds = {group["name"]: group for group in json.loads(call("du", "--by", "type", "--json"))["groups"]}

    assert [(group["name"], group["runs"], group["versions"]) for group in whole["groups"]] == [("me/p", 1, 3)]
    assert {name: group["versions"] for name, group in kinds.items()} == {"run": 0, "dataset": 2, "model": 1}
    assert "1 run, 3 versions" in call("du")
    assert "calm-harbour-1" in call("du", "me/p")
    assert "me/p/net" in call("du", "--by", "artifact")
