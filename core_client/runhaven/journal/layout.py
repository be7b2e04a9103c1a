"""How one row lies in bytes: a fixed head, packed cells, then the text of string and JSON cells.

A record is `length u32 | number u32 | tag u32 | body | crc32 u32`, little-endian; `length` counts the whole record and
`crc32` covers the writer's name and all before it. A row's tag is its schema id and its body `step i64 | time i64 | cells`; other tags are
`SCHEMA_TAG` and `EVENT_TAG`, whose body is JSON. docs/formats.md is the specification.
"""

from __future__ import annotations

import json
import struct
from array import array
from typing import TYPE_CHECKING, Any, TypeAlias
from zlib import crc32

from runhaven.journal.column import merge_planes, native, room_for, split_planes
from runhaven.journal.record import RowBlock, Schema
from runhaven.journal.sharing import share

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from runhaven.journal.record import CellType, Column, Numbers

    Part: TypeAlias = tuple[Numbers, bytes | memoryview, int]

EVENT_TAG = 0xFFFFFFFF
SCHEMA_TAG = 0xFFFFFFFE

HEAD = struct.Struct("<III")
STEP_AND_TIME = struct.Struct("<qq")
CHECKSUM_SIZE = 4
_WORTH_SHARING = 4 << 20
"""From so many bytes on, opening rows takes long enough for a second thread to begin."""

_CODES: dict[CellType, str] = {"f": "d", "i": "q", "b": "?", "s": "I", "j": "I"}
_WIDTHS: dict[CellType, int] = {"f": 8, "i": 8, "b": 1, "s": 4, "j": 4}


def encode_json(value: object) -> bytes:
    """Encode a value as compact UTF-8 JSON; it must hold nothing that JSON cannot."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "surrogatepass"
    )


def decode_json(data: bytes | memoryview) -> Any:
    """Decode what `encode_json` made.

    Raises:
        ValueError: If the bytes are not JSON in UTF-8.
    """
    return json.loads(bytes(data).decode("utf-8", "surrogatepass"))


def seed_for(writer: str) -> int:
    """Return where the checksums of one writer start, so that no other journal's bytes pass for its own."""
    return crc32(writer.encode())


def seal_record(number: int, tag: int, body: bytes, *, seed: int) -> bytes:
    """Return the record that carries `body`."""
    data = HEAD.pack(HEAD.size + len(body) + CHECKSUM_SIZE, number & 0xFFFFFFFF, tag) + body
    return data + crc32(data, seed).to_bytes(4, "little")


class Layout:
    """A schema as one writer's rows carry it.

    Attributes:
        id: The schema's number within its writer.
        schema: What the cells are.
        is_fixed: Whether every record of this layout has the same length, `size`.
        words: How many columns have eight bytes a row, step and time among them.
        flags: How many have one: those of bool cells.
        folds_as: The layout itself when its rows can be folded column by column, else None.
        size: Bytes of a record, without the text of string and JSON cells.
    """

    __slots__ = (
        "_pack_fixed", "_places", "_seed", "_text_cells", "flags", "folds_as", "id", "is_fixed", "schema", "size",
        "words",
    )  # fmt: skip

    def __init__(self, id: int, schema: Schema, *, seed: int = 0) -> None:  # noqa: A002 - the term of the format
        """Prepare the packing of rows of `schema`; a writer gives the seed of its checksums."""
        codes = "".join(_CODES[kind] for _, kind in schema.cells)
        packer = struct.Struct(f"<IIIqq{codes}")
        self.id = id
        self.schema = schema
        self.size = packer.size + CHECKSUM_SIZE
        self._seed = seed
        self._places = _places(schema)
        self.words, self.flags = map(len, self._places)
        self._text_cells = [index for index, (_, kind) in enumerate(schema.cells) if kind in "sj"]
        self.is_fixed = not self._text_cells
        self.folds_as = self if self.is_fixed else None
        self._pack_fixed: Callable[..., bytes] = packer.pack

    def pack(self, number: int, step: int, time: int, values: Sequence[Any]) -> bytes:
        """Return the record of one row; string and JSON cells come as encoded bytes."""
        if self.is_fixed:
            data = self._pack_fixed(self.size, number & 0xFFFFFFFF, self.id, step, time, *values)
            return data + crc32(data, self._seed).to_bytes(4, "little")
        cells = list(values)
        texts = [cells[index] for index in self._text_cells]
        for index, text in zip(self._text_cells, texts, strict=True):
            cells[index] = len(text)
        size = self.size + sum(map(len, texts))
        data = self._pack_fixed(size, number & 0xFFFFFFFF, self.id, step, time, *cells) + b"".join(texts)
        return data + crc32(data, self._seed).to_bytes(4, "little")

    def transpose(self, records: bytes) -> bytes:
        """Return the bodies of records of this fixed layout column by column.

        First step, time and all cells of eight bytes, as one column after the other in eight byte planes: the lowest
        byte of every value of every column, then the next. Then the columns of bool cells, a byte a row.
        """
        words, flags = self._places
        if flags:
            planes = [records[place + byte :: self.size] for byte in range(8) for place in words]
            return b"".join(planes + [records[place :: self.size] for place in flags])
        # Without bool cells the size is a multiple of eight: whole columns can be cut out.
        values = array("Q", records[HEAD.size : -CHECKSUM_SIZE])
        stride = self.size // 8
        return split_planes(b"".join([values[column::stride] for column in range(len(words))]), width=8)

    def check(self, planes: bytes | memoryview, *, rows: int) -> None:
        """Make sure that planes hold exactly so many rows.

        Raises:
            ValueError: If they do not.
        """
        if not self.is_fixed or len(planes) != (8 * self.words + self.flags) * rows:
            message = "byte planes of a wrong size"
            raise ValueError(message)

    def describe(self) -> bytes:
        """Return the body of the schema record that defines this layout."""
        return encode_json({"id": self.id, "stream": self.schema.stream, "cells": self.schema.cells})


def parse_layout(body: bytes | memoryview) -> Layout:
    """Read the body of a schema record.

    Raises:
        ValueError: If it describes no schema that this version knows.
    """
    data = decode_json(body)
    try:
        cells: tuple[tuple[str, CellType], ...] = tuple((str(key), kind) for key, kind in data["cells"])
        if any(kind not in _CODES for _, kind in cells):
            message = "unknown cell type"
            raise ValueError(message)
        return Layout(int(data["id"]), Schema(str(data["stream"]), cells))
    except (KeyError, TypeError) as error:
        message = "not a schema"
        raise ValueError(message) from error


def _places(schema: Schema) -> tuple[list[int], list[int]]:
    """Return where in a record of a fixed layout the values of eight bytes lie, and where the bool cells."""
    words, flags = [HEAD.size, HEAD.size + 8], list[int]()
    place = HEAD.size + STEP_AND_TIME.size
    for _, kind in schema.cells:
        (flags if kind == "b" else words).append(place)
        place += _WIDTHS[kind]
    return words, flags


def block_from_planes(writer: str, layout: Layout, numbers: Numbers, planes: bytes | memoryview) -> RowBlock:
    """Rebuild rows of a fixed layout from what `Layout.transpose` made.

    Args:
        writer: Name of the writer.
        layout: The rows' fixed layout.
        numbers: Record number of each row.
        planes: The rows' bodies, transposed.

    Raises:
        ValueError: If the planes do not hold exactly that many rows.
    """
    layout.check(planes, rows=len(numbers))
    size = 8 * layout.words * len(numbers)
    return _block_from_columns(writer, layout, numbers, merge_planes(planes[:size], width=8), planes[size:])


def blocks_from_parts(
    writer: str,
    layout: Layout,
    parts: Generator[tuple[int, Callable[[], Part | None]], None, None],
    *,
    counts: Sequence[int],
) -> list[RowBlock]:
    """Rebuild rows of a fixed layout: as one block, put together part by part, where numpy is there to do it.

    Args:
        writer: Name of the writer.
        layout: The rows' fixed layout.
        parts: The place of each part, and what opens it, on any thread: record numbers and checked planes of its rows,
            and how many of the first of them to leave out; None if it cannot be read.
        counts: How many rows the part in each place has at most.
    """
    room = room_for(counts, words=layout.words, flags=layout.flags)
    blocks: dict[int, RowBlock] = {}

    def put(part: tuple[int, Callable[[], Part | None]]) -> None:
        place, opened = part[0], part[1]()
        if opened is None or opened[2] == len(opened[0]):
            return
        if room is not None:
            room.put(place, *opened)
        else:
            numbers, planes, skipped = opened
            blocks[place] = block_from_planes(writer, layout, numbers, planes).since(numbers[skipped])

    share(put, parts, is_much=sum(counts) * layout.size >= _WORTH_SHARING)
    if room is not None and room.is_used:
        return [_block_from_columns(writer, layout, *room.content())]
    return [block for _, block in sorted(blocks.items(), key=lambda found: found[0])]


def _block_from_columns(
    writer: str, layout: Layout, numbers: Numbers, words: bytes | bytearray | memoryview, flags: bytes | memoryview
) -> RowBlock:
    rows = len(numbers)
    view = memoryview(words)
    columns: list[Column] = []
    place, flag_place = 16 * rows, 0
    for _, kind in layout.schema.cells:
        if kind == "b":
            columns.append(bytearray(flags[flag_place : flag_place + rows]))
            flag_place += rows
        else:
            columns.append(native(_CODES[kind], view[place : place + 8 * rows]))
            place += 8 * rows
    steps, times = native("q", view[: 8 * rows]), native("q", view[8 * rows : 16 * rows])
    return RowBlock(writer, layout.schema, numbers, steps, times, tuple(columns))


def block_from_bodies(writer: str, layout: Layout, numbers: Numbers, bodies: Sequence[bytes | memoryview]) -> RowBlock:
    """Rebuild rows of any layout from their bodies.

    Raises:
        ValueError: If a body does not fit the layout.
    """
    words = len(layout.schema.cells) + 2
    if layout.is_fixed and all(len(body) == 8 * words == layout.size - 16 for body in bodies):
        values = array("Q", b"".join(bodies))
        columns = b"".join([values[column::words] for column in range(words)])
        return _block_from_columns(writer, layout, numbers, columns, b"")
    return _block_from_rows(writer, layout, numbers, bodies)


def _block_from_rows(writer: str, layout: Layout, numbers: Numbers, bodies: Sequence[bytes | memoryview]) -> RowBlock:
    unpack = struct.Struct("<qq" + "".join(_CODES[kind] for _, kind in layout.schema.cells))
    try:
        rows = [(unpack.unpack_from(body), body) for body in bodies]
    except struct.error as error:
        message = "row body of a wrong size"
        raise ValueError(message) from error
    places = [unpack.size] * len(rows)
    columns: list[Column] = []
    for index, (_, kind) in enumerate(layout.schema.cells):
        column = [cells[index + 2] for cells, _ in rows]
        if kind in "sj":
            stops = [place + length for place, length in zip(places, column, strict=True)]
            texts = [bytes(body[place:stop]) for body, place, stop in zip(bodies, places, stops, strict=True)]
            columns.append(_decode_texts(kind, texts))
            places = stops
        else:
            columns.append(bytearray(column) if kind == "b" else array(_CODES[kind], column))
    if any(len(body) != place for body, place in zip(bodies, places, strict=True)):
        message = "row body of a wrong size"
        raise ValueError(message)
    steps = array("q", [cells[0] for cells, _ in rows])
    times = array("q", [cells[1] for cells, _ in rows])
    return RowBlock(writer, layout.schema, numbers, steps, times, tuple(columns))


def _decode_texts(kind: CellType, texts: Sequence[bytes]) -> list[Any]:
    if kind == "s":
        return [text.decode("utf-8", "surrogatepass") for text in texts]
    # One call for all: the time goes into calls.
    values = decode_json(b"[" + b",".join(texts) + b"]")
    if len(values) != len(texts):
        message = "a cell is not one JSON value"
        raise ValueError(message)
    return values
