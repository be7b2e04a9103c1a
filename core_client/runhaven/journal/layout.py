"""How one row lies in bytes: a fixed head, packed cells, then the text of string and JSON cells.

A record is `length u32 | number u32 | tag u32 | body | crc32 u32`, little-endian; `length` counts the whole record and
`crc32` covers the writer's name and all before it. A row's tag is its schema id and its body `step i64 | time i64 | cells`; other tags are
`SCHEMA_TAG` and `EVENT_TAG`, whose body is JSON. docs/formats.md is the specification.
"""

from __future__ import annotations

import json
import struct
from array import array
from typing import TYPE_CHECKING, Any
from zlib import crc32

from runhaven.journal.record import RowBlock, Schema

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runhaven.journal.record import CellType, Column

EVENT_TAG = 0xFFFFFFFF
SCHEMA_TAG = 0xFFFFFFFE

HEAD = struct.Struct("<III")
STEP_AND_TIME = struct.Struct("<qq")
CHECKSUM_SIZE = 4

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
        folds_as: The layout itself when its rows can be folded column by column, else None.
        size: Bytes of a record, without the text of string and JSON cells.
    """

    __slots__ = ("_pack_fixed", "_seed", "_text_cells", "folds_as", "id", "is_fixed", "schema", "size")

    def __init__(self, id: int, schema: Schema, *, seed: int = 0) -> None:  # noqa: A002 - the term of the format
        """Prepare the packing of rows of `schema`; a writer gives the seed of its checksums."""
        codes = "".join(_CODES[kind] for _, kind in schema.cells)
        packer = struct.Struct(f"<IIIqq{codes}")
        self.id = id
        self.schema = schema
        self.size = packer.size + CHECKSUM_SIZE
        self._seed = seed
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


def _native(column: array[Any]) -> array[Any]:
    if _BIG_ENDIAN:
        column.byteswap()
    return column


_BIG_ENDIAN = struct.pack("=H", 1) != struct.pack("<H", 1)


def block_from_planes(writer: str, layout: Layout, numbers: array[int], planes: bytes | memoryview) -> RowBlock:
    """Rebuild rows of a fixed layout from their byte planes.

    Args:
        writer: Name of the writer.
        layout: The rows' fixed layout.
        numbers: Record number of each row.
        planes: Plane after plane: byte i of every row's body, for each i.

    Raises:
        ValueError: If the planes do not hold exactly that many rows.
    """
    count = len(numbers)
    width = layout.size - HEAD.size - CHECKSUM_SIZE
    if len(planes) != width * count:
        message = "byte planes of a wrong size"
        raise ValueError(message)
    position = 0

    def take(code: str, size: int) -> array[Any]:
        nonlocal position
        data = bytearray(size * count)
        for byte in range(size):
            data[byte::size] = planes[position : position + count]
            position += count
        return _native(array(code, bytes(data)))

    steps, times = take("q", 8), take("q", 8)
    columns: list[Column] = []
    for _, kind in layout.schema.cells:
        if kind == "b":
            columns.append(bytearray(planes[position : position + count]))
            position += count
        else:
            columns.append(take(_CODES[kind], _WIDTHS[kind]))
    return RowBlock(writer, layout.schema, numbers, steps, times, tuple(columns))


def block_from_bodies(
    writer: str, layout: Layout, numbers: array[int], bodies: Sequence[bytes | memoryview]
) -> RowBlock:
    """Rebuild rows of any layout from their bodies.

    Raises:
        ValueError: If a body does not fit the layout.
    """
    width = layout.size - HEAD.size - CHECKSUM_SIZE
    if layout.is_fixed and all(len(body) == width for body in bodies):
        data = b"".join(bodies)
        return block_from_planes(writer, layout, numbers, b"".join([data[byte::width] for byte in range(width)]))
    unpack = struct.Struct("<qq" + "".join(_CODES[kind] for _, kind in layout.schema.cells))
    try:
        rows = [(unpack.unpack_from(body), body) for body in bodies]
    except struct.error as error:
        message = "row body of a wrong size"
        raise ValueError(message) from error
    texts = [_texts(layout, cells[2:], body, unpack.size) for cells, body in rows]
    columns: list[Column] = []
    for index, (_, kind) in enumerate(layout.schema.cells):
        if kind in "sj":
            columns.append([text[index] for text in texts])
        elif kind == "b":
            columns.append(bytearray(cells[index + 2] for cells, _ in rows))
        else:
            columns.append(array(_CODES[kind], [cells[index + 2] for cells, _ in rows]))
    steps = array("q", [cells[0] for cells, _ in rows])
    times = array("q", [cells[1] for cells, _ in rows])
    return RowBlock(writer, layout.schema, numbers, steps, times, tuple(columns))


def _texts(layout: Layout, cells: Sequence[Any], body: bytes | memoryview, position: int) -> dict[int, Any]:
    found: dict[int, Any] = {}
    for index, (_, kind) in enumerate(layout.schema.cells):
        if kind not in "sj":
            continue
        data = bytes(body[position : position + cells[index]])
        if len(data) != cells[index]:
            message = "text of a cell is cut short"
            raise ValueError(message)
        position += cells[index]
        found[index] = data.decode("utf-8", "surrogatepass") if kind == "s" else decode_json(data)
    return found
