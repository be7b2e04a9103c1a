"""References: files that stay where they are, and objects that choose their files."""

from __future__ import annotations

import http.server
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


@pytest.fixture
def server() -> Generator[str]:
    Handler.etag = "one"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        thread = threading.Thread(target=made.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}/data/file.bin"
        made.shutdown()
        thread.join()


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
