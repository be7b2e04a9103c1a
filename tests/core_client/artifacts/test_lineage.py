"""Lineage: from runs to artifacts and on, in both directions, also over what is gone or has changed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess

import pytest

import runhaven
from runhaven import Artifact
from runhaven.errors import UsageError


def draft(name, text, kind="dataset") -> Artifact:
    artifact = Artifact(name, kind)
    with artifact.new_file("x.txt") as file:
        file.write(text)
    return artifact


def step(run_id: str, *, uses: list[str], makes: Artifact) -> None:
    with runhaven.init(entity="me", project="p", id=run_id, name=f"run-{run_id}", job_type="prepare") as run:
        for name in uses:
            run.use_artifact(name, use_as="input")
        run.log_artifact(makes)


@pytest.fixture
def chain(store) -> None:
    """Raw -> clean -> net, net2; another run makes `clean` too, and one uses `net` alone."""
    step("a", uses=[], makes=draft("raw", "raw"))
    step("b", uses=["raw:v0"], makes=draft("clean", "clean"))
    step("c", uses=["clean:v0"], makes=draft("net", "net", "model"))
    step("d", uses=["clean:v0", "net:v0"], makes=draft("net2", "net2", "model"))
    step("e", uses=["raw:v0"], makes=draft("clean", "clean"))


def names(lineage) -> set[str]:
    return {node.name for node in lineage.nodes.values()}


def edges(lineage) -> set[tuple[str, str, str]]:
    return {(lineage.nodes[edge.source].name, lineage.nodes[edge.target].name, edge.kind) for edge in lineage.edges}


def test_upstream_and_downstream_to_any_depth(chain):
    """Every run and version that something was made from, or that was made from it, is found, with what led there."""
    api = runhaven.Api()
    up = api.artifact("me/p/net:v0").lineage("upstream")
    down = api.artifact("me/p/raw:v0").lineage("downstream")

    assert edges(up) == {
        ("run-c", "net:v0", "output"),
        ("clean:v0", "run-c", "input"),
        ("run-b", "clean:v0", "output"),
        ("run-e", "clean:v0", "output"),
        ("raw:v0", "run-b", "input"),
        ("raw:v0", "run-e", "input"),
        ("run-a", "raw:v0", "output"),
    }
    assert names(down) == {
        "raw:v0", "run-b", "run-e", "clean:v0", "run-c", "run-d", "net:v0", "net2:v0"
    }  # fmt: skip
    assert next(iter(up.nodes.values())).name == "net:v0"
    assert {edge.use_as for edge in up.edges if edge.kind == "input"} == {"input"}
    assert {(node.type, node.state) for node in up.nodes.values() if node.kind == "run"} == {("prepare", "finished")}


def test_what_is_connected_has_its_siblings(chain):
    """What else was made from the same data is connected, though it is neither up nor down; nothing else is."""
    step("alone", uses=[], makes=draft("other", "other"))
    found = runhaven.Api().artifact("me/p/net2:v0").lineage("connected")
    run_e = runhaven.Api().run("p/e").lineage("connected", depth=2)

    assert names(found) == {
        "raw:v0", "clean:v0", "net:v0", "net2:v0", "run-a", "run-b", "run-c", "run-d", "run-e"
    }  # fmt: skip
    assert len(found.edges) == len(set(found.edges)) == 10
    assert names(run_e) == {"run-e", "raw:v0", "clean:v0", "run-a", "run-b", "run-c", "run-d"}


def test_depth_and_runs(chain):
    """A depth counts steps; a run has a lineage too; an argument that is not known is refused."""
    api = runhaven.Api()
    clean = api.artifact("me/p/clean:v0")

    assert names(clean.lineage(depth=1)) == {"clean:v0", "run-b", "run-e", "run-c", "run-d"}
    assert names(api.run("p/c").lineage("downstream")) == {"run-c", "net:v0", "run-d", "net2:v0"}
    assert names(api.run("p/c").lineage("upstream", 2)) == {"run-c", "clean:v0", "run-b", "run-e"}
    with pytest.raises(UsageError, match="direction="):
        clean.lineage("sideways")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="check="):
        clean.lineage(check="some")  # pyright: ignore[reportArgumentType]
    with pytest.raises(UsageError, match="not logged"):
        draft("new", "x").lineage()


def test_what_is_gone_is_marked(chain, store):
    """Deleted versions and runs stay in the lineage, marked; also runs that were removed for good."""
    api = runhaven.Api()
    api.artifact("me/p/clean:v0").delete()
    for name in ("b", "e"):
        api.store.remove(api.run(f"p/{name}").directory)
    before = runhaven.Api().artifact("me/p/net:v0").lineage("upstream")
    runhaven.Api().store.purge()
    after = runhaven.Api().artifact("me/p/net:v0").lineage("upstream")

    assert {node.name for node in before.nodes.values() if node.is_deleted} == {"clean:v0", "run-b", "run-e"}
    assert edges(after) == edges(before)
    assert {(node.name, node.path) for node in after.nodes.values() if node.is_deleted} == {
        ("clean:v0", "me/p/clean:v0"), ("run-b", "me/p/b"), ("run-e", "me/p/e")
    }  # fmt: skip


def test_a_circle_ends(run):
    """A run that uses what it logged is no endless lineage."""
    artifact = run.log_artifact(draft("data", "a"))
    run.use_artifact(artifact)
    found = artifact.lineage()

    assert len(found.nodes) == 2
    assert {edge.kind for edge in found.edges} == {"input", "output"}


def test_links_and_other_names(run):
    """A link leads to what it is a link to, and both keep their lineage under a new name."""
    artifact = run.log_artifact(draft("net", "a", "model"))
    linked = artifact.link("registry/best")
    run.use_artifact("registry/best:v0")
    collection = runhaven.Api().artifact_collection("model", "me/p/net")
    collection.name = "network"
    collection.save()
    found = runhaven.Api().artifact(linked.qualified_name).lineage()

    assert edges(found) == {
        ("network:v0", "best:v0", "link"),
        (run.name, "network:v0", "output"),
        ("best:v0", run.name, "input"),
    }


def test_changed_references_are_marked(run, tmp_path):
    """A file that a version refers to is said to have changed or to be gone, and one that was only touched is not."""
    for name in ("same", "touched", "changed", "longer", "gone", "unchecked"):
        (tmp_path / f"{name}.txt").write_text("hello")
    artifact = Artifact("data", "dataset")
    for name in ("same", "touched", "changed", "longer", "gone"):
        artifact.add_reference((tmp_path / f"{name}.txt").as_uri())
    artifact.add_reference((tmp_path / "unchecked.txt").as_uri(), checksum=False)
    run.log_artifact(artifact)
    assert not next(iter(artifact.lineage().nodes.values())).changes
    (tmp_path / "changed.txt").write_text("HELLO")
    (tmp_path / "unchecked.txt").write_text("HELLO")
    (tmp_path / "longer.txt").write_text("hello there")
    (tmp_path / "gone.txt").unlink()
    os.utime(tmp_path / "touched.txt", (1, 1))
    os.utime(tmp_path / "changed.txt", (2, 2))
    root = next(iter(artifact.lineage().nodes.values()))

    assert {(change.path, change.reason) for change in root.changes} == {
        ("changed.txt", "has changed"), ("longer.txt", "has 11 bytes now, not 5"), ("gone.txt", "is gone")
    }  # fmt: skip
    assert not next(iter(artifact.lineage(check="none").nodes.values())).changes


def git(folder, *arguments) -> str:
    words = ["git", "-c", "user.name=me", "-c", "user.email=me@localhost", *arguments]
    return subprocess.run(words, cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("RUNHAVEN_DISABLE_GIT", "0")
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    (folder / "table.csv").write_text("a,b\n1,2\n")
    (folder / "data" / "x.bin").write_text("x")
    (folder / "loose.txt").write_text("loose")
    outs = "outs:\n- md5: 0cc175b9c0f1b6a831c399e269772661.dir\n  size: 1\n  nfiles: 1\n  hash: md5\n  path: data\n"
    (folder / "data.dvc").write_text(outs)
    (folder / ".gitignore").write_text("/data\n")
    git(folder, "init", "-q")
    git(folder, "remote", "add", "origin", "https://me:secret@host/repository.git")
    git(folder, "add", "table.csv", "data.dvc", ".gitignore")
    git(folder, "commit", "-qm", "first")
    return folder


def test_git_and_dvc_say_which_revision_a_reference_is(run, repository):
    """A reference to a file that git or DVC tracks notes commit, path and hash, and a change says where the old content is."""
    commit = git(repository, "rev-parse", "HEAD")
    artifact = Artifact("data", "dataset")
    artifact.add_reference(repository.as_uri())
    found = {path: entry.extra for path, entry in artifact.manifest.entries.items() if not path.startswith(".git/")}
    run.log_artifact(artifact)
    (repository / "table.csv").write_text("a,b\n1,3\n")
    (repository / "data" / "x.bin").write_text("longer")
    changes = {change.path: change for change in next(iter(artifact.lineage().nodes.values())).changes}
    again = Artifact("data", "dataset")
    (entry,) = again.add_reference((repository / "table.csv").as_uri())

    assert found["table.csv"]["git"] == {
        "commit": commit, "path": "table.csv", "dirty": False, "remote": "https://***@host/repository.git"
    }  # fmt: skip
    assert found["data/x.bin"]["dvc"] == {"file": "data.dvc", "md5": "0cc175b9c0f1b6a831c399e269772661.dir"}
    assert found["data/x.bin"]["git"]["path"] == "data.dvc"
    assert "git" not in found["loose.txt"]
    assert changes["table.csv"].revision == f"git {commit[:10]}:table.csv"
    assert changes["data/x.bin"].revision == (f"DVC 0cc175b9c0f1b6a831c399e269772661.dir, git {commit[:10]}:data.dvc")
    assert entry.extra["git"]["dirty"] is True


LOCK = """schema: '2.0'
stages:
  train:
    cmd: python train.py
    outs:
    - path: model.txt
      hash: md5
      md5: 69b64623f86def16ce17d454b8be41ae
      size: 2
    - path: out
      hash: md5
      md5: 3bf3fa1ca4277e87b5193c2612d8eb3c.dir
      size: 2
      nfiles: 1
  each@p:
    cmd: echo p > p.txt
    outs:
    - path: p.txt
      hash: md5
      md5: 9d7bf075372908f55e2d945c39e0a613
      size: 2
"""
STAGES = """stages:
  train:
    cmd: python train.py
    outs: [model.txt, out]
  each:
    foreach: [p, q]
    do:
      wdir: in
      cmd: echo ${item} > ${item}.txt
      outs: ["${item}.txt"]
"""


def test_what_a_pipeline_of_dvc_made_is_known(run, repository):
    """A reference to an output of a stage notes the stage, its hash and the commit of dvc.lock, also where that lies above."""
    folder = repository / "pipeline"
    for name in ("model.txt", "out/deep/x", "in/p.txt", "p.txt", "other.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "dvc.lock").write_text(LOCK)
    (folder / "dvc.yaml").write_text(STAGES)
    git(repository, "add", "pipeline/dvc.lock", "pipeline/dvc.yaml")
    git(repository, "commit", "-qm", "second")
    artifact = Artifact("data", "dataset")
    artifact.add_reference(folder.as_uri())
    (inside,) = artifact.add_reference((folder / "out" / "deep").as_uri(), name="again")
    (beside,) = artifact.add_reference((repository / "data").as_uri(), name="beside")
    found = {path: entry.extra.get("dvc") for path, entry in artifact.manifest.entries.items()}
    (folder / "dvc.lock").write_text("stages: [torn")

    assert found["model.txt"] == {"file": "dvc.lock", "stage": "train", "md5": "69b64623f86def16ce17d454b8be41ae"}
    assert found["in/p.txt"] == {"file": "dvc.lock", "stage": "each@p", "md5": "9d7bf075372908f55e2d945c39e0a613"}
    assert found["out/deep/x"] == found["again/x"]
    assert found["p.txt"] is None
    assert found["other.txt"] is None
    for entry, note in ((inside, "pipeline/dvc.lock"), (beside, "data.dvc")):
        assert entry.extra["git"]["commit"] == git(repository, "rev-parse", "HEAD")
        assert (entry.extra["git"]["path"], entry.extra["git"]["dirty"]) == (note, False)
    (torn,) = Artifact("torn", "dataset").add_reference((folder / "model.txt").as_uri())
    assert "dvc" not in torn.extra


def test_json_and_dot(chain):
    """The graph is had as JSON, and as text that Graphviz draws, whatever the names."""
    with runhaven.init(entity="me", project="p", id="q", name='quo"te\\ <b>\n') as run:
        run.use_artifact("net2:v0")
    found = runhaven.Api().artifact("me/p/clean:v0").lineage()
    data = json.loads(json.dumps(found.to_json()))

    assert data["root"] == "artifact:me/p/clean:v0"
    assert {node["id"] for node in data["nodes"]} == set(found.nodes)
    assert all({edge["source"], edge["target"]} <= set(found.nodes) for edge in data["edges"])
    if shutil.which("dot"):
        drawn = subprocess.run(["dot", "-Tjson"], input=found.to_dot(), text=True, capture_output=True, check=True)
        graph = json.loads(drawn.stdout)
        assert len(graph["objects"]) == len(found.nodes)
        assert len(graph["edges"]) == len(found.edges)


def test_stored_runs_log_and_use_artifacts(chain):
    """A run that is over can be given an output and an input; both know it, and so does the lineage."""
    api = runhaven.Api()
    made = api.run("p/a").log_artifact(draft("report", "r", "report"), aliases=["final"], tags=["t"])
    used = api.run("p/a").use_artifact(api.artifact("me/p/net:v0"), use_as="teacher")
    run = runhaven.Api().run("p/a")

    assert [one.name for one in run.logged_artifacts()] == ["raw:v0", "report:v0"]
    assert [one.name for one in run.used_artifacts()] == ["net:v0"]
    assert (made.aliases, made.tags) == (["latest", "final"], ["t"])
    assert made.logged_by() is not None
    assert "run-a" in {one.name for one in used.used_by()}
    assert ("net:v0", "run-a", "input") in edges(made.lineage("upstream"))
    assert run.state == "finished"
    with pytest.raises(UsageError, match="not logged"):
        run.use_artifact(draft("new", "x"))
