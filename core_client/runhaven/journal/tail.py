"""The tail: memory-mapped segments that hold the newest records until the writer folds them into frames.

A store into a mapped page survives the death of its process, so a record is safe from SIGKILL as soon as it is copied;
and no system call stands in the way of the training thread.
"""

from __future__ import annotations

import mmap
import os
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from runhaven.journal.frame import Piece
from runhaven.journal.layout import CHECKSUM_SIZE, HEAD
from runhaven.platform.files import allocate

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.journal.layout import Layout

MAGIC = b"RHT1"
_START = struct.Struct("<4sIQ")
START_SIZE = _START.size
_FARTHEST = 1 << 30
RESERVE = 8 << 10
"""Bytes kept free at a segment's end, so that a run can still say how it ended when the disk is full."""


class Stretch(NamedTuple):
    """Where records of one layout lie in a segment."""

    layout: Layout | None
    first: int
    start: int
    stop: int


class Segment:
    """One preallocated file of the tail, as its writer sees it.

    Attributes:
        path: The file.
        size: Its length in bytes; never changes.
        end: Where the next record goes.
        folded: Everything before this lies in frames too.
    """

    __slots__ = ("_fd", "_map", "end", "folded", "path", "size")

    def __init__(self, path: Path, size: int) -> None:
        """Create and allocate the file.

        Raises:
            OSError: If the file cannot be created or the disk has no room for it.
        """
        self.path = path
        self.size = size
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._fd = os.open(path, flags, 0o600)
        try:
            allocate(self._fd, size)
            self._map = mmap.mmap(self._fd, size)
        except OSError:
            os.close(self._fd)
            path.unlink(missing_ok=True)
            raise
        self.end = self.folded = START_SIZE

    def begin(self, first: int) -> mmap.mmap:
        """Write the head for records numbered from `first` on, and return the map to copy them into."""
        number = first.to_bytes(8, "little")
        self._map[:START_SIZE] = _START.pack(MAGIC, zlib.crc32(number), first)
        return self._map

    def piece(self, stretch: Stretch) -> Piece:
        """Copy a stretch out of the map."""
        return Piece(stretch.layout, stretch.first, self._map[stretch.start : stretch.stop])

    def sync(self) -> None:
        """Ask the disk to keep what was written so far, across a power cut too."""
        getattr(os, "fdatasync", os.fsync)(self._fd)

    def close(self, *, remove: bool) -> None:
        """Release the file, and remove it when all of it lies in frames."""
        self._map.close()
        os.close(self._fd)
        if remove:
            self.path.unlink(missing_ok=True)

    def disown(self) -> None:
        """Close this process's view after a fork; the parent goes on with its own."""
        self._map.close()
        os.close(self._fd)


class TailScan(NamedTuple):
    """What a scan of a segment's bytes found.

    Attributes:
        records: (record number, tag, body) each.
        position: Where the next scan goes on.
        expected: The number that the record there will have.
        damaged: Bytes skipped between sound records, and where.
    """

    records: list[tuple[int, int, bytes]]
    position: int
    expected: int
    damaged: list[tuple[int, int]]


def read_start(data: bytes) -> int | None:
    """Return the number of a segment's first record; None if it has not begun."""
    if len(data) < START_SIZE:
        return None
    magic, check, first = _START.unpack_from(data)
    return first if magic == MAGIC and zlib.crc32(first.to_bytes(8, "little")) == check else None


def scan(data: bytes, *, first: int, seed: int) -> TailScan:
    """Read all sound records of a segment's bytes.

    Args:
        data: The bytes.
        first: At most the number of the first record in them.
        seed: Where the writer's checksums start; see `seed_for`.

    A record that does not check is not there yet, unless a sound one with a later number follows: then it is damage.
    """
    records: list[tuple[int, int, bytes]] = []
    damaged: list[tuple[int, int]] = []
    written = len(data.rstrip(b"\0")) + CHECKSUM_SIZE
    position, expected = 0, first
    while position < written:
        found = _record_at(data, position, expected, seed)
        if found is None:
            resumed = next((at for at in range(position + 1, written) if _record_at(data, at, expected, seed)), None)
            if resumed is None:
                break
            damaged.append((position, resumed - position))
            position = resumed
            continue
        number, tag, length = found
        records.append((number, tag, data[position + HEAD.size : position + length - CHECKSUM_SIZE]))
        position += length
        expected = number + 1
    return TailScan(records, position, expected, damaged)


def _record_at(data: bytes, position: int, expected: int, seed: int) -> tuple[int, int, int] | None:
    if position + HEAD.size > len(data):
        return None
    length, low, tag = HEAD.unpack_from(data, position)
    stop = position + length
    ahead = (low - expected) & 0xFFFFFFFF
    if length < HEAD.size + CHECKSUM_SIZE or stop > len(data) or ahead > _FARTHEST:
        return None
    check = int.from_bytes(data[stop - CHECKSUM_SIZE : stop], "little")
    return (expected + ahead, tag, length) if zlib.crc32(data[position : stop - CHECKSUM_SIZE], seed) == check else None
