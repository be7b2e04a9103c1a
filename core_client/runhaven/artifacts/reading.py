"""A file of an artifact, read where its bytes lie."""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from runhaven.artifacts.checked import missing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven.artifacts.manifest import Entry
    from runhaven.store.blobs import Blob, Blobs


class BlobFile(io.RawIOBase):
    """The blobs of a file one behind the other: seekable, and only those that are read are opened."""

    def __init__(self, blobs: Blobs, parts: Sequence[Blob], entry: Entry | None = None) -> None:
        """Open at the start.

        Raises:
            StoreError: If a blob is missing.
        """
        super().__init__()
        self._parts = parts
        self._paths = [blobs.path(part.sha256) for part in parts]
        for part in parts:
            if not blobs.has(part.sha256):
                raise missing(entry, part)
        self._starts = [0, *accumulate(part.size for part in parts)]
        self._at = 0
        self._open: tuple[int, io.FileIO] | None = None

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        if base + offset < 0:
            message = f"cannot seek to {base + offset}"
            raise ValueError(message)
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        """Return the place."""
        return self._at

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Fill a buffer as far as one blob goes."""
        index = bisect_right(self._starts, self._at) - 1
        if self._at >= self._starts[-1]:
            return 0
        file = self._part(index)
        within = self._at - self._starts[index]
        file.seek(within)
        count = file.readinto(memoryview(buffer)[: self._parts[index].size - within])
        if not count:
            message = f"{file.name} is shorter than it was"
            raise OSError(message)
        self._at += count
        return count

    def _part(self, index: int) -> io.FileIO:
        if self._open is None or self._open[0] != index:
            if self._open is not None:
                self._open[1].close()
            self._open = index, io.FileIO(self._paths[index])
        return self._open[1]

    def close(self) -> None:
        """Close it."""
        if self._open is not None:
            self._open[1].close()
            self._open = None
        super().close()


def open_blobs(blobs: Blobs, entry: Entry) -> io.BufferedReader:
    """Open a file of an artifact for reading.

    Raises:
        StoreError: If a blob of it is missing.
    """
    return io.BufferedReader(BlobFile(blobs, entry.blobs if entry.size else (), entry), 1 << 16)
