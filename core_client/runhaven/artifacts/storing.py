"""Puts files into the store: read once, hashed and written in parallel, what is there already not written again."""

from __future__ import annotations

import sys
from functools import partial
from io import FileIO
from typing import TYPE_CHECKING, NamedTuple

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
    """

    digest: str
    size: int
    chunks: tuple[Blob, ...]


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
        kept: list[dict[int, Blob]] = [{} for _ in files]
        count = sum(1 + size // LARGE for _, size in files)
        for_each(self._tasks(files, kept), lambda put: put(), count=count)
        return [self._content([blobs[number] for number in range(len(blobs))]) for blobs in kept]

    def _tasks(self, files: Sequence[tuple[Path, int]], kept: list[dict[int, Blob]]) -> Iterator[Callable[[], None]]:
        """Go through all that is to be done: chunks first, as they are cut, then small files."""
        least = LARGE if can_cut() else sys.maxsize
        windows = Windows()
        for (path, size), blobs in zip(files, kept, strict=True):
            for number, chunk in enumerate(windows.chunks(path) if size >= least else ()):
                yield partial(self._put_chunk, chunk, blobs, number)
        for (path, size), blobs in zip(files, kept, strict=True):
            if size < least:
                yield partial(self._put_small, path, size, blobs)

    def _put_chunk(self, chunk: Chunk, kept: dict[int, Blob], number: int) -> None:
        with chunk as data:
            kept[number] = blob = self._blobs.put(data, waits=False)
        self._count(blob.size)

    def _put_small(self, path: Path, size: int, kept: dict[int, Blob]) -> None:
        buffer = self._buffers.take(min(size, LARGE) + 1)
        with FileIO(path) as file:
            size = read_full(file, buffer)
        # What fills the buffer is large and cannot be cut here, or has grown since it was looked at.
        is_whole = size < len(buffer)
        kept[0] = blob = self._blobs.put(buffer[:size], waits=False) if is_whole else self._blobs.put_file(path)
        self._count(blob.size)

    def _content(self, blobs: Sequence[Blob]) -> Content:
        if len(blobs) > 1:
            return Content(digest_of_chunks(blobs), sum(blob.size for blob in blobs), tuple(blobs))
        # A large file of which little is left.
        blob = blobs[0] if blobs else self._blobs.put(b"")
        return Content(blob.sha256, blob.size, ())

    def _count(self, size: int) -> None:
        if self._progress is not None:
            self._progress.add(size)
