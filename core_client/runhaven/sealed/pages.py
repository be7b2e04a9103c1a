"""Reads single pages of a column out of the Parquet files that this package writes.

Who writes a file says where each page of its numbers lies. From then on a stretch of a column costs one read of the file,
one decompression for each page and some array operations, whatever the file's size.
"""

from __future__ import annotations

import os
import sys
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.missing import require
from runhaven.sealed.encoding import unpack, unsplit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
else:
    np = require("numpy", feature="reading sealed runs", package="runhaven[ui]")

zstd = require(
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd",
    feature="reading sealed runs",
    package="runhaven[ui]",
)

DELTA, SPLIT = 5, 9
"""Parquet's numbers of the encodings in use."""

_DECODERS = {DELTA: unpack, SPLIT: unsplit}


class Column(NamedTuple):
    """Where the pages of one column lie.

    Attributes:
        code: numpy's code for its values.
        encoding: Parquet's number of how they are encoded.
        offsets: Where the compressed values of each page begin in the file.
        sizes: How many bytes they take.
        firsts: The row that each page begins with; at the end, one more than the last row.
    """

    code: str
    encoding: int
    offsets: list[int]
    sizes: list[int]
    firsts: list[int]


def read_column(fd: int, column: Column, start: int, stop: int) -> NDArray[Any]:
    """Return the values of the rows from `start` up to, not including, `stop`.

    Raises:
        ValueError: If a page cannot be read here.
        OSError: If the file cannot be read.
    """
    code, encoding, offsets, sizes, firsts = column
    if start >= stop:
        return np.empty(0, code)
    first, last = bisect_right(firsts, start) - 1, bisect_left(firsts, stop) - 1
    begin, end = offsets[first], offsets[last] + sizes[last]
    # Pages of one row group lie behind each other; between two groups lie other columns.
    is_dense = end - begin <= 2 * sum(sizes[first : last + 1])
    data = os.pread(fd, end - begin, begin) if is_dense else b""
    decode = _DECODERS[encoding]
    values = np.empty(stop - start, code)
    for page in range(first, last + 1):
        place, head = offsets[page] - begin, firsts[page]
        packed = data[place : place + sizes[page]] if is_dense else os.pread(fd, sizes[page], offsets[page])
        skipped = max(0, start - head)
        part = values[head + skipped - start : firsts[page + 1] - start]
        try:
            decode(zstd.ZstdDecompressor().decompress(packed), firsts[page + 1] - head, skipped, part)
        except (IndexError, OverflowError, EOFError, zstd.ZstdError) as error:
            message = f"a page that cannot be read: {error!r}"
            raise ValueError(message) from error
    return values
