"""Writes Parquet files of numbers, and of words that stay the same over many rows.

A writer for all purposes looks at the word of every row; with one series of a million points that took as long as all its numbers.
Here a column of words comes as runs, and is kept as they are. Formats: https://parquet.apache.org/docs/file-format/.
"""

from __future__ import annotations

import base64
import io
import struct as packing
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, NamedTuple, TypeAlias

from runhaven.missing import require
from runhaven.sealed.encoding import pack, split
from runhaven.sealed.pages import DELTA, SPLIT, Column, zstd
from runhaven.sealed.thrift import TRUE, binary, i32, i64, listed, struct, varint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.sealed.thrift import Value
else:
    np = require("numpy", feature="sealing runs", package="runhaven[ui]")

arrow = require("arro3.core", feature="sealing runs", package="runhaven[ui]")
ipc = require("arro3.io", feature="sealing runs", package="runhaven[ui]")

ROW_GROUP = 1 << 20
_MAGIC = b"PAR1"
_REQUIRED, _ZSTD = 0, 6
_PLAIN, _RLE, _RLE_DICTIONARY = 0, 3, 8
_DATA_PAGE, _DICTIONARY_PAGE = 0, 2
_END_OF_STREAM = 8
_NOTHING = struct({})


class Kind(NamedTuple):
    """What the values of a column are.

    Attributes:
        physical: Parquet's number of how one is stored.
        code: `struct`'s code for that; "" for a text.
        logical: What Parquet's schema says of it besides.
        arrow: Arrow's type.
    """

    physical: int
    code: str
    logical: Mapping[int, Value]
    arrow: Any


_TEXT = arrow.DataType.dictionary(arrow.DataType.int32(), arrow.DataType.string())
_MICROSECONDS = struct({8: struct({1: TRUE, 2: struct({2: _NOTHING})})})
WORD = Kind(6, "", {6: i32(0), 10: struct({1: _NOTHING})}, _TEXT)
SMALL = Kind(1, "<i", {}, arrow.DataType.int32())
INTEGER = Kind(2, "<q", {}, arrow.DataType.int64())
TIME = Kind(2, "<q", {6: i32(10), 10: _MICROSECONDS}, arrow.DataType.timestamp("us", tz="UTC"))
FLOAT = Kind(5, "<d", {}, arrow.DataType.float64())

Encoding: TypeAlias = Literal["runs", "split", "delta"]
"""A dictionary and runs of equal values, byte planes, or differences."""

_Compress: TypeAlias = "Callable[[bytes, int], bytes]"

_ENCODERS: dict[Encoding, tuple[int, Callable[[NDArray[Any]], bytes]]] = {
    "split": (SPLIT, split),
    "delta": (DELTA, pack),
}


class Field(NamedTuple):
    """A column: its name, what its values are, and how they are encoded."""

    name: str
    kind: Kind
    encoding: Encoding = "split"


class _Page(NamedTuple):
    head: bytes
    body: bytes
    raw_size: int


class _Chunk(NamedTuple):
    """What a column holds of a row group; the first of its pages may be a dictionary."""

    pages: list[_Page]
    encodings: tuple[int, ...]
    bounds: tuple[bytes, bytes] | None


class NumberFile:
    """A file that is written stretch by stretch; of it nothing lies in memory but a row group, compressed."""

    def __init__(self, file: BinaryIO, fields: Sequence[Field], *, page: int, metadata: Mapping[str, str]) -> None:
        """Begin a file.

        Args:
            file: Where it goes.
            fields: Its columns.
            page: How many rows a page has, at most `encoding.MOST`.
            metadata: What its footer says for those who know.
        """
        self._file = file
        self._fields = fields
        self._page = page
        self._metadata = {"ARROW:schema": _arrow_schema(fields), **metadata}
        compress = zstd.ZstdCompressor(level=1).compress
        self._columns = [
            _Runs(field.kind, compress) if field.encoding == "runs" else _Numbers(field, compress, page)
            for field in fields
        ]
        self._places = {
            field.name: Column(field.kind.code, _ENCODERS[field.encoding][0], [], [], [])
            for field in fields
            if field.encoding != "runs"
        }
        self._groups: list[Value] = []
        self._rows = self._rows_of_group = 0
        self._offset = file.write(_MAGIC)

    def add(self, columns: Sequence[Any], count: int) -> None:
        """Write rows: of each column its values, or the one that all rows have if it is encoded as runs."""
        done = 0
        while done < count:
            stop = min(count, done + ROW_GROUP - self._rows_of_group)
            for column, values in zip(self._columns, columns, strict=True):
                column.add(values, done, stop)
            self._rows_of_group += stop - done
            done = stop
            if self._rows_of_group == ROW_GROUP:
                self._end_group()

    def end(self) -> dict[str, Column]:
        """Write what is left and the footer, and return where the pages of numbers lie."""
        if self._rows_of_group:
            self._end_group()
        for place in self._places.values():
            place.firsts.append(self._rows)
        schema = [struct({4: binary(b"schema"), 5: i32(len(self._fields))}), *map(_describe, self._fields)]
        pairs = [struct({1: binary(name.encode()), 2: binary(text.encode())}) for name, text in self._metadata.items()]
        about = {1: i32(1), 2: listed(schema), 3: i64(self._rows), 4: listed(self._groups), 5: listed(pairs)}
        orders = listed([struct({1: _NOTHING})] * len(self._fields))
        footer = struct({**about, 6: binary(b"runhaven"), 7: orders}).data
        self._file.write(footer + packing.pack("<I", len(footer)) + _MAGIC)
        return self._places

    def _end_group(self) -> None:
        start, rows = self._offset, self._rows_of_group
        parts = [self._write(field, column.end()) for field, column in zip(self._fields, self._columns, strict=True)]
        size = i64(sum(raw_size for _, raw_size in parts))
        self._groups.append(
            struct({1: listed([about for about, _ in parts]), 2: size, 3: i64(rows), 6: i64(self._offset - start)})
        )
        self._rows += rows
        self._rows_of_group = 0

    def _write(self, field: Field, chunk: _Chunk) -> tuple[Value, int]:
        """Write what a column has in a row group; return what the footer says of it, and its size before compression."""
        offsets: list[int] = []
        for page in chunk.pages:
            offsets.append(self._offset)
            self._offset += self._file.write(page.head) + self._file.write(page.body)
        raw_size = sum(len(page.head) + page.raw_size for page in chunk.pages)
        if (place := self._places.get(field.name)) is not None:
            place.offsets.extend(at + len(page.head) for at, page in zip(offsets, chunk.pages, strict=True))
            place.sizes.extend(len(page.body) for page in chunk.pages)
            place.firsts.extend(range(self._rows, self._rows + self._rows_of_group, self._page))
        is_dictionary = field.encoding == "runs"
        about = {
            1: i32(field.kind.physical), 2: listed([i32(encoding) for encoding in chunk.encodings]),
            3: listed([binary(field.name.encode())]), 4: i32(_ZSTD), 5: i64(self._rows_of_group), 6: i64(raw_size),
            7: i64(self._offset - offsets[0]), 9: i64(offsets[is_dictionary]),
        }  # fmt: skip
        if is_dictionary:
            about[11] = i64(offsets[0])
        if chunk.bounds is not None:
            least, greatest = chunk.bounds
            about[12] = struct({3: i64(0), 5: binary(greatest), 6: binary(least)})
        return struct({2: i64(offsets[0]), 3: struct(about)}), raw_size


class _Numbers:
    """A column of numbers, encoded a page at a time."""

    def __init__(self, field: Field, compress: _Compress, page: int) -> None:
        self._code = field.kind.code
        # Zero has a sign, which the order of numbers does not know.
        self._zeros = (-0.0, 0.0) if field.kind is FLOAT else (0, 0)
        self._number, self._encode = _ENCODERS[field.encoding]
        self._compress = compress
        self._page = page
        self._begin()

    def _begin(self) -> None:
        self._pages: list[_Page] = []
        self._parts: list[NDArray[Any]] = []
        self._left = self._page
        self._bounds: list[Any] = []

    def add(self, values: NDArray[Any], start: int, stop: int) -> None:
        """Take in some of the values."""
        self._bounds += _bounds(values[start:stop])
        while start < stop:
            taken = min(stop - start, self._left)
            self._parts.append(values[start : start + taken])
            start += taken
            self._left -= taken
            if not self._left:
                self._end_page()

    def _end_page(self) -> None:
        values = self._parts[0] if len(self._parts) == 1 else np.concatenate(self._parts)
        self._pages.append(_data_page(self._encode(values), len(values), self._number, self._compress))
        self._parts, self._left = [], self._page

    def end(self) -> _Chunk:
        """Return what came since the last row group."""
        if self._parts:
            self._end_page()
        bounds = None
        if self._bounds:
            ends = min(self._bounds) or self._zeros[0], max(self._bounds) or self._zeros[1]
            bounds = packing.pack(self._code, ends[0]), packing.pack(self._code, ends[1])
        found = _Chunk(self._pages, (self._number, _RLE), bounds)
        self._begin()
        return found


class _Runs:
    """A column of values that stay the same over many rows: a dictionary of them, and runs."""

    def __init__(self, kind: Kind, compress: _Compress) -> None:
        self._code = kind.code
        self._compress = compress
        self._places: dict[Any, int] = {}
        self._runs: list[tuple[int, int]] = []

    def add(self, value: Any, start: int, stop: int) -> None:
        """Take in one value of many rows."""
        place = self._places.setdefault(value, len(self._places))
        if self._runs and self._runs[-1][0] == place:
            start -= self._runs.pop()[1]
        self._runs.append((place, stop - start))

    def end(self) -> _Chunk:
        """Return what came since the last row group."""
        stored = [
            value.encode() if isinstance(value, str) else packing.pack(self._code, value) for value in self._places
        ]
        if self._code:
            words, least, greatest = stored, *(packing.pack(self._code, end(self._places)) for end in (min, max))
        else:
            words, least, greatest = [packing.pack("<I", len(word)) + word for word in stored], min(stored), max(stored)
        width = (len(words).bit_length() + 7) // 8
        runs = b"".join([varint(count << 1) + place.to_bytes(width, "little") for place, count in self._runs])
        count = sum(count for _, count in self._runs)
        pages = [
            _page(_DICTIONARY_PAGE, 7, {1: i32(len(words)), 2: i32(_PLAIN)}, b"".join(words), self._compress),
            _data_page(bytes([8 * width]) + runs, count, _RLE_DICTIONARY, self._compress),
        ]
        self._places, self._runs = {}, []
        return _Chunk(pages, (_PLAIN, _RLE, _RLE_DICTIONARY), (least, greatest))


def _bounds(values: NDArray[Any]) -> list[Any]:
    """Return the least and the greatest of some numbers, NaN apart; nothing if there is no other."""
    least, greatest = values.min(), values.max()
    if least != least:  # noqa: PLR0124 - NaN
        known = values[~np.isnan(values)]
        return [known.min().item(), known.max().item()] if len(known) else []
    return [least.item(), greatest.item()]


def _data_page(raw: bytes, count: int, encoding: int, compress: _Compress) -> _Page:
    # No value is null and none repeats, so there are no levels, whose encoding is named nevertheless.
    return _page(_DATA_PAGE, 5, {1: i32(count), 2: i32(encoding), 3: i32(_RLE), 4: i32(_RLE)}, raw, compress)


def _page(kind: int, field: int, about: Mapping[int, Value], raw: bytes, compress: _Compress) -> _Page:
    body = compress(raw, zstd.ZstdCompressor.FLUSH_FRAME)
    return _Page(struct({1: i32(kind), 2: i32(len(raw)), 3: i32(len(body)), field: struct(about)}).data, body, len(raw))


def _describe(field: Field) -> Value:
    return struct(
        {1: i32(field.kind.physical), 3: i32(_REQUIRED), 4: binary(field.name.encode()), **field.kind.logical}
    )


def _arrow_schema(fields: Sequence[Field]) -> str:
    """Return the schema as Arrow's readers want it, which then know that words are to stay numbers of a dictionary."""
    schema = arrow.Schema([arrow.Field(field.name, field.kind.arrow, nullable=False) for field in fields])
    stream = io.BytesIO()
    ipc.write_ipc_stream(arrow.RecordBatchReader.from_batches(schema, []), stream)
    return base64.b64encode(stream.getvalue()[:-_END_OF_STREAM]).decode()
