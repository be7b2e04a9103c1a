"""What is done with whole columns of numbers, quicker where somebody has imported numpy anyway."""

from __future__ import annotations

import sys
from array import array
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven.journal.record import Numbers


def split_planes(data: bytes, *, width: int) -> bytes:
    """Return byte 0 of every value of `width` bytes, then byte 1 of every one, and so on."""
    return b"".join([data[byte::width] for byte in range(width)])


def merge_planes(planes: bytes | memoryview, *, width: int) -> bytearray | memoryview:
    """Undo `split_planes`."""
    count = len(planes) // width
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        data = bytearray(count * width)
        for byte in range(width):
            data[byte::width] = planes[byte * count : (byte + 1) * count]
        return data
    values: Any = numpy.empty((count, width), numpy.uint8)
    for byte, plane in enumerate(numpy.frombuffer(planes, numpy.uint8, count * width).reshape(width, count)):
        values[:, byte] = plane
    return memoryview(values).cast("B")


class _Room:
    """Room for the rows of many sections, taken at once: large pages of memory, each filled once, in any order."""

    def __init__(self, numpy: Any, counts: Sequence[int], words: int, flags: int) -> None:
        self._numpy = numpy
        *self._starts, count = accumulate(counts, initial=0)
        self._numbers: Any = numpy.empty((1, count), numpy.uint64)
        self._words: Any = numpy.empty((words, count, 8), numpy.uint8)
        self._flags: Any = numpy.empty((flags, count), numpy.uint8)
        self._filled: list[tuple[int, int]] = []

    @property
    def is_used(self) -> bool:
        """Whether there are any rows."""
        return bool(self._filled)

    def put(self, at: int, numbers: Numbers, planes: bytes | memoryview, skipped: int) -> None:
        """Merge the planes of a section's rows in the place of that section; so many of the first do not count."""
        words, flags, rows = len(self._words), len(self._flags), len(numbers)
        start = self._starts[at]
        place = slice(start, start + rows)
        data: Any = self._numpy.frombuffer(planes, self._numpy.uint8)
        for byte, plane in enumerate(data[: 8 * words * rows].reshape(8, words, rows)):
            self._words[:, place, byte] = plane
        self._flags[:, place] = data[8 * words * rows :].reshape(flags, rows)
        self._numbers[:, place] = numbers
        self._filled.append((start + skipped, start + rows))

    def content(self) -> tuple[Numbers, memoryview, memoryview]:
        """Return record numbers (format "Q"), the columns of eight bytes, and those of one, one after the other."""
        columns = self._numbers, self._words, self._flags
        numbers, words, flags = (self._whole(part).reshape(-1).data.cast("B") for part in columns)
        return numbers.cast("Q"), words, flags

    def _whole(self, columns: Any) -> Any:
        """Return what was filled of some columns, without a copy where that is all."""
        filled = sorted(self._filled)
        if all(before[1] == after[0] for before, after in pairwise(filled)):
            return self._numpy.ascontiguousarray(columns[:, filled[0][0] : filled[-1][1]])
        return self._numpy.concatenate([columns[:, start:stop] for start, stop in filled], axis=1)


def room_for(counts: Sequence[int], *, words: int, flags: int) -> _Room | None:
    """Return room for sections of so many rows each, of so many columns of eight bytes and of one; None without numpy."""
    numpy: Any = sys.modules.get("numpy")
    return None if numpy is None else _Room(numpy, counts, words, flags)


def native(code: str, data: bytes | bytearray | memoryview) -> memoryview[Any]:
    """Return the little-endian numbers that lie in `data`, without a copy where the machine has that order too."""
    if sys.byteorder == "little":
        return memoryview(data).cast(cast("Literal['q']", code))
    numbers: array[Any] = array(code)
    numbers.frombytes(data)
    numbers.byteswap()
    return memoryview(numbers)


def little_endian(numbers: Numbers | array[float] | memoryview[float] | bytearray) -> bytes | bytearray | memoryview:
    """Undo `native`: return the bytes of numbers."""
    if sys.byteorder == "little" or isinstance(numbers, bytearray):
        return memoryview(numbers).cast("B")
    swapped = array(memoryview(numbers).format, numbers)
    swapped.byteswap()
    return swapped.tobytes()


def consecutive(start: int, count: int) -> Numbers:
    """Return `count` numbers from `start` on (format "Q")."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        return array("Q", range(start, start + count))
    return memoryview(numpy.arange(start, start + count, dtype=numpy.uint64)).cast("B").cast("Q")


def bounds(numbers: Numbers) -> tuple[int, int]:
    """Return the least and the greatest of some numbers."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        return min(numbers), max(numbers)
    column = numpy.asarray(numbers)
    return int(column.min()), int(column.max())
