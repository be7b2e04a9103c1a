"""Chunks: together they are the file, and a change touches few of them."""

from __future__ import annotations

import hashlib
import itertools
import random
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhaven.artifacts import chunking as chunking_module
from runhaven.artifacts import storing as storing_module
from runhaven.artifacts.chunking import GREATEST, LARGE, SMALLEST, Cutter
from runhaven.artifacts.storing import Content, Storing
from runhaven.store import blobs as blobs_module
from runhaven.store.blobs import Blob, Blobs

SIZES = [1197658, 1030097, 2259670, 1733911, 1249336, 1226445, 417179, 1052484, 318980]
DIGEST = "43ec20bdf01599c8c16361677b97135b5b518b0f8d33f6e4f9478e33dc48efb5"


def cut(data: bytes, window: int) -> list[bytes]:
    """Cut as a stream that comes in windows."""
    cutter, found, at = Cutter(), [], 0
    while True:
        is_last = at + window >= len(data)
        chunks = [bytes(one) for one in cutter.cut(memoryview(data)[at : at + window], is_last=is_last)]
        found += chunks
        at += sum(map(len, chunks))
        if is_last:
            return found


def make(seed: int, size: int, *, alphabet: int = 256) -> bytes:
    chance = random.Random(seed)
    return (
        chance.randbytes(size) if alphabet == 256 else bytes(chance.choices(range(alphabet), k=1000)) * (size // 1000)
    )


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    size=st.integers(0, 3 * LARGE),
    alphabet=st.sampled_from([1, 2, 256]),
    window=st.integers(GREATEST + 1, 3 * GREATEST),
)
def test_chunks_are_the_file(seed, size, alphabet, window):
    """Whatever the file and the windows it comes in, the chunks are the file, none too long, none but the last too short."""
    data = make(seed, size, alphabet=alphabet)
    chunks = cut(data, window)

    assert b"".join(chunks) == data
    assert chunks == cut(data, 2 * window)
    assert all(SMALLEST <= len(chunk) <= GREATEST for chunk in chunks[:-1])


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 2**32), place=st.floats(0, 1), inserted=st.binary(max_size=1000), removed=st.integers(0, 1000)
)
def test_a_change_touches_few_chunks(seed, place, inserted, removed):
    """Inserting and removing bytes anywhere leaves all but a few chunks as they were."""
    data = make(seed, 2 * LARGE)
    at = int(place * len(data))
    before = set(cut(data, 2 * GREATEST))
    after = set(cut(data[:at] + inserted + data[at + removed :], 2 * GREATEST))

    assert len(after - before) <= 4
    assert sum(map(len, after - before)) <= 3 * GREATEST


def store(blobs: Blobs, path: Path, size: int | None = None) -> Content:
    """Put a file into the store; `size` is how large it was a moment ago."""
    (content,) = Storing(blobs).put_all([(path, path.stat().st_size if size is None else size)])
    return content


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 2**32), size=st.integers(LARGE, 5 * LARGE), edge=st.integers(-1, 1))
def test_a_stored_file_is_the_file(tmp_path_factory, seed, size, edge):
    """What the threads put into the store is the file, also where its size is that of their windows."""
    folder = tmp_path_factory.mktemp("store")
    size = size if seed % 2 else 3 * chunking_module._STEP + edge
    data = make(seed, size)
    (folder / "file").write_bytes(data)
    blobs = Blobs(folder)
    content = store(blobs, folder / "file")

    assert b"".join(blobs.path(chunk.sha256).read_bytes() for chunk in content.chunks) == data
    assert content.size == size
    assert [chunk.size for chunk in content.chunks] == [len(chunk) for chunk in cut(data, 2 * GREATEST)]


def test_borders_and_digest_stay(tmp_path):
    """The example of docs/formats.md: should another cutter, or another version of it, move a border, this says so."""
    data = b"".join(hashlib.sha256(number.to_bytes(8, "little")).digest() for number in range(327_680))
    (tmp_path / "file").write_bytes(data)
    content = store(Blobs(tmp_path), tmp_path / "file")
    listed = b"runhaven chunks 1\n" + b"".join(
        bytes.fromhex(sha256) + struct.pack("<Q", size) for sha256, size in content.chunks
    )
    text = (Path(__file__).parents[3] / "docs" / "formats.md").read_text("utf-8")

    assert [chunk.size for chunk in content.chunks] == SIZES
    assert content.digest == DIGEST == hashlib.sha256(listed).hexdigest()
    assert DIGEST in text
    assert ", ".join(map(str, SIZES)) in text


def test_without_a_cutter_files_are_whole(tmp_path, monkeypatch):
    """Where the package that finds borders is missing, a large file is one blob under the SHA-256 of its bytes."""
    data = make(1, LARGE + 1)
    (tmp_path / "file").write_bytes(data)
    monkeypatch.setattr(storing_module, "can_cut", lambda: False)
    whole = store(Blobs(tmp_path), tmp_path / "file")

    assert (whole.digest, whole.size, whole.chunks) == (hashlib.sha256(data).hexdigest(), len(data), ())
    assert Blobs(tmp_path).path(whole.digest).read_bytes() == data


@pytest.mark.parametrize("size", [0, 1, SMALLEST, LARGE - 1, LARGE + 1])
def test_a_file_whose_size_changed_meanwhile_is_what_was_read(tmp_path, size):
    """A file that shrank or grew since it was looked at is kept as it is now."""
    data = make(2, size)
    (tmp_path / "file").write_bytes(data)
    blobs = Blobs(tmp_path)
    for said in (0, size // 2, LARGE, 2 * LARGE):
        content = store(blobs, tmp_path / "file", said)
        kept = content.chunks or [Blob(content.digest, content.size)]

        assert content.size == size
        assert len(content.chunks) != 1
        assert b"".join(blobs.path(blob.sha256).read_bytes() for blob in kept) == data


def test_many_large_files_at_once(tmp_path):
    """Large and small files mixed, more of them than there are buffers: each is kept as itself, in the order they were given."""
    contents = [make(number, [LARGE, 1000, LARGE + 12345][number % 3]) for number in range(9)]
    files = [tmp_path / str(number) for number in range(9)]
    for path, data in zip(files, contents, strict=True):
        path.write_bytes(data)
    found = Storing(Blobs(tmp_path)).put_all([(path, path.stat().st_size) for path in files])
    alone = [store(Blobs(tmp_path), path) for path in files]

    assert found == alone
    assert [content.size for content in found] == list(map(len, contents))


def test_a_file_that_cannot_be_read_or_kept_ends_it(tmp_path, monkeypatch):
    """When a file is gone, or the store cannot be written, the error comes out and no thread waits for ever."""
    (tmp_path / "file").write_bytes(make(1, 5 * LARGE))
    with pytest.raises(FileNotFoundError):
        Storing(Blobs(tmp_path)).put_all([(tmp_path / "file", 5 * LARGE), (tmp_path / "gone", LARGE)])
    number = itertools.count()
    monkeypatch.setattr(blobs_module, "write_all", lambda *_: 1 / (next(number) - 9) and None)

    with pytest.raises(ZeroDivisionError):
        Storing(Blobs(tmp_path / "other")).put_all([(tmp_path / "file", 5 * LARGE)])
