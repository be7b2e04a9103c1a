"""Artifacts as a script sees them: added to, logged, used, changed, deleted."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path

import pytest

import runhaven
from runhaven import Artifact
from runhaven.artifacts.chunking import LARGE
from runhaven.errors import NotFoundError, StoreError, UsageError


def draft(text: str = "x", name: str = "data", kind: str = "dataset") -> Artifact:
    made = Artifact(name, kind)
    with made.new_file("x.txt") as file:
        file.write(text)
    return made


def contents(folder: str | Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}


def test_what_is_logged_comes_back(run, folder, tmp_path):
    """A directory that is logged, then downloaded, is the same, byte for byte."""
    artifact = Artifact("data", "dataset", description="d", metadata={"n": [1, float("inf")]})
    artifact.add_dir(folder)
    run.log_artifact(artifact, aliases=["clean"], tags=["small"])
    found = runhaven.Api().artifact("me/p/data:clean")
    downloaded = found.download(tmp_path / "out")

    assert contents(downloaded) == contents(folder)
    assert found.metadata == {"n": [1, float("inf")]}
    assert (found.description, found.aliases, found.tags) == ("d", ["latest", "clean"], ["small"])
    assert (found.version, found.name, found.type, found.state) == ("v0", "data:v0", "dataset", "COMMITTED")
    assert found.size == sum(map(len, contents(folder).values()))
    found.verify(str(tmp_path / "out"))


def test_the_same_content_is_the_same_version(run):
    """Logging unchanged content makes no version but moves aliases; what changed is the next version."""
    first = run.log_artifact(draft("a"), aliases=["best"])
    second = run.log_artifact(draft("b"))
    again = run.log_artifact(draft("a"), aliases=["again"])

    assert [first.version, second.version, again.version] == ["v0", "v1", "v0"]
    assert again.aliases == ["latest", "again", "best"]
    assert run.use_artifact("data").version == "v0"
    assert run.use_artifact("data:v1").aliases == []


def test_an_alias_means_one_version(run):
    """Giving an alias to another version takes it from the first; aliases and tags can be edited and saved."""
    first = run.log_artifact(draft("a"), aliases=["best", "old"])
    second = run.log_artifact(draft("b"), aliases=["best"])
    second.tags.append("good")
    second.description = "better"
    second.metadata["score"] = 1
    second.ttl = timedelta(days=3)
    second.aliases = ["kept"]
    second.save()
    found = runhaven.Api().artifact("me/p/data:kept")

    assert runhaven.Api().artifact("me/p/data:v0").aliases == ["old"]
    assert found.tags == ["good"]
    assert (found.description, found.metadata, found.ttl) == ("better", {"score": 1}, timedelta(days=3))
    assert found.aliases == ["latest", "kept"]
    assert first.digest != second.digest


def test_files_are_kept_as_they_were_when_they_were_added(run, tmp_path):
    """A file that changes between adding and logging is kept as it was when it was added."""
    path = tmp_path / "model.bin"
    artifact = Artifact("m", "model")
    for text in ("one", "two"):
        path.write_text(text)
        artifact.add_file(path, name=f"{text}.bin")
    path.unlink()
    run.log_artifact(artifact)

    assert contents(artifact.download(tmp_path / "out")) == {"one.bin": b"one", "two.bin": b"two"}
    assert artifact.get_added_local_path_name(str(path)) == "one.bin"


def test_a_large_file_is_itself_alone(run, tmp_path, monkeypatch):
    """The same large file makes no new version; the bytes that its digest is made from, or the file kept whole, are others."""
    (tmp_path / "large").write_bytes(random.Random(1).randbytes(9 << 20))
    first = run.log_artifact(str(tmp_path / "large"), name="m", type="model")
    again = run.log_artifact(str(tmp_path / "large"), name="m", type="model")
    entry = first.get_entry("large")
    forged = Artifact("m", "model")
    with forged.new_file("large", "wb") as file:
        file.write(b"runhaven chunks 1\n")
        for sha256, size in entry.chunks:
            file.write(bytes.fromhex(sha256) + size.to_bytes(8, "little"))
    run.log_artifact(forged)
    monkeypatch.setattr("runhaven.artifacts.storing.can_cut", lambda: False)
    whole = run.log_artifact(str(tmp_path / "large"), name="m", type="model")

    assert (first.version, again.version) == ("v0", "v0")
    assert (forged.version, whole.version) == ("v1", "v2")
    assert forged.get_entry("large").digest == entry.digest
    assert [before.path for before, _ in forged.diff(first).changed] == ["large"]
    assert [before.path for before, _ in whole.diff(first).changed] == ["large"]


def test_a_logged_artifact_stays_as_it_is(run, tmp_path):
    """Files cannot be added to a version; a new draft of it can be changed, and is the next one."""
    artifact = run.log_artifact(draft())
    with pytest.raises(UsageError, match="new_draft"):
        artifact.add_file(__file__)
    changed = artifact.new_draft()
    changed.remove("x.txt")
    with changed.new_file("y.bin", "wb") as file:
        file.write(b"y")
    run.log_artifact(changed)

    assert (changed.version, list(changed.manifest.entries)) == ("v1", ["y.bin"])
    assert contents(artifact.download(tmp_path / "out")) == {"x.txt": b"x"}


def test_new_file_and_names_that_are_taken(run):
    """A name is taken once; overwriting is asked for; an exception adds nothing; a file is no folder."""
    artifact = draft()
    with pytest.raises(UsageError, match="mode='w'"), artifact.new_file("x.txt"):
        pass
    with pytest.raises(ZeroDivisionError), artifact.new_file("z"):
        _ = 1 / 0
    with pytest.raises(UsageError, match="a file and a folder"), artifact.new_file("x.txt/y"):
        pass
    with artifact.new_file("x.txt", "w") as file:
        file.write("new")

    assert list(artifact.manifest.entries) == ["x.txt"]
    assert artifact.manifest.entries["x.txt"].size == 3


def test_deleted_numbers_are_never_given_again(run):
    """A deleted version is gone, its number stays taken, and aliases protect a version."""
    run.log_artifact(draft("a"))
    second = run.log_artifact(draft("b"), aliases=["best"])
    with pytest.raises(UsageError, match="delete_aliases"):
        second.delete()
    second.delete(delete_aliases=True)
    third = run.log_artifact(draft("b"))

    assert second.state == "DELETED"
    assert third.version == "v2"
    assert third.aliases == ["latest"]
    with pytest.raises(NotFoundError, match="was deleted"):
        run.use_artifact("data:v1")
    with pytest.raises(NotFoundError, match="best"):
        run.use_artifact("data:best")


def test_lineage(run, folder):
    """Runs know what they logged and used, versions who logged and used them."""
    run.log_artifact(str(folder / "a.txt"), name="data", type="dataset")
    run.finish()
    with runhaven.init(entity="me", project="p") as other:
        used = other.use_artifact("data:latest", use_as="input")
        other.use_artifact("data:v0")
        model = other.log_artifact(draft(name="model", kind="model"))
    api = runhaven.Api()
    found = api.run(other.path)

    assert [one.id for one in used.used_by()] == [other.id]
    assert [one and one.id for one in (used.logged_by(), model.logged_by())] == [run.id, other.id]
    assert model.used_by() == []
    assert [one.name for one in found.used_artifacts()] == ["data:v0"]
    assert [one.name for one in found.logged_artifacts()] == ["model:v0"]
    assert [one.name for one in api.run(run.path).logged_artifacts()] == ["data:v0"]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("shelf", "me/p/shelf"),
        ("other/shelf", "me/other/shelf"),
        ("team/other/shelf", "team/other/shelf"),
        ("wandb-registry-model/shelf", "me/wandb-registry-model/shelf"),
    ],
)
def test_links(run, target, expected):
    """A version is linked by any of the paths that people write, and the link knows what it leads to."""
    artifact = run.log_artifact(draft())
    link = run.link_artifact(artifact, target, aliases=["candidate"])
    again = artifact.link(target)

    assert link.qualified_name == again.qualified_name == f"{expected}:v0"
    assert link.is_link
    assert link.source_qualified_name == "me/p/data:v0"
    assert link.source_artifact.digest == artifact.digest == link.digest
    assert set(link.aliases) == {"latest", "candidate"}
    assert [one.qualified_name for one in artifact.linked_artifacts] == [link.qualified_name]
    assert not link.collection.is_sequence()
    link.unlink()
    assert artifact.linked_artifacts == []
    assert artifact.state == "COMMITTED"


def test_a_stage_is_an_alias_too(run):
    """Linking into `production` makes that an alias of the version, and takes it from the one before."""
    first = run.log_artifact(draft("a"))
    run.link_artifact(artifact=first, target_path="p/production")
    second = run.log_artifact(draft("b"))
    run.link_artifact(artifact=second, target_path="p/production")

    assert run.use_artifact("data:production").version == "v1"
    assert run.use_artifact("production:latest").source_version == "v1"
    with pytest.raises(UsageError, match="Choose another name"):
        run.link_artifact(second, "data")


def test_the_api(run, folder):
    """The read API lists types, collections and versions, and says what is not there."""
    for text in ("a", "b"):
        run.log_artifact(draft(text), tags=[text])
    run.log_artifact(draft(name="model", kind="model"))
    api = runhaven.Api()
    collection = api.artifact_collection("dataset", "me/p/data")
    collection.description = "all of it"
    collection.tags = ["raw"]
    collection.save()
    found = api.artifact_collection("dataset", "me/p/data")

    assert [one.name for one in api.artifact_types("me/p")] == ["dataset", "model"]
    assert [one.name for one in api.artifact_collections("me/p", "dataset")] == ["data"]
    assert [one.name for one in api.artifacts("dataset", "me/p/data")] == ["data:v1", "data:v0"]
    assert [one.name for one in api.artifacts("dataset", "me/p/data", tags=["a"])] == ["data:v0"]
    assert (found.description, found.tags, found.aliases, found.is_sequence()) == (
        "all of it",
        ["raw"],
        ["latest"],
        True,
    )
    assert api.artifact_exists("me/p/data:v1")
    assert not api.artifact_exists("me/p/data:v7")
    assert not api.artifact_exists("me/p/data:v1", type="model")
    assert api.artifact_collection_exists("me/p/model", "model")
    with pytest.raises(NotFoundError, match="Did you mean me/p/data"):
        api.artifact("me/p/dat:latest")
    found.delete()
    assert not api.artifact_collection_exists("me/p/data", "dataset")
    assert [one.name for one in api.artifact_types("me/p")] == ["model"]


def test_models_and_code(run, folder, tmp_path, monkeypatch):
    """Models are artifacts of the type "model"; code is what people wrote."""
    monkeypatch.chdir(tmp_path)
    run.log_model(str(folder / "a.txt"), name="net", aliases=["best"])
    (tmp_path / "code" / ".git").mkdir(parents=True)
    (tmp_path / "code" / ".git" / "hidden.py").write_text("")
    (tmp_path / "code" / "train.py").write_text("pass")
    (tmp_path / "code" / "notes.txt").write_text("n")
    code = run.log_code(
        "code", include_fn=lambda path: path.endswith((".py", ".txt")), exclude_fn=lambda p, root: "notes" in p
    )
    linked = run.link_model(str(folder / "a.txt"), "registered", name="net")

    assert Path(run.use_model("net:best")).read_text() == "hello"
    assert list(code.manifest.entries) == ["train.py"]
    assert (code.type, code.name) == ("code", "source-p:v0")
    assert linked.qualified_name == "me/model-registry/registered:v0"
    with pytest.raises(UsageError, match="use_artifact"):
        run.use_model("source-p")


def test_several_processes_make_one_version(run, tmp_path):
    """Parts that are put in apart are logged as one version."""
    for rank in range(3):
        part = Artifact("data", "dataset")
        with part.new_file(f"{rank}.txt") as file:
            file.write(str(rank))
        run.upsert_artifact(part, distributed_id="d")
    whole = run.finish_artifact(Artifact("data", "dataset"), distributed_id="d")

    assert sorted(whole.manifest.entries) == ["0.txt", "1.txt", "2.txt"]
    assert whole.version == "v0"
    with pytest.raises(NotFoundError, match="upsert_artifact"):
        run.finish_artifact(Artifact("data", "dataset"), distributed_id="d")


def test_incremental_artifacts_add_to_the_newest_version(run):
    """An incremental artifact has what the newest version has, and its own files over that."""
    run.log_artifact(draft("a"))
    more = Artifact("data", "dataset", incremental=True)
    with more.new_file("y.txt") as file:
        file.write("y")
    run.log_artifact(more)

    assert sorted(more.manifest.entries) == ["x.txt", "y.txt"]
    assert more.version == "v1"


def test_ranges_are_read_where_they_lie(run, folder):
    """An entry opens as a seekable file over its chunks."""
    artifact = Artifact("data", "dataset")
    artifact.add_dir(folder)
    entry = artifact.get_entry("deep/deeper/large.bin")
    data = (folder / entry.path).read_bytes()
    with entry.open() as file:
        for place in (0, 5_000_000, len(data) - 10, 1):
            file.seek(place)
            assert file.read(1000) == data[place : place + 1000]
        assert file.seek(0, 2) == len(data) == entry.size
        assert file.read() == b""
    assert len(data) >= LARGE
    assert len(entry.chunks) > 4
    assert artifact.get_entry("empty").open().read() == b""


def test_a_disk_that_refuses_does_not_end_the_training(run, folder, store):
    """What the disk refuses is warned of; the artifact says that it was not kept; strict mode raises."""
    (store / "blobs").write_text("in the way")
    artifact = Artifact("data", "dataset")
    artifact.add_file(folder / "a.txt")
    run.log_artifact(artifact)

    assert artifact.state == "FAILED"
    with pytest.raises(StoreError, match="could not be"):
        artifact.wait()
    run.log({"a": 1})


def test_disabled_runs_keep_nothing(store, folder):
    """In a disabled run artifacts can be made and logged, and nothing is kept."""
    with runhaven.init(mode="disabled") as run:
        artifact = run.log_artifact(str(folder / "a.txt"), name="data", type="dataset")
        run.link_artifact(artifact, "shelf")

    assert artifact.is_draft()
    assert not (store / "artifacts").exists()


def test_misuse_says_what_to_do(run):
    """Names, types and aliases that cannot be are refused with a reason."""
    run.log_artifact(draft())
    for name, kind in [("a/b", "t"), ("", "t"), ("a:b", "t"), ("a" * 129, "t"), ("ok", "a/b")]:
        with pytest.raises(UsageError, match="cannot be used"):
            Artifact(name, kind)
    for alias in ("v3", "a/b", "a:b", ""):
        with pytest.raises(UsageError, match="alias"):
            run.log_artifact(draft("n"), aliases=[alias])
    with pytest.raises(UsageError, match="has the type"):
        run.log_artifact(draft("n", kind="model"))
    with pytest.raises(UsageError, match="not logged"):
        _ = draft().version
    with pytest.raises(UsageError, match="to_artifact"):
        draft().add(object(), "o")
    with pytest.raises(UsageError, match="no such file"):
        run.log_artifact("nowhere.bin")


def test_a_collection_is_renamed(run):
    """A renamed artifact keeps its versions, and its old names lead to it; nobody else can have one of them."""
    run.log_artifact(draft("a"), aliases=["best"])
    run.log_artifact(draft("x", "other"))
    for name in ("digits", "numbers"):
        collection = runhaven.Api().artifact_collection("dataset", "me/p/data")
        collection.name = name
        collection.save()
    second = run.log_artifact(draft("b"))
    api = runhaven.Api()

    assert second.name == "numbers:v1"
    assert api.artifact("me/p/data:best").name == api.artifact("me/p/digits:v0").name == "numbers:v0"
    assert [one.name for one in api.all_artifact_collections()] == ["numbers", "other"]
    assert [one.name for one in run.log_artifact(second).collection.artifacts()] == ["numbers:v1", "numbers:v0"]
    collection = api.artifact_collection("dataset", "me/p/numbers")
    collection.name = "other"
    with pytest.raises(UsageError, match="belongs to another"):
        collection.save()
    collection.name = "data"
    collection.save()
    assert runhaven.Api().artifact("me/p/numbers:best").name == "data:v0"
    with pytest.raises(UsageError, match="cannot be used"):
        collection.name = "a/b"
