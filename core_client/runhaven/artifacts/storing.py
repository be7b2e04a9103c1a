"""Puts files into the store: read once, hashed and written in parallel, what is there already not written again."""

from __future__ import annotations

import hashlib
import sys
from concurrent.futures import ThreadPoolExecutor
from io import FileIO
from typing import TYPE_CHECKING, NamedTuple

from runhaven.artifacts.chunking import GREATEST, LARGE, Cutter, can_cut
from runhaven.artifacts.parallel import THREADS, Buffers, for_each
from runhaven.platform.files import read_full

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Self

    from runhaven.artifacts.progress import Progress
    from runhaven.store.blobs import Blob, Blobs

_WINDOW = 4 << 20
_BUFFERS = 4


class Content(NamedTuple):
    """What a file holds.

    Attributes:
        sha256: Of all its bytes.
        size: How many they are.
        chunks: The blobs that they are kept in; none where they are one blob.
    """

    sha256: str
    size: int
    chunks: tuple[Blob, ...]


class Storing:
    """Threads that put files into a store; a context manager. What it wrote is on the disk after `Blobs.settle`."""

    def __init__(self, blobs: Blobs, progress: Progress | None = None) -> None:
        """Start with nothing to do.

        Args:
            blobs: Where the bytes go.
            progress: Is told what is done.
        """
        self._blobs = blobs
        self._progress = progress
        self._buffers = Buffers()
        self._pool = ThreadPoolExecutor(THREADS, "runhaven-store")
        self._hasher = ThreadPoolExecutor(1, "runhaven-hash")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the threads."""
        self._pool.shutdown(cancel_futures=True)
        self._hasher.shutdown(cancel_futures=True)

    def put_all(self, files: Sequence[tuple[Path, int]]) -> list[Content]:
        """Keep files: large ones one after the other, the chunks of each side by side, then small ones side by side.

        Args:
            files: Where they lie, and how many bytes each had a moment ago.

        Raises:
            OSError: If one cannot be read, or not be written.
        """
        least = LARGE if can_cut() else sys.maxsize
        found: dict[int, Content] = {}

        def put_small(at: int) -> None:
            found[at] = self._put_small(*files[at])

        for at, (path, size) in enumerate(files):
            if size >= least:
                found[at] = self._put_large(path)
        for_each((at for at, (_, size) in enumerate(files) if size < least), put_small)
        return [found[at] for at in range(len(files))]

    def _put_small(self, path: Path, size: int) -> Content:
        buffer = self._buffers.take(min(size, LARGE) + 1)
        with FileIO(path) as file:
            size = read_full(file, buffer)
        # What fills the buffer is large and cannot be cut here, or has grown since it was looked at.
        is_whole = size < len(buffer)
        blob = self._blobs.put(buffer[:size], waits=False) if is_whole else self._blobs.put_file(path)
        self._count(blob.size)
        return Content(blob.sha256, blob.size, ())

    def _put_large(self, path: Path) -> Content:
        """Keep a file as chunks; it may change meanwhile: what is kept is what was read, and its digest tells it."""
        whole = hashlib.sha256()
        chunks: list[Future[Blob]] = []
        cutter, rest, turn = Cutter(), memoryview(b""), 0
        # What still reads from each buffer.
        buffers = [memoryview(bytearray(GREATEST + _WINDOW)) for _ in range(_BUFFERS)]
        readers: list[list[Future[Blob] | Future[None]]] = [[] for _ in buffers]
        with FileIO(path) as file:
            while True:
                buffer, busy = buffers[turn], readers[turn]
                for future in busy:
                    future.result()
                buffer[: len(rest)] = rest
                count = read_full(file, buffer[len(rest) : len(rest) + _WINDOW])
                window, is_last = buffer[: len(rest) + count], count < _WINDOW
                busy[:] = [self._hasher.submit(whole.update, window[len(rest) :])]
                used = 0
                for chunk in cutter.cut(window, is_last=is_last):
                    future = self._pool.submit(self._put_chunk, chunk)
                    busy.append(future)
                    chunks.append(future)
                    used += len(chunk)
                rest, turn = window[used:], (turn + 1) % _BUFFERS
                if is_last:
                    break
        kept = tuple(future.result() for future in chunks)
        for busy in readers:
            for future in busy:
                future.result()
        return Content(whole.hexdigest(), sum(blob.size for blob in kept), kept)

    def _put_chunk(self, chunk: memoryview) -> Blob:
        blob = self._blobs.put(chunk, waits=False)
        self._count(blob.size)
        return blob

    def _count(self, size: int) -> None:
        if self._progress is not None:
            self._progress.add(size)
