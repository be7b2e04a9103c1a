"""The routes about artifacts say what the store holds, and hand out bytes of nothing else."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import zipfile
from datetime import timedelta
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

import runhaven
from runhaven.api import Api
from runhaven.artifacts.manifest import Entry
from runhaven_server.artifacts.finding import Found
from runhaven_server.artifacts.serving import attachment, find_range


def make(name, kind, files, **facts):
    artifact = runhaven.Artifact(name, kind, **facts)
    for path, data in files.items():
        with artifact.new_file(path, mode="wb") as file:
            file.write(data)
    return artifact


@pytest.fixture
def log(store):
    """Logs an artifact of a run of its own, and returns it."""

    def log(name="digits", kind="dataset", files=None, *, uses=(), aliases=(), run="maker", **facts):
        files = {"a.txt": b"a"} if files is None else files
        with runhaven.init(project="p", entity="me", name=run) as live:
            for used in uses:
                live.use_artifact(used)
            return live.log_artifact(make(name, kind, files, **facts), aliases=list(aliases))

    return log


ROOT = "/api/v1/projects/me/p/artifacts"


def ask(client, path, **request):
    answer = client.get(path, **request)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_project_lists_its_artifacts(client, log):
    """Each artifact comes with its type, versions, newest version, aliases, size and last change; gone ones do not."""
    log("digits", files={"a": b"1"}, aliases=["clean"])
    log("digits", files={"a": b"22", "b": b"3"}, description="Ten digits.")
    log("net", "model")
    log("gone").delete()
    digits, net = ask(client, ROOT)

    assert (digits["name"], digits["type"], digits["versions"], digits["latest"]) == ("digits", "dataset", 2, "v1")
    assert (digits["size"], digits["file_count"], digits["description"]) == (3, 2, "Ten digits.")
    assert digits["aliases"] == [{"name": "latest", "version": "v1"}, {"name": "clean", "version": "v0"}]
    assert digits["updated"] >= digits["created"]
    assert (net["name"], net["type"]) == ("net", "model")
    assert ask(client, "/api/v1/projects/me/other/artifacts") == []


def test_what_was_read_is_read_again_once_it_changed(client, log, store, monkeypatch):
    """A collection that rests is read once; a version, an alias and a deletion are seen by the next request."""
    artifact = log(files={"a": b"1"})
    monkeypatch.setattr("runhaven_server.artifacts.finding._SETTLED_NS", -(10**9))
    reads: list[object] = []
    read = Found.of.__func__  # pyright: ignore[reportFunctionMemberAccess]
    monkeypatch.setattr(Found, "of", classmethod(lambda cls, one: reads.append(one) or read(cls, one)))
    quiet = [ask(client, ROOT) for _ in range(3)]
    count = len(reads)
    log(files={"a": b"2"})
    second = ask(client, ROOT)[0]
    artifact.aliases.append("first")
    artifact.save()
    third = ask(client, ROOT)[0]
    artifact.delete(delete_aliases=True)
    last = ask(client, ROOT)[0]

    assert quiet[0] == quiet[1] == quiet[2]
    assert count == 1
    assert (second["versions"], second["latest"]) == (2, "v1")
    assert {"name": "first", "version": "v0"} in third["aliases"]
    assert (last["versions"], last["aliases"]) == (1, [{"name": "latest", "version": "v1"}])


def test_versions_stand_beside_each_other(client, log):
    """The newest comes first, each with aliases, size and run; a deleted one stays as a mark."""
    log(files={"a": b"1"})
    log(files={"a": b"2"}, aliases=["bad"]).delete(delete_aliases=True)
    log(files={"a": b"3"}, run="last")
    newest, deleted, oldest = ask(client, f"{ROOT}/digits")["all_versions"]

    assert (newest["version"], newest["aliases"], newest["run"]["name"]) == ("v2", ["latest"], "last")
    assert (deleted["version"], deleted["aliases"], deleted["deleted"] > 0) == ("v1", [], True)
    assert (oldest["version"], oldest["deleted"], oldest["run"]["state"]) == ("v0", None, "finished")


def test_a_version_says_all_that_is_known_of_it(client, log):
    """Facts, metadata, TTL, who logged and who used it, and where it is linked; an alias names it as well."""
    artifact = log("net", "model", metadata={"acc": 0.9, "bad": float("nan"), "deep": {"x": [1]}}, aliases=["best"])
    artifact.ttl = timedelta(days=2)
    artifact.tags = ["paper"]
    artifact.save()
    artifact.link("shelf")
    log("scores", "table", uses=["net:best"], run="judge")
    found = ask(client, f"{ROOT}/net/best")

    assert (found["version"], found["digest"], found["type"]) == ("v0", artifact.digest, "model")
    assert found["metadata"] == {"acc": 0.9, "bad": "NaN", "deep": {"x": [1]}}
    assert (found["ttl_s"], found["tags"], found["aliases"]) == (172800, ["paper"], ["latest", "best"])
    assert (found["run"]["name"], [run["name"] for run in found["used_by"]]) == ("maker", ["judge"])
    assert found["links"] == [{"entity": "me", "project": "p", "name": "shelf", "version": "v0"}]
    assert ask(client, f"{ROOT}/shelf/v0")["source"]["name"] == "net"


def test_a_run_that_is_gone_keeps_its_name(client, log):
    """What a version noted of its run is shown when the run was deleted, without a state."""
    artifact = log()
    run = artifact.logged_by()
    assert run is not None
    run.delete()
    found = ask(client, f"{ROOT}/digits/v0")["run"]

    assert (found["name"], found["state"]) == ("maker", "")


def test_files_are_listed_folder_by_folder(client, log):
    """A folder has its files, and its folders with what all below them takes; a search finds files wherever they lie."""
    log(files={"top.txt": b"1", "x/one.bin": b"22", "x/y/two.bin": b"333", "z/three.txt": b"4444"})
    top = ask(client, f"{ROOT}/digits/v0/files")
    below = ask(client, f"{ROOT}/digits/v0/files", params={"folder": "x"})
    found = ask(client, f"{ROOT}/digits/v0/files", params={"search": "T", "limit": 1, "offset": 1})

    assert top["folders"] == [{"path": "x", "files": 2, "size": 5}, {"path": "z", "files": 1, "size": 4}]
    assert [(file["number"], file["path"], file["size"]) for file in top["files"]] == [(0, "top.txt", 1)]
    assert ([row["path"] for row in below["folders"]], below["files"][0]["path"]) == (["x/y"], "x/one.bin")
    assert ([file["path"] for file in found["files"]], found["total"]) == (["x/y/two.bin"], 3)


@pytest.mark.parametrize("size", [1000, 9_000_000], ids=["one blob", "chunks"])
def test_bytes_come_whole_and_in_parts(client, log, size):
    """Any range of a file is the slice of its bytes, whether it is one blob or many chunks."""
    data = random.Random(size).randbytes(size)
    artifact = log(files={"weights.bin": data})
    assert bool(artifact.get_entry("weights.bin").chunks) == (size > 1 << 23)
    address = f"{ROOT}/digits/v0/files/0"
    whole = client.get(address)
    tag = whole.headers["etag"]
    parts = [(0, 0), (size - 1, size - 1), (size // 3, size // 2), (0, size * 2)]
    answers = [client.get(address, headers={"Range": f"bytes={first}-{last}"}) for first, last in parts]
    tail = client.get(address, headers={"Range": "bytes=-5"})
    stale = client.get(address, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    beyond = client.get(address, headers={"Range": f"bytes={size}-"})

    assert (whole.content, whole.headers["content-length"]) == (data, str(size))
    assert [answer.content for answer in answers] == [data[first : last + 1] for first, last in parts]
    assert {answer.status_code for answer in answers} == {206}
    assert (tail.content, tail.headers["content-range"]) == (data[-5:], f"bytes {size - 5}-{size - 1}/{size}")
    assert (stale.status_code, stale.content) == (200, data)
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{size}")
    assert client.get(address, headers={"If-None-Match": tag}).status_code == 304


@given(st.integers(0, 30), st.none() | st.integers(0, 40), st.none() | st.integers(0, 40))
def test_a_range_is_the_slice_that_it_names(size, first, last):
    """For any size and ends, what is found are the bytes that the RFC's words mean."""
    data = bytes(range(size))
    found = find_range(f"bytes={'' if first is None else first}-{'' if last is None else last}", size)

    if first is None and last is None:
        assert found is None
    elif first is None:
        assert found is not None
        assert data[found.start : found.stop] == (data[-last:] if last else b"")
    elif last is not None and last < first:
        assert found is None
    else:
        assert found is not None
        assert data[found.start : found.stop] == data[first : None if last is None else last + 1]


@pytest.mark.parametrize(
    "header", ["", "bytes", "bytes=", "bytes=a-b", "bytes=0-1,3-4", "items=0-1", "bytes=" + "9" * 30]
)
def test_what_is_no_single_range_is_passed_over(header):
    """The answer to such a header is the whole file."""
    assert find_range(header, 10) is None


def test_bytes_of_users_are_harmless(client, log):
    """A picture is shown, a page has a sandbox without network, anything else is saved; nothing is sniffed."""
    log(files={"a.png": b"x", "b.html": b"<script>1</script>", "c.svg": b"<svg/>", "d.js": b"alert(1)", "e": b"MZ"})
    png, page, svg, script, other = (client.get(f"{ROOT}/digits/v0/files/{number}") for number in range(5))

    for answer in (png, page, svg, script, other):
        assert answer.headers["content-security-policy"].startswith("sandbox")
        assert "allow-same-origin" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert [one.headers["content-type"] for one in (png, svg)] == ["image/png", "image/svg+xml"]
    assert "content-disposition" not in page.headers
    assert script.headers["content-disposition"].startswith('attachment; filename="d.js"')
    assert other.headers["content-type"] == "application/octet-stream"


def test_a_version_comes_as_one_zip(client, log, tmp_path):
    """The archive holds each file at its path, large and empty ones too; what lies elsewhere is not in it."""
    files = {"a.txt": b"a", "deep/er/b.bin": random.Random(1).randbytes(9_000_000), "empty": b""}
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text("not ours")
    with runhaven.init(project="p", entity="me") as run:
        artifact = make("digits", "dataset", files)
        artifact.add_reference(elsewhere.as_uri(), name="ref.txt")
        run.log_artifact(artifact)
    answer = client.get(f"{ROOT}/digits/latest/zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        fault = archive.testzip()
        found = {name: archive.read(name) for name in archive.namelist()}

    assert fault is None
    assert found == files
    assert answer.headers["content-disposition"].startswith('attachment; filename="digits-v0.zip"')
    assert ask(client, f"{ROOT}/digits/v0")["references"] == 1
    refused = client.get(f"{ROOT}/digits/v0/files/3")
    assert (refused.status_code, "lies at file://" in refused.json()["detail"]) == (404, True)


HOSTILE = [
    "a b/c#d?e&f=%2e%2e%2f.txt",
    "\"quoted\" 'name'.txt",
    "<script>alert(1)</script>",
    "ünïcödé/文件.txt",
    os.fsdecode(b"not-utf8-\xff\xfe.txt"),
    os.fsdecode(b"not-utf8-\xff\xfd.txt"),
    "\u202egnp.exe",
    "x" * 255,
    "...",
    "-rf",
]


def test_hostile_names_are_shown_and_served(client, log):
    """Whatever a file is called, its bytes come by its number, its header is sound, and the archive has it once."""
    log(files={name: name.encode("utf-8", "surrogateescape") for name in HOSTILE})
    listed = ask(client, f"{ROOT}/digits/v0/files", params={"search": ""})
    names = sorted(HOSTILE)
    answers = [client.get(f"{ROOT}/digits/v0/files/{number}?download=true") for number in range(len(names))]
    with zipfile.ZipFile(io.BytesIO(client.get(f"{ROOT}/digits/v0/zip").content)) as archive:
        packed = archive.namelist()

    assert len(listed["files"]) + sum(folder["files"] for folder in listed["folders"]) == len(names)
    assert [one.content for one in answers] == [name.encode("utf-8", "surrogateescape") for name in names]
    assert len(set(packed)) == len(names)
    assert {"not-utf8-%FF%FE.txt", "not-utf8-%FF%FD.txt"} <= set(packed)
    for answer in answers:
        header = answer.headers["content-disposition"]
        assert header.startswith('attachment; filename="')
        assert header.isascii()


@given(st.text(st.characters(), max_size=40))
def test_a_header_holds_any_name(name):
    """No name breaks out of the quotes or the line of the header."""
    header = attachment(name)

    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2


@pytest.mark.parametrize("path", ["../outside", "/etc/passwd", "a/../../b", "C:/x", "nul", "a\\b"])
def test_a_forged_manifest_is_refused(client, store, log, monkeypatch, path):
    """A version whose manifest names a path that leads away is an error with a sentence, and gives no byte."""
    artifact = log(files={"a": b"secret"})
    with monkeypatch.context() as patch:
        patch.setattr("runhaven.artifacts.contents.check_path", str)
        forged = make("forged", "dataset", {"a": b"secret"})
        (entry,) = forged.manifest.entries.values()
        forged.manifest.entries = {path: Entry(path=path, digest=entry.digest, size=entry.size)}
        forged._at = artifact._home()
        forged.commit()
    for what in ("", "/files", "/files/0", "/zip", "/difference?to=v0"):
        answer = client.get(f"{ROOT}/forged/v0{what}")
        assert answer.status_code == 500
        assert "cannot be" in answer.json()["detail"]
        assert b"secret" not in answer.content


def test_lost_bytes_are_an_error_with_a_sentence(client, store, log):
    """Without the blob there is neither a file nor half an archive."""
    artifact = log()
    sha256 = artifact.get_entry("a.txt").digest
    (store / "blobs" / sha256[:2] / sha256).unlink()
    for what in ("files/0", "zip"):
        answer = client.get(f"{ROOT}/digits/v0/{what}")
        assert answer.status_code == 500
        assert "missing from the store" in answer.json()["detail"]


def test_two_versions_are_compared(client, log):
    """Added, removed and changed files, the number of those that stayed, and metadata that differs."""
    log(files={"same": b"1", "other": b"22", "old": b"3"}, metadata={"n": 1, "kept": "x"})
    log(files={"same": b"1", "other": b"4444", "new": b"5"}, metadata={"n": 2, "kept": "x", "more": {"a": True}})
    found = ask(client, f"{ROOT}/digits/v1/difference", params={"to": "v0"})
    back = ask(client, f"{ROOT}/digits/v0/difference", params={"to": "latest"})

    assert (found["before"], found["after"], found["unchanged"], found["new_bytes"]) == ("v0", "v1", 1, 5)
    assert [file["path"] for file in found["added"]] == ["new"]
    assert [file["path"] for file in found["removed"]] == ["old"]
    (changed,) = found["changed"]
    assert (changed["path"], changed["size_before"], changed["size"]) == ("other", 2, 4)
    assert found["metadata"] == {"more.a": [None, True], "n": [1, 2]}
    assert [file["path"] for file in back["added"]] == ["old"]


def test_a_run_shows_what_it_used_and_logged(client, log):
    """Inputs and outputs of a run, each with version and aliases."""
    log()
    artifact = log("net", "model", uses=["digits:latest"], aliases=["best"], run="trainer")
    run = artifact.logged_by()
    assert run is not None
    found = ask(client, f"/api/v1/runs/{run.ulid}/artifacts")

    assert [(one["name"], one["version"]) for one in found["inputs"]] == [("digits", "v0")]
    assert [(one["name"], one["aliases"], one["type"]) for one in found["outputs"]] == [
        ("net", ["latest", "best"], "model")
    ]


def test_lineage_says_what_a_drawing_shows(client, log, tmp_path):
    """Nodes come with aliases, size and time; references that changed are found if that is asked for; siblings too."""
    elsewhere = tmp_path / "raw.txt"
    elsewhere.write_text("raw")
    with runhaven.init(project="p", entity="me", name="collector") as run:
        raw = runhaven.Artifact("raw", "dataset")
        raw.add_reference(elsewhere.as_uri())
        run.log_artifact(raw)
    log("digits", files={"a": b"123"}, uses=["raw:v0"], aliases=["clean"])
    log("net", "model", uses=["digits:v0"], run="trainer")
    log("other", "model", uses=["digits:v0"], run="sibling")
    elsewhere.write_text("changed")
    address = f"{ROOT}/net/v0/lineage"
    found, checked, whole = (
        ask(client, address, params=params) for params in ({}, {"check": "local"}, {"direction": "connected"})
    )
    nodes = {node["name"]: node for node in checked["nodes"]}

    assert {node["name"] for node in found["nodes"]} == {
        "collector",
        "raw:v0",
        "maker",
        "digits:v0",
        "trainer",
        "net:v0",
    }
    assert {node["name"] for node in whole["nodes"]} == {*nodes, "sibling", "other:v0"}
    assert all(not node["changes"] for node in found["nodes"])
    assert nodes["raw:v0"]["changes"][0]["path"] == "raw.txt"
    assert (nodes["digits:v0"]["size"], nodes["digits:v0"]["aliases"]) == (3, ["latest", "clean"])
    assert nodes["digits:v0"]["place"] == {"entity": "me", "project": "p", "name": "digits", "version": "v0"}
    assert (nodes["trainer"]["state"], nodes["trainer"]["runtime_s"] >= 0) == ("finished", True)
    assert {(edge["source"], edge["kind"]) for edge in found["edges"] if edge["target"] == found["root"]} == {
        (nodes["trainer"]["id"], "output")
    }
    assert client.get(address, params={"direction": "sideways"}).status_code == 422


def parquet(rows):
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), buffer)
    return buffer.getvalue()


ROWS = [{"name": f"n{index}", "score": index} for index in range(7)]
TABLES = {
    "t.csv": b"name,score\n" + b"".join(f"n{index},{index}\n".encode() for index in range(7)),
    "t.tsv": b"name\tscore\n" + b"".join(f"n{index}\t{index}\n".encode() for index in range(7)),
    "t.jsonl": b"".join(json.dumps(row).encode() + b"\n" for row in ROWS),
    "t.parquet": parquet(ROWS),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_show_their_first_rows(client, log, name):
    """CSV, TSV, JSON Lines and Parquet give columns and rows."""
    log(files={name: TABLES[name]})
    address = f"{ROOT}/digits/v0/files/0/table"
    some, all_of_them = ask(client, address, params={"limit": 3}), ask(client, address)

    assert some["columns"] == ["name", "score"]
    assert [[row[0], int(row[1])] for row in some["rows"]] == [["n0", 0], ["n1", 1], ["n2", 2]]
    assert len(all_of_them["rows"]) == 7
    assert all_of_them["total"] in {7, None}
    assert some["total"] in {7, None}


@pytest.mark.parametrize("name", [*(name for name in TABLES if name.endswith(("jsonl", "parquet"))), "t.bin"])
def test_what_is_no_table_is_explained(client, log, name):
    """A file that cannot be read as what its name says is a 422 with a sentence."""
    log(files={name: b"\x00\x01 no table\n"})
    answer = client.get(f"{ROOT}/digits/v0/files/0/table")

    assert answer.status_code == 422
    assert repr(name) in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "nothing/v0",
        "digits/v7",
        "digits/unknown",
        "digits/v0/files/9",
        "digits/v0/files/-1",
        "digits/v0/difference?to=v9",
    ],
)
def test_what_is_not_there_is_a_404_with_a_sentence(client, log, path):
    """Unknown artifacts, versions and files are said to be so."""
    log()
    answer = client.get(f"{ROOT}/{path}")

    assert answer.status_code == 404
    assert answer.json()["detail"].startswith(("there is no", "no version", "me/p/digits:v0 has no"))


def test_nobody_sees_artifacts_without_signing_in(client, log):
    """Each route about artifacts is behind the guard."""
    run = log().logged_by()
    assert run is not None
    paths = [path for path in client.app._app.openapi()["paths"] if "artifacts" in path]
    assert len(paths) >= 10
    for path in paths:
        names = {"entity": "me", "project": "p", "name": "digits", "version": "v0", "number": "0", "ulid": run.ulid}
        names["sha256"] = "0" * 64
        address = path.format(**{key: quote(value) for key, value in names.items()})
        assert client.stranger().get(address).status_code == 401
        assert client.get(address, headers={"Host": "evil.example"}).status_code == 403


def test_the_store_reads_the_same(client, log):
    """What the server lists is what `Api` lists."""
    log()
    log("net", "model")

    assert {row["name"] for row in ask(client, ROOT)} == {one.name for one in Api().all_artifact_collections()}


def chunked(artifact):
    """The version's files in chunks, by the end of their names."""
    return {
        path.rpartition("/")[2].partition(".")[2]: entry
        for path, entry in artifact.manifest.entries.items()
        if entry.chunks
    }


def test_media_in_chunks_are_served_by_their_hash(client, store):
    """A cloud of points and the rows of a table that are too large for one blob are read within their version, ranges too."""
    points = np.random.default_rng(0).random((450_000, 3)).round(4)
    rows = [[number, "x" * 100] for number in range(90_000)]
    artifact = runhaven.Artifact("large", type="dataset")
    artifact.add(runhaven.Object3D(points), "cloud")
    artifact.add(runhaven.Table(["n", "text"], rows), "rows")
    with runhaven.init(project="p", entity="me") as run:
        logged = run.log_artifact(artifact)
    found = chunked(logged)
    cloud, table = found["pts.json"], found["table.json"]
    reference = json.loads(logged.get_entry("cloud.object3D-file.json").open().read())
    address = f"{ROOT}/large/v0/blobs/{reference['sha256']}"
    whole, part = client.get(address), client.get(address, headers={"Range": "bytes=9000000-9000099"})
    within = {"entity": "me", "project": "p", "name": "large", "version": "v0"}
    query = {"tables": [[table.digest]], "start": 89_999, "count": 5}
    outside = client.post("/api/v1/tables", **query)
    page = client.post("/api/v1/tables", **query, within=within)

    assert hashlib.sha256(whole.content).hexdigest() == reference["sha256"] != cloud.digest
    assert client.get(f"{ROOT}/large/v0/blobs/{cloud.digest}").content == whole.content
    assert json.loads(whole.content) == points.tolist()
    assert (whole.headers["content-type"], whole.headers["x-content-type-options"]) == ("application/json", "nosniff")
    assert (part.status_code, part.content) == (206, whole.content[9_000_000:9_000_100])
    assert (page.json()["total"], page.json()["rows"]) == (90_000, [[89_999, 89_999, "x" * 100]])
    assert client.get(f"/api/v1/blobs/{cloud.digest}").status_code == 404
    assert outside.status_code == 404
    assert client.get(f"{ROOT}/large/v0/blobs/{'0' * 64}").status_code == 404
