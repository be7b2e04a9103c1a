from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from runhaven.store.blobs import Blobs


def test_bytes_are_kept_once_under_their_hash(tmp_path):
    """The same bytes, given as bytes or as a file, are one blob, whoever adds them."""
    blobs, data = Blobs(tmp_path), os.urandom(100_000)
    file = tmp_path / "file"
    file.write_bytes(data)
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda turn: blobs.put(data) if turn % 2 else blobs.put_file(file), range(32)))
    (blob,) = found

    assert blob == (hashlib.sha256(data).hexdigest(), len(data))
    assert blobs.has(blob.sha256)
    assert blobs.path(blob.sha256).read_bytes() == data
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == [blobs.path(blob.sha256)]


def test_a_blob_that_was_cut_short_is_written_again(tmp_path):
    """A blob of another size than its bytes is replaced by them."""
    blobs = Blobs(tmp_path)
    blob = blobs.put(b"whole")
    blobs.path(blob.sha256).write_bytes(b"who")

    assert blobs.put(b"whole") == blob
    assert blobs.path(blob.sha256).read_bytes() == b"whole"


def test_a_wanted_blob_looks_new(tmp_path):
    """Adding what is there makes it young, so that nobody collects it meanwhile."""
    blobs = Blobs(tmp_path)
    path = blobs.path(blobs.put(b"x").sha256)
    os.utime(path, (0, 0))
    blobs.put(b"x")

    assert path.stat().st_mtime > 1e9


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "A" * 64, "0" * 63])
def test_only_hashes_name_blobs(tmp_path, name):
    """No other word leads to a path."""
    with pytest.raises(ValueError, match="SHA-256"):
        Blobs(tmp_path).path(name)
