"""Chunks: together they are the file, and a change touches few of them."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from runhaven.artifacts import storing as storing_module
from runhaven.artifacts.chunking import GREATEST, LARGE, SMALLEST, Cutter
from runhaven.artifacts.storing import Storing
from runhaven.store.blobs import Blobs


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


@settings(deadline=None, max_examples=12)
@given(seed=st.integers(0, 2**32), size=st.integers(LARGE, 5 * LARGE), edge=st.integers(-1, 1))
def test_a_stored_file_is_the_file(tmp_path_factory, seed, size, edge):
    """What the threads put into the store is the file, also where its size is that of their windows."""
    folder = tmp_path_factory.mktemp("store")
    size = size if seed % 2 else 3 * storing_module._WINDOW + edge
    data = make(seed, size)
    (folder / "file").write_bytes(data)
    blobs = Blobs(folder)
    with Storing(blobs) as storing:
        (content,) = storing.put_all([(folder / "file", len(data))])

    assert b"".join(blobs.path(chunk.sha256).read_bytes() for chunk in content.chunks) == data
    assert content.size == size
    assert content.sha256 == blobs.put(data).sha256


def test_without_a_cutter_files_are_whole(tmp_path, monkeypatch):
    """Where the package that finds borders is missing, a large file is one blob, with the same digest."""
    data = make(1, LARGE + 1)
    (tmp_path / "file").write_bytes(data)
    with Storing(Blobs(tmp_path)) as storing:
        (cut_up,) = storing.put_all([(tmp_path / "file", len(data))])
    monkeypatch.setattr(storing_module, "can_cut", lambda: False)
    with Storing(Blobs(tmp_path)) as storing:
        (whole,) = storing.put_all([(tmp_path / "file", len(data))])

    assert whole.chunks == ()
    assert cut_up.chunks
    assert whole[:2] == cut_up[:2]
    assert Blobs(tmp_path).path(whole.sha256).read_bytes() == data
