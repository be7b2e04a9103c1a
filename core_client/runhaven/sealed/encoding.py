"""Two of Parquet's encodings of numbers of eight bytes, and their inverses.

https://parquet.apache.org/docs/file-format/data-pages/encodings/. Decoders write the values of a page, without so many
first ones, into as many places as there are. That the memory is written once and no more of it than is wanted counts: a
page of memory that is new costs more than what fills it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven.missing import require
from runhaven.sealed.thrift import VarintReader, varint, zigzag

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = require("numpy", feature="reading sealed runs", package="runhaven[ui]")

WORD = 8
MOST = 8192
"""How many values one page can have."""

_MINIBLOCKS, _MINIBLOCK = 32, MOST // 32
_POWERS = np.array([1 << bits for bits in range(0, 64, 8)], np.uint64)


def split(values: NDArray[Any]) -> bytes:
    """Encode as BYTE_STREAM_SPLIT: the first byte of each value, then the second of each, and so on."""
    return values.view(np.uint8).reshape(-1, WORD).T.tobytes()


def unsplit(body: bytes, count: int, skipped: int, part: NDArray[Any]) -> None:
    """Undo `split`.

    Raises:
        ValueError: If the bytes do not hold so many values.
    """
    planes = np.frombuffer(body, np.uint8, count * WORD).reshape(WORD, count)[:, skipped : skipped + len(part)]
    found = part.view(np.uint8).reshape(len(part), WORD)
    for byte in range(WORD):
        found[:, byte] = planes[byte]


def pack(values: NDArray[np.int64]) -> bytes:
    """Encode as DELTA_BINARY_PACKED: differences, less the least of them, in as few bytes as their miniblock needs.

    Whole bytes, where bits would do: compressed they take no more, and neither side has to shift.
    """
    head = [varint(MOST), varint(_MINIBLOCKS), varint(len(values)), zigzag(int(values[0]))]
    if len(values) == 1:
        return b"".join(head)
    differences = values[1:] - values[:-1]
    least = differences.min()
    numbers = np.zeros(MOST, np.int64)
    np.subtract(differences, least, out=numbers[: len(differences)])
    blocks = numbers.view(np.uint64).reshape(_MINIBLOCKS, _MINIBLOCK)
    greatest: NDArray[np.uint64] = blocks.max(axis=1)
    widths: list[int] = np.searchsorted(_POWERS, greatest, side="right").tolist()
    planes = numbers.view(np.uint8).reshape(_MINIBLOCKS, _MINIBLOCK, WORD)
    packed = [planes[block, :, :width].tobytes() for block, width in enumerate(widths)]
    return b"".join([*head, zigzag(int(least)), bytes(8 * width for width in widths), *packed])


def unpack(body: bytes, count: int, skipped: int, part: NDArray[Any]) -> None:
    """Undo `pack`.

    Raises:
        ValueError: If the bytes do not hold so many values.
        IndexError: If they end too soon.
    """
    head = VarintReader(body)
    sizes, first = (head.varint(), head.varint(), head.varint()), head.zigzag()
    if sizes != (MOST, _MINIBLOCKS, count):
        message = "a page whose values do not number what its head says, or of another writer"
        raise ValueError(message)
    least = head.zigzag() if count > 1 else 0
    numbers = np.zeros(MOST, np.int64)
    planes = numbers.view(np.uint8).reshape(_MINIBLOCKS, _MINIBLOCK, WORD)
    at = head.position + _MINIBLOCKS
    for block, bits in enumerate(body[head.position : at]):
        width = bits // 8
        if width:
            stored = np.frombuffer(body, np.uint8, _MINIBLOCK * width, at)
            planes[block, :, :width] = stored.reshape(_MINIBLOCK, width)
            at += len(stored)
    values = np.empty(count, np.int64)
    values[0] = first
    np.add(numbers[: count - 1], least, out=values[1:])
    np.cumsum(values, out=values)
    part[:] = values[skipped : skipped + len(part)]
