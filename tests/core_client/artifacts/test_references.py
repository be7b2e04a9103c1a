"""References: files that stay where they are, and objects that choose their files."""

from __future__ import annotations

import contextlib
import http.server
import random
import threading
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pytest

import runhaven
from runhaven import Artifact
from runhaven.errors import NotFoundError, UsageError

if TYPE_CHECKING:
    from collections.abc import Generator


class Handler(http.server.BaseHTTPRequestHandler):
    etag: ClassVar[str] = "one"

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("ETag", f'"{self.etag}"')
        self.send_header("Content-Length", "5")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving(handler: type[Handler]) -> Generator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}/data/file.bin"
        made.shutdown()
        thread.join()


@pytest.fixture
def server() -> Generator[str]:
    Handler.etag = "one"
    with serving(Handler) as address:
        yield address


def test_local_files_are_referred_to_by_their_content(run, folder, store, tmp_path):
    """A file:// reference stores no bytes, knows its content, and says when that has changed."""
    artifact = Artifact("data", "dataset")
    entries = artifact.add_reference(folder.as_uri(), name="in")
    run.log_artifact(artifact)
    found = runhaven.Api().artifact("me/p/data:v0")
    found.download(tmp_path / "out")
    small = found.get_entry("in/a.txt")

    assert sorted(entry.path for entry in entries) == [
        "in/a.txt",
        "in/deep/b.bin",
        "in/deep/deeper/large.bin",
        "in/empty",
    ]
    assert small.ref_target() == (folder / "a.txt").as_uri()
    with small.open() as file:
        assert file.read() == b"hello"
    assert (tmp_path / "out" / "in" / "deep" / "b.bin").read_bytes() == (folder / "deep" / "b.bin").read_bytes()
    assert sum(path.stat().st_size for path in (store / "blobs").rglob("*") if path.is_file()) < 10_000
    (folder / "a.txt").write_text("HELLO")
    (folder / "empty").unlink()
    with pytest.raises(NotFoundError, match="allow_missing_references"):
        found.download(tmp_path / "again")
    found.download(tmp_path / "again", allow_missing_references=True)
    assert not (tmp_path / "again" / "in" / "a.txt").exists()
    assert (tmp_path / "again" / "in" / "deep" / "b.bin").exists()


def test_remote_files_are_referred_to_by_what_their_host_says(run, server, tmp_path):
    """An http:// reference holds etag and size, is fetched on download, and notices that it has changed."""
    artifact = Artifact("data", "dataset")
    (entry,) = artifact.add_reference(server)
    run.log_artifact(artifact)
    artifact.download(tmp_path / "out")

    assert (entry.path, entry.digest, entry.size) == ("file.bin", "one", 5)
    assert (tmp_path / "out" / "file.bin").read_bytes() == b"hello"
    Handler.etag = "two"
    with pytest.raises(NotFoundError, match="etag"):
        artifact.download(tmp_path / "again")
    with pytest.raises(UsageError, match="download"):
        artifact.get_entry("file.bin").open()


class Breaking(Handler):
    """Serves a large file, whose connections it closes after some bytes, as often as it is told to."""

    content: ClassVar[bytes] = random.Random(1).randbytes(3_000_000)
    breaks: ClassVar[int] = 0
    after: ClassVar[int] = 1_000_000
    answers: ClassVar[str] = "ranges"
    asked: ClassVar[list[tuple[str | None, str | None]]] = []

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("ETag", f'"{self.etag}"')
        self.send_header("Content-Length", str(len(self.content)))
        self.end_headers()

    def do_GET(self) -> None:
        wanted, only_if = self.headers["Range"], self.headers["If-Range"]
        Breaking.asked.append((wanted, only_if))
        start = int(wanted.split("=")[1].rstrip("-")) if wanted and self.answers != "whole" else 0
        if start >= len(self.content):
            self.send_error(416)
            return
        if wanted is None or self.answers == "whole" or only_if != f'"{self.etag}"':
            start = 0
            self.do_HEAD()
        else:
            start = 0 if self.answers == "elsewhere" else start
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
            self.send_header("Content-Length", str(len(self.content) - start))
            self.end_headers()
        rest = self.content[start:]
        Breaking.breaks -= 1
        self.wfile.write(rest[: self.after] if self.breaks >= 0 else rest)


@pytest.fixture
def breaking(monkeypatch) -> Generator[str]:
    monkeypatch.setattr("runhaven.artifacts.remote._PAUSE_S", 0)
    Breaking.etag, Breaking.asked, Breaking.answers = "one", [], "ranges"
    with serving(Breaking) as address:
        yield address


@pytest.fixture
def referred(run, breaking) -> Artifact:
    artifact = Artifact("data", "dataset")
    artifact.add_reference(breaking)
    run.log_artifact(artifact)
    return artifact


def test_a_download_that_breaks_goes_on(referred, tmp_path):
    """When the host closes the connection, it is asked for the rest alone, if that is still of the same file."""
    Breaking.breaks = 2
    referred.download(tmp_path / "out")

    assert (tmp_path / "out" / "file.bin").read_bytes() == Breaking.content
    assert Breaking.asked == [(None, None), ("bytes=1000000-", '"one"'), ("bytes=2000000-", '"one"')]


@pytest.mark.parametrize("meanwhile", ["nothing", "whole", "elsewhere", "changed", "too long", "all there"])
def test_the_next_download_goes_on(referred, tmp_path, meanwhile):
    """What a host that breaks off again and again sent is kept, and the next download goes on with it, unless it is not the file any more."""
    Breaking.breaks, Breaking.after = 5, 100_000
    with pytest.raises(NotFoundError, match="broke off 5 times"):
        referred.download(tmp_path / "out")
    (part,) = (tmp_path / "out").iterdir()
    came = part.stat().st_size
    Breaking.breaks, Breaking.asked = 0, []
    if meanwhile in {"whole", "elsewhere"}:
        Breaking.answers = meanwhile
    elif meanwhile == "changed":
        Breaking.etag = "two"
        with pytest.raises(NotFoundError, match="its etag is 'two' now"):
            referred.download(tmp_path / "out")
        assert not list((tmp_path / "out").iterdir())
        return
    elif meanwhile in {"too long", "all there"}:
        part.write_bytes(Breaking.content + b"x" * (meanwhile == "too long"))
    referred.download(tmp_path / "out")

    assert came == 500_000
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["file.bin"]
    assert (tmp_path / "out" / "file.bin").read_bytes() == Breaking.content
    assert Breaking.asked == {
        "too long": [(None, None)],
        "all there": [],
        "elsewhere": [("bytes=500000-", '"one"'), (None, None)],
    }.get(meanwhile, [("bytes=500000-", '"one"')])


def test_a_download_whose_length_nobody_knew_begins_anew(run, breaking, tmp_path):
    """Where the size is not known and nothing is left to ask for, the file is brought from the beginning."""
    artifact = Artifact("data", "dataset")
    artifact.add_reference(breaking, etag="one")
    run.log_artifact(artifact)
    Breaking.breaks, Breaking.after = 5, 100_000
    with pytest.raises(NotFoundError, match="broke off"):
        artifact.download(tmp_path / "out")
    next((tmp_path / "out").iterdir()).write_bytes(Breaking.content)
    artifact.download(tmp_path / "out")

    assert (tmp_path / "out" / "file.bin").read_bytes() == Breaking.content
    assert Breaking.asked[-2:] == [("bytes=3000000-", '"one"'), (None, None)]


def test_nobody_is_asked_without_checksum():
    """Without `checksum`, or with what is known given, a remote reference needs neither network nor package."""
    artifact = Artifact("data", "dataset")
    artifact.add_reference("s3://bucket/key/one.bin", checksum=False)
    artifact.add_reference("gs://bucket/key/two.bin", etag="abc", size=7)
    one, two = artifact.get_entry("one.bin"), artifact.get_path("two.bin")

    assert (one.digest, one.size) == ("s3://bucket/key/one.bin", None)
    assert (two.digest, two.size) == ("abc", 7)
    assert artifact.size == 7


def test_what_cannot_be_referred_to_says_why(tmp_path):
    """An unknown scheme, a missing file, too many files, a host that is not there: each says what to do."""
    artifact = Artifact("data", "dataset")
    for number in range(3):
        (tmp_path / str(number)).write_text("x")
    with pytest.raises(UsageError, match="scheme"):
        artifact.add_reference("ftp://host/file")
    with pytest.raises(UsageError, match="no file"):
        artifact.add_reference((tmp_path / "nothing").as_uri())
    with pytest.raises(UsageError, match="max_objects=2"):
        artifact.add_reference(tmp_path.as_uri(), max_objects=2)
    with pytest.raises(NotFoundError, match="checksum=False"):
        artifact.add_reference("http://127.0.0.1:9/file")


def test_an_entry_of_another_artifact_can_be_added(run, folder, tmp_path):
    """An entry of one artifact counts as another's too, without its bytes being stored again."""
    first = Artifact("data", "dataset")
    first.add_dir(folder)
    run.log_artifact(first)
    second = Artifact("subset", "dataset")
    second.add_reference(first.get_entry("deep/deeper/large.bin"), name="large.bin")
    run.log_artifact(second)

    out = Path(second.download(tmp_path / "out"))
    assert (out / "large.bin").read_bytes() == (folder / "deep" / "deeper" / "large.bin").read_bytes()


class Picture:
    """An object that keeps itself in two files."""

    def to_artifact(self, name: str) -> dict[str, bytes]:
        return {f"{name}.picture.json": b'{"width": 3}', f"media/{name}.png": b"pixels"}


def test_objects_choose_their_files(run, tmp_path):
    """Any object with `to_artifact` can be added; the first of its files stands for it."""
    artifact = Artifact("data", "dataset")
    entry = artifact.add(Picture(), "cat")
    artifact["dog"] = Picture()
    run.log_artifact(artifact)

    assert entry.path == "cat.picture.json"
    assert sorted(artifact.manifest.entries) == [
        "cat.picture.json", "dog.picture.json", "media/cat.png", "media/dog.png"
    ]  # fmt: skip
    assert artifact.get("nothing") is None
    assert (Path(artifact.download(tmp_path / "out")) / "media" / "cat.png").read_bytes() == b"pixels"
