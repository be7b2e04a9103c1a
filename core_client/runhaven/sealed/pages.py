"""Reads single pages of a column out of the Parquet files that this package writes.

A file's columns are found once, when it is sealed: `columns_of` says where each page lies. From then on a stretch of a
column costs one read of the file, one decompression for each page and some array operations, whatever the file's size.
Formats: https://parquet.apache.org/docs/file-format/.
"""

from __future__ import annotations

import os
import struct
import sys
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.missing import require
from runhaven.sealed.thrift import ThriftReader

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.sealed.thrift import Struct
else:
    np = require("numpy", feature="reading sealed runs", package="runhaven[ui]")

zstd = require(
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd",
    feature="reading sealed runs",
    package="runhaven[ui]",
)

MAGIC = b"PAR1"
_TYPES = {1: "<i4", 2: "<i8", 5: "<f8"}
_ZSTD = 6
_DICTIONARY_PAGE = 11
_DATA_PAGE, _DATA_PAGE_HEAD, _STATISTICS = 0, 5, 5
_PLAIN, _DELTA, _SPLIT = 0, 5, 9
_WORD = 8
_WHOLE = 57


class Column(NamedTuple):
    """Where the pages of one column lie.

    Attributes:
        dtype: numpy's name for its values.
        encoding: Parquet's number of how they are encoded.
        offsets: Where the compressed values of each page begin in the file.
        sizes: How many bytes they take.
        firsts: The row that each page begins with; at the end, one more than the last row.
    """

    dtype: str
    encoding: int
    offsets: list[int]
    sizes: list[int]
    firsts: list[int]


def columns_of(data: bytes | memoryview) -> dict[str, Column]:
    """Return the columns of a Parquet file whose pages can be read here; others, such as texts, are left out.

    Args:
        data: The whole file.

    Raises:
        ValueError: If it is no Parquet file, or one without an index of its pages, or with pages of another version.
    """
    if bytes(data[-4:]) != MAGIC:
        message = "not a Parquet file"
        raise ValueError(message)
    (length,) = struct.unpack("<I", data[-8:-4])
    footer = ThriftReader(data, len(data) - 8 - length).struct()
    is_required = {field[4].decode(): field.get(3) == 0 for field in footer[2][1:]}
    found: dict[str, Column] = {}
    first = 0
    for group in footer[4]:
        for chunk in group[1]:
            about: Struct = chunk[3]
            name = about[3][-1].decode()
            if about[1] in _TYPES and about[4] == _ZSTD and _DICTIONARY_PAGE not in about and is_required[name]:
                for page in ThriftReader(data, chunk[4]).struct()[1]:
                    size, encoding = _page(data, page[1])
                    column = found.setdefault(name, Column(_TYPES[about[1]], encoding, [], [], []))
                    column.offsets.append(page[1] + page[2] - size)
                    # A page of another encoding than the first one's gets a size that nothing decodes to.
                    column.sizes.append(size if encoding == column.encoding else 0)
                    column.firsts.append(first + page[3])
        first += group[3]
    for column in found.values():
        column.firsts.append(first)
    return found


def _page(data: bytes | memoryview, place: int) -> tuple[int, int]:
    """Return how many bytes the values of a page take, and how they are encoded; what its head says of them is skipped."""
    reader = ThriftReader(data, place)
    head = reader.struct(before=_DATA_PAGE_HEAD)
    if head[1] != _DATA_PAGE:
        message = "a page of another kind"
        raise ValueError(message)
    return head[3], reader.struct(before=_STATISTICS)[2]


def read_column(fd: int, column: Column, start: int, stop: int) -> NDArray[Any]:
    """Return the values of the rows from `start` up to, not including, `stop`.

    Raises:
        ValueError: If a page cannot be read here.
        OSError: If the file cannot be read.
    """
    dtype, encoding, offsets, sizes, firsts = column
    if start >= stop:
        return np.empty(0, dtype)
    first, last = bisect_right(firsts, start) - 1, bisect_left(firsts, stop) - 1
    begin, end = offsets[first], offsets[last] + sizes[last]
    # Pages of one row group lie behind each other; between two groups lie other columns.
    is_dense = end - begin <= 2 * sum(sizes[first : last + 1])
    data = os.pread(fd, end - begin, begin) if is_dense else b""
    decode = _DECODERS[encoding]
    values = np.empty(stop - start, dtype)
    for page in range(first, last + 1):
        place, head = offsets[page] - begin, firsts[page]
        packed = data[place : place + sizes[page]] if is_dense else os.pread(fd, sizes[page], offsets[page])
        skipped = max(0, start - head)
        part = values[head + skipped - start : firsts[page + 1] - start]
        try:
            decode(zstd.ZstdDecompressor().decompress(packed), firsts[page + 1] - head, skipped, part)
        except (IndexError, EOFError, zstd.ZstdError) as error:
            message = f"a page that cannot be read: {error!r}"
            raise ValueError(message) from error
    return values


# Each decoder writes the values of a page, without so many first ones, into as many places as there are. That the memory
# is written once and no more of it than is wanted counts: a page of memory that is new costs more than what fills it.


def _plain(body: bytes, count: int, skipped: int, part: NDArray[Any]) -> None:
    part[:] = np.frombuffer(body, part.dtype, count)[skipped : skipped + len(part)]


def _split(body: bytes, count: int, skipped: int, part: NDArray[Any]) -> None:
    """Undo BYTE_STREAM_SPLIT: the first byte of each value, then the second of each, and so on."""
    width = part.itemsize
    planes = np.frombuffer(body, np.uint8, count * width).reshape(width, count)[:, skipped : skipped + len(part)]
    found = part.view(np.uint8).reshape(len(part), width)
    for byte in range(width):
        found[:, byte] = planes[byte]


def _delta(body: bytes, count: int, skipped: int, part: NDArray[Any]) -> None:
    """Undo DELTA_BINARY_PACKED: differences, less the least of their block, in as few bits as their miniblock needs."""
    head = ThriftReader(body)
    block_size, miniblocks = head.varint(), head.varint()
    total, first = head.varint(), head.zigzag()
    if total != count:
        message = "a page whose values do not number what its head says"
        raise ValueError(message)
    size = block_size // miniblocks
    places: list[int] = []
    widths: list[int] = []
    least: list[int] = []
    while len(widths) * size < count - 1:
        least.append(head.zigzag())
        of_block = body[head.position : head.position + miniblocks]
        at = head.position + miniblocks
        for width in of_block:
            places.append(at)
            widths.append(width)
            at += size * width // 8
        head.position = at
    packed = np.frombuffer(body + bytes(2 * _WORD), np.uint8)
    numbers = _unpack(packed, np.array(places, np.int64), np.array(widths, np.int64), size)[: count - 1]
    numbers += np.repeat(np.array(least, np.int64).view(np.uint64), block_size)[: count - 1]
    values = np.empty(count, np.uint64)
    values[0] = np.int64(first).view(np.uint64)
    np.cumsum(numbers, out=values[1:])
    values[1:] += values[0]
    part[:] = values.view(np.int64)[skipped : skipped + len(part)]


def _unpack(packed: NDArray[np.uint8], places: NDArray[Any], widths: NDArray[Any], size: int) -> NDArray[np.uint64]:
    """Return the numbers of all miniblocks, each `size` numbers of its own width in bits."""
    bits = np.arange(size)[None, :] * widths[:, None]
    at = np.minimum(places[:, None] + (bits >> 3), len(packed) - 2 * _WORD)
    # A word from every byte on, wherever it is aligned.
    words: NDArray[np.uint64] = np.ndarray(len(packed) - _WORD + 1, "<u8", packed.tobytes(), strides=(1,))
    shifts = (bits & 7).astype(np.uint64)
    numbers = words[at] >> shifts
    if widths.max(initial=0) > _WHOLE:
        more = words[at + _WORD] << (np.uint64(64) - np.maximum(shifts, np.uint64(1)))
        numbers |= np.where(shifts > 0, more, np.uint64(0))
    masks = np.array([(1 << int(width)) - 1 for width in range(65)], np.uint64)
    return (numbers & masks[widths][:, None]).ravel()


_DECODERS: dict[int, Callable[[bytes, int, int, NDArray[Any]], None]] = {_PLAIN: _plain, _DELTA: _delta, _SPLIT: _split}
