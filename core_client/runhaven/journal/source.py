"""Reads the files of one writer piece by piece while they grow: sound frames, and sound records of the tail."""

from __future__ import annotations

import os
import time
import zlib
from typing import TYPE_CHECKING, NamedTuple

from runhaven.journal.frame import FRAME_SIZE, MAGIC, SECTION_SIZE, is_sound, open_frame, open_section
from runhaven.journal.record import Damage
from runhaven.journal.tail import START_SIZE, find_record, read_start, scan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from runhaven.journal.frame import Frame, Section

_CHUNK = 256 << 10
_ZEROS = bytes(_CHUNK)
_SEARCH_CHUNK = 4 << 20
_SETTLED_S = 2.0


class Place(NamedTuple):
    """A section and where its bytes lie in the file."""

    section: Section
    offset: int


class FrameSource:
    """Follows a journal file.

    Attributes:
        name: Name of the file.
    """

    def __init__(self, path: Path, *, seed: int, ahead: int, damage: list[Damage]) -> None:
        """Prepare to follow the file; touches nothing yet.

        Args:
            path: The file; it may not be there yet.
            seed: Where its writer's checksums start.
            ahead: How many bytes to read at once.
            damage: Where to note what cannot be read.
        """
        self.name = path.name
        self._path = path
        self._seed = seed
        self._ahead = ahead
        self._damage = damage
        self._position = 0
        self._size = 0
        self._stuck = (-1, -1)
        self._opened: tuple[int, Frame | None] = (-1, None)
        self._file: BinaryIO | None = None
        self._window, self._window_start = memoryview(b""), 0

    @property
    def unread(self) -> tuple[int, int]:
        """Where the bytes start that are no sound frame yet, and how many they are."""
        return self._position, max(0, self._size - self._position)

    def go_on(self, offset: int) -> None:
        """Begin at a frame that was reached before."""
        self._position = offset

    def close(self) -> None:
        """Let go of the file until it is read from again."""
        self._window = memoryview(b"")
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self, offset: int, length: int) -> memoryview:
        """Return up to `length` bytes from `offset` on."""
        start = offset - self._window_start
        if start < 0 or start + length > len(self._window):
            if self._file is None:
                self._file = self._path.open("rb", buffering=0)
            self._file.seek(offset)
            self._window, self._window_start = memoryview(self._file.read(max(length, self._ahead))), offset
            start = 0
        return self._window[start : start + length]

    def frames(self) -> Iterator[tuple[Frame, int]]:
        """Yield each new frame and where its sections start.

        Raises:
            OSError: If the file cannot be read.
        """
        status = self._path.stat()
        size = self._size = status.st_size
        if size <= self._position or self._stuck == (size, status.st_mtime_ns):
            return
        self._window = memoryview(b"")
        while self._position < size:
            frame = self._open(self._position)
            if frame is not None and self._is_whole(frame, self._position, size):
                start = self._position + FRAME_SIZE
                self._position = start + frame.length
                yield frame, start
            elif not self._skip(size):
                # A write that was going on when the status was taken may end without changing it.
                is_settled = time.time() - status.st_mtime > _SETTLED_S
                self._stuck = (size, status.st_mtime_ns) if is_settled else (-1, -1)
                return

    def _open(self, position: int) -> Frame | None:
        """Return the frame that begins at a position; it is asked for twice, as the one that follows and for itself."""
        at, frame = self._opened
        if at != position or frame is None:
            frame = open_frame(self.read(position, FRAME_SIZE), seed=self._seed)
            self._opened = position, frame
        return frame

    def _is_whole(self, frame: Frame, position: int, size: int) -> bool:
        """Tell whether a frame was written to its end: another one follows, or all its sections are sound."""
        stop = position + FRAME_SIZE + frame.length
        if stop > size:
            return False
        if stop < size and self._open(stop) is not None:
            return True
        end = position + FRAME_SIZE
        for place in self.sections(frame, end):
            if not is_sound(place.section, self.read(place.offset, place.section.length)):
                return False
            end = place.offset + place.section.length
        return end == stop

    def _skip(self, size: int) -> bool:
        """Go on at the next sound frame, if there is one."""
        at = self._position + 1
        while at + FRAME_SIZE <= size:
            data = bytes(self.read(at, min(_SEARCH_CHUNK, size - at)))
            found = _find_frame(data, seed=self._seed)
            if found is not None:
                at += found
                self._damage.append(Damage(self.name, self._position, at - self._position, "no sound frame"))
                self._position = at
                return True
            at += max(len(data) - FRAME_SIZE + 1, 1)
        return False

    def sections(self, frame: Frame, start: int) -> Iterator[Place]:
        """Yield the sections of a frame, unchecked, as far as they make sense."""
        position, stop = start, start + frame.length
        while position < stop:
            section = open_section(self.read(position, SECTION_SIZE), seed=frame.crc)
            offset = position + SECTION_SIZE
            if section is None or section.rows == 0 or offset + section.length > stop:
                return
            yield Place(section, offset)
            position = offset + section.length


class TailSource:
    """Follows one segment of a tail.

    Attributes:
        first: Number of the first record that it can still give; None while the writer has not begun it.
    """

    def __init__(self, path: Path, *, seed: int, damage: list[Damage]) -> None:
        """Prepare to follow the file; touches nothing yet."""
        self.first: int | None = None
        self._path = path
        self._seed = seed
        self._damage = damage
        self._position = START_SIZE
        self._is_new = True
        self._stuck: int | None = None

    def begin(self, file: BinaryIO, *, expected: int) -> bool:
        """Read the head unless that is done; False while there is none.

        Args:
            file: The segment.
            expected: What number to begin with if the head is damaged.
        """
        if self.first is None:
            head = _read(file, 0, START_SIZE)
            self.first = read_start(head, seed=self._seed)
            # Read again, for the writer may have been writing it.
            if self.first is None and any(head) and _read(file, 0, START_SIZE) == head:
                self._damage.append(Damage(self._path.name, 0, START_SIZE, "no sound head"))
                self.first = expected
        return self.first is not None

    def records(self, file: BinaryIO) -> Iterator[list[tuple[int, int, bytes]]]:
        """Yield (record number, tag, body) of the new records, many at a time."""
        while self.first is not None:
            if not self._is_new and not any(_read(file, self._position, 4)):
                return
            data = _read(file, self._position, _CHUNK)
            found, length = scan(data, first=self.first, seed=self._seed)
            if not found:
                data += _read_written(file, self._position + len(data))
                found, length = scan(data, first=self.first, seed=self._seed)
            if found:
                self._position += length
                self.first = found[-1][0] + 1
                yield found
            elif not self._skip(file, data.rstrip(b"\0")):
                self._is_new = False
                return

    def _skip(self, file: BinaryIO, data: bytes) -> bool:
        """Go on at the next sound record, if there is one beyond bytes that are not."""
        check = zlib.crc32(data)
        if not data or check == self._stuck or self.first is None:
            return False
        # A record may end in zeros.
        found = find_record(data + bytes(64), first=self.first, seed=self._seed)
        if found is None:
            self._stuck = check
            return False
        length, number = found
        if _read(file, self._position, length) == data[:length]:
            reason = f"{number - self.first} records from number {self.first} on cannot be read"
            self._damage.append(Damage(self._path.name, self._position, length, reason))
            self._position += length
            self.first = number
        # Else the writer was writing there while we read: by now it is all there.
        return True


def _find_frame(data: bytes, *, seed: int) -> int | None:
    found = data.find(MAGIC)
    while found >= 0:
        if open_frame(data[found : found + FRAME_SIZE], seed=seed) is not None:
            return found
        found = data.find(MAGIC, found + 1)
    return None


def _read_written(file: BinaryIO, offset: int) -> bytes:
    """Return what lies from `offset` on, and few of the zeros at its end: most of a segment may be zeros."""
    parts: list[bytes] = []
    written = 0
    while part := _read(file, offset + len(parts) * _CHUNK, _CHUNK):
        parts.append(part)
        if part != _ZEROS[: len(part)]:
            # A record may end in zeros.
            written = len(parts) + 1
        if len(part) < _CHUNK:
            break
    return b"".join(parts[:written])


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset, os.SEEK_SET)
    return file.read(length)
