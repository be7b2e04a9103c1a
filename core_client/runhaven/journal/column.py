"""What is done with whole columns of numbers, quicker where somebody has imported numpy anyway."""

from __future__ import annotations

import sys
from array import array
from typing import TYPE_CHECKING, Any, Literal, cast

if TYPE_CHECKING:
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


def native(code: str, data: bytes | bytearray | memoryview) -> memoryview[Any]:
    """Return the little-endian numbers that lie in `data`, without a copy where the machine has that order too."""
    if sys.byteorder == "little":
        return memoryview(data).cast(cast("Literal['q']", code))
    numbers: array[Any] = array(code)
    numbers.frombytes(data)
    numbers.byteswap()
    return memoryview(numbers)


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
