"""The tail: memory-mapped segments that hold the newest records until the writer folds them into frames.

A store into a mapped page survives the death of its process, so a record is safe from SIGKILL as soon as it is copied;
and no system call stands in the way of the training thread.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
import zlib
from typing import TYPE_CHECKING, NamedTuple

from runhaven.journal.frame import Piece
from runhaven.journal.layout import CHECKSUM_SIZE, HEAD
from runhaven.platform.files import allocate

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runhaven.journal.layout import Layout

MAGIC = b"RHT1"
_START = struct.Struct("<4sIQ")
START_SIZE = _START.size
RESERVE = 8 << 10
"""Bytes kept free at a segment's end, so that a run can still say how it ended when the disk is full."""

SMALLEST_RECORD = HEAD.size + CHECKSUM_SIZE
_MOST_CANDIDATES = 200_000
_MOST_CHECKED = 64 << 20


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
        except (OSError, ValueError) as error:
            os.close(self._fd)
            path.unlink(missing_ok=True)
            raise OSError(*error.args) from error
        self.end = self.folded = START_SIZE

    def begin(self, first: int, *, seed: int) -> mmap.mmap:
        """Write the head for records numbered from `first` on, and return the map to copy them into."""
        number = first.to_bytes(8, "little")
        self._map[:START_SIZE] = _START.pack(MAGIC, zlib.crc32(number, seed), first)
        return self._map

    def piece(self, stretch: Stretch) -> Piece:
        """Copy a stretch out of the map."""
        return Piece(stretch.layout, stretch.first, self._map[stretch.start : stretch.stop])

    def is_removed(self) -> bool:
        """Tell whether somebody has deleted the file, so that what lies in it would die with this process."""
        return os.fstat(self._fd).st_nlink == 0

    def sync(self) -> None:
        """Ask the disk to keep what was written so far, across a power cut too."""
        getattr(os, "fdatasync", os.fsync)(self._fd)

    def close(self, *, remove: bool) -> None:
        """Release the file; remove it when all of it lies in frames.

        Raises:
            OSError: If it cannot be removed.
        """
        self._map.close()
        os.close(self._fd)
        if remove:
            self.path.unlink(missing_ok=True)


def read_start(data: bytes, *, seed: int) -> int | None:
    """Return the number of a segment's first record; None if there is no sound head."""
    if len(data) < START_SIZE:
        return None
    magic, check, first = _START.unpack_from(data)
    return first if magic == MAGIC and zlib.crc32(first.to_bytes(8, "little"), seed) == check else None


def scan(data: bytes, *, first: int, seed: int) -> tuple[list[tuple[int, int, bytes]], int]:
    """Return (record number, tag, body) of the sound records that `data` starts with, and where they end."""
    records: list[tuple[int, int, bytes]] = []
    position = 0
    total = len(data)
    crc32, unpack_head, head_size = zlib.crc32, HEAD.unpack_from, HEAD.size
    while position + SMALLEST_RECORD <= total:
        length, low, tag = unpack_head(data, position)
        stop = position + length
        if length < SMALLEST_RECORD or stop > total or low != first & 0xFFFFFFFF:
            break
        check = stop - CHECKSUM_SIZE
        body = data[position + head_size : check]
        if crc32(data[position:check], seed) != int.from_bytes(data[check:stop], "little"):
            break
        records.append((first, tag, body))
        position = stop
        first += 1
    return records, position


def find_record(data: bytes, *, first: int, seed: int) -> tuple[int, int] | None:
    """Find the next sound record in damaged bytes: its offset and number, which is at least `first`.

    Gives up after a bounded amount of work.
    """
    most = len(data) // SMALLEST_RECORD
    work = _MOST_CHECKED
    for position in _candidates(data, first, most):
        length, low, _ = HEAD.unpack_from(data, position)
        stop = position + length
        ahead = (low - first) & 0xFFFFFFFF
        if length < SMALLEST_RECORD or stop > len(data) or ahead > most:
            continue
        check = stop - CHECKSUM_SIZE
        if zlib.crc32(data[position:check], seed) == int.from_bytes(data[check:stop], "little"):
            return position, first + ahead
        work -= length
        if work < 0:
            return None
    return None


def _candidates(data: bytes, first: int, most: int) -> Iterable[int]:
    """Yield where a length that fits stands before a number that can come next."""
    high_length = b"".join(re.escape(bytes([value])) for value in range(min(len(data) >> 24, 255) + 1))
    highs = {(number >> 16) & 0xFFFF for number in (*range(first, first + most, 1 << 16), first + most)}
    numbers = b"|".join(re.escape(high.to_bytes(2, "little")) for high in sorted(highs))
    pattern = re.compile(rb"(?=(?!\0{4})...[" + high_length + rb"]..(?:" + numbers + rb"))", re.DOTALL)
    for count, match in enumerate(pattern.finditer(data)):
        if count == _MOST_CANDIDATES or match.start() + SMALLEST_RECORD > len(data):
            return
        yield match.start()
