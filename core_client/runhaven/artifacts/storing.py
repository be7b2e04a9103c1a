"""Puts files into the store: read once, hashed and written in parallel, what is there already not written again."""

from __future__ import annotations

import sys
from functools import partial
from io import FileIO
from typing import TYPE_CHECKING, NamedTuple

from runhaven.artifacts.checksum import checksum_of
from runhaven.artifacts.chunking import LARGE, Windows, can_cut
from runhaven.artifacts.hashing import digest_of_chunks
from runhaven.artifacts.parallel import Buffers, for_each
from runhaven.platform.files import read_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from runhaven.artifacts.chunking import Chunk
    from runhaven.artifacts.progress import Progress
    from runhaven.store.blobs import Blob, Blobs


class Content(NamedTuple):
    """What a file holds.

    Attributes:
        digest: SHA-256 of its bytes; of a file in chunks, of their list.
        size: How many bytes they are.
        chunks: The blobs that they are kept in; none where they are one blob.
        checksums: The quick checksum of each blob; none where they cannot be computed.
    """

    digest: str
    size: int
    chunks: tuple[Blob, ...]
    checksums: tuple[str, ...]


class _Kept(NamedTuple):
    blob: Blob
    checksum: str


class Storing:
    """Puts files into a store, on many threads. What it wrote is on the disk after `Blobs.settle`."""

    def __init__(self, blobs: Blobs, progress: Progress | None = None) -> None:
        """Start with nothing to do.

        Args:
            blobs: Where the bytes go.
            progress: Is told what is done.
        """
        self._blobs = blobs
        self._progress = progress
        self._buffers = Buffers()

    def put_all(self, files: Sequence[tuple[Path, int]]) -> list[Content]:
        """Keep files; one may change meanwhile: what is kept is what was read, and its digest tells it.

        Args:
            files: Where they lie, and how many bytes each had a moment ago.

        Raises:
            OSError: If one cannot be read, or not be written.
        """
        # The blobs of each file by their number.
        kept: list[dict[int, _Kept]] = [{} for _ in files]
        count = sum(1 + size // LARGE for _, size in files)
        for_each(self._tasks(files, kept), lambda put: put(), count=count)
        return [self._content([blobs[number] for number in range(len(blobs))]) for blobs in kept]

    def _tasks(self, files: Sequence[tuple[Path, int]], kept: list[dict[int, _Kept]]) -> Iterator[Callable[[], None]]:
        """Go through all that is to be done: chunks first, as they are cut, then small files."""
        least = LARGE if can_cut() else sys.maxsize
        windows = Windows()
        for (path, size), blobs in zip(files, kept, strict=True):
            for number, chunk in enumerate(windows.chunks(path) if size >= least else ()):
                yield partial(self._put_chunk, chunk, blobs, number)
        for (path, size), blobs in zip(files, kept, strict=True):
            if size < least:
                yield partial(self._put_small, path, size, blobs)

    def _put_chunk(self, chunk: Chunk, kept: dict[int, _Kept], number: int) -> None:
        with chunk as data:
            kept[number] = self._keep(data)
        self._count(len(data))

    def _put_small(self, path: Path, size: int, kept: dict[int, _Kept]) -> None:
        buffer = self._buffers.take(min(size, LARGE) + 1)
        with FileIO(path) as file:
            size = read_full(file, buffer)
        # What fills the buffer is large and cannot be cut here, or has grown since it was looked at.
        is_whole = size < len(buffer)
        kept[0] = self._keep(buffer[:size]) if is_whole else _Kept(self._blobs.put_file(path), "")
        self._count(kept[0].blob.size)

    def _keep(self, data: memoryview) -> _Kept:
        return _Kept(self._blobs.put(data, waits=False), checksum_of(data))

    def _content(self, kept: Sequence[_Kept]) -> Content:
        # There is none of a large file of which nothing is left.
        first = kept[0] if kept else self._keep(memoryview(b""))
        checksums = tuple(one.checksum for one in kept or [first])
        checksums = checksums if all(checksums) else ()
        if len(kept) > 1:
            blobs = tuple(one.blob for one in kept)
            return Content(digest_of_chunks(blobs), sum(blob.size for blob in blobs), blobs, checksums)
        return Content(first.blob.sha256, first.blob.size, (), checksums)

    def _count(self, size: int) -> None:
        if self._progress is not None:
            self._progress.add(size)
