"""The frames of a journal file: each a checksummed batch of records, sorted into compressed sections.

A frame is `"RHJ1" | kind u8 | flags u8 | check u16 | length u32 | count u32 | first u64 | crc32 u32 | payload`,
little-endian. `check` guards the header alone, so that a flipped length is seen at once. docs/formats.md specifies it.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from typing import TYPE_CHECKING, NamedTuple

from runhaven.journal.layout import CHECKSUM_SIZE, HEAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runhaven.journal.layout import Layout

MAGIC = b"RHJ1"
HEADER_KIND, BATCH_KIND = 0, 1
_FRAME = struct.Struct("<4sBBHIIQI")
FRAME_SIZE = _FRAME.size

_SECTION = struct.Struct("<BBHIIII")
_LOOSE = struct.Struct("<III")
ROWS_SECTION, LOOSE_SECTION = 0, 1
_COMPRESSED, _SCATTERED = 1, 2
_WORTH_COMPRESSING = 64


class Frame(NamedTuple):
    """The header of a frame, checked."""

    kind: int
    length: int
    records: int
    first: int
    crc: int


class Piece(NamedTuple):
    """Whole records that follow each other in a tail; all of one fixed layout, or mixed when `layout` is None."""

    layout: Layout | None
    first: int
    data: bytes


class Section(NamedTuple):
    """One section of a batch, still compressed."""

    kind: int
    flags: int
    schema: int
    rows: int
    raw_length: int
    data: memoryview


def seal_frame(kind: int, count: int, first: int, payload: bytes) -> bytes:
    """Return the frame that carries `payload`."""
    bare = _FRAME.pack(MAGIC, kind, 0, 0, len(payload), count, first, 0)
    check = zlib.crc32(bare) & 0xFFFF
    crc = zlib.crc32(payload, zlib.crc32(bare))
    return _FRAME.pack(MAGIC, kind, 0, check, len(payload), count, first, crc) + payload


def open_frame(data: bytes | memoryview, offset: int = 0) -> Frame | None:
    """Read a frame's header; None when there is no sound header at `offset`."""
    if len(data) - offset < FRAME_SIZE or data[offset : offset + 4] != MAGIC:
        return None
    magic, kind, flags, check, length, count, first, crc = _FRAME.unpack_from(data, offset)
    bare = _FRAME.pack(magic, kind, flags, 0, length, count, first, 0)
    return Frame(kind, length, count, first, crc) if zlib.crc32(bare) & 0xFFFF == check else None


def is_sound(header: bytes | memoryview, frame: Frame, payload: bytes | memoryview) -> bool:
    """Tell whether the payload is what the frame's writer sealed."""
    magic, kind, flags, _, length, count, first, _ = _FRAME.unpack_from(header)
    bare = _FRAME.pack(magic, kind, flags, 0, length, count, first, 0)
    return zlib.crc32(payload, zlib.crc32(bare)) == frame.crc


def seal_batch(first: int, count: int, pieces: Iterable[Piece]) -> bytes:
    """Return one frame holding the records of `pieces`, numbered from `first` to `first + count - 1`."""
    loose: list[Piece] = []
    rows: dict[int, tuple[Layout, list[Piece]]] = {}
    for piece in pieces:
        if piece.layout is None:
            loose.append(piece)
        else:
            rows.setdefault(piece.layout.id, (piece.layout, []))[1].append(piece)
    sections = [_seal_loose(first, loose)] if loose else []
    sections += [_seal_rows(first, layout, found) for layout, found in rows.values()]
    return seal_frame(BATCH_KIND, count, first, b"".join(sections))


def _section(kind: int, flags: int, schema: int, count: int, raw: bytes) -> bytes:
    data = zlib.compress(raw, 1) if len(raw) >= _WORTH_COMPRESSING else raw
    flags |= _COMPRESSED if data is not raw else 0
    return _SECTION.pack(kind, flags, 0, schema, count, len(raw), len(data)) + data


def _seal_loose(first: int, pieces: Sequence[Piece]) -> bytes:
    entries: list[bytes] = []
    for piece in pieces:
        position, number = 0, piece.first
        while position < len(piece.data):
            length, _, tag = HEAD.unpack_from(piece.data, position)
            body = piece.data[position + HEAD.size : position + length - CHECKSUM_SIZE]
            entries.append(_LOOSE.pack(number - first, tag, len(body)) + body)
            position += length
            number += 1
    return _section(LOOSE_SECTION, 0, 0, len(entries), b"".join(entries))


def _seal_rows(first: int, layout: Layout, pieces: Sequence[Piece]) -> bytes:
    size = layout.size
    data = pieces[0].data if len(pieces) == 1 else b"".join(piece.data for piece in pieces)
    planes = [data[byte::size] for byte in range(HEAD.size, size - CHECKSUM_SIZE)]
    if len(pieces) == 1:
        numbers, flags = struct.pack("<I", pieces[0].first - first), 0
    else:
        offsets = array("I")
        for piece in pieces:
            start = piece.first - first
            offsets.extend(range(start, start + len(piece.data) // size))
        numbers, flags = struct.pack(f"<{len(offsets)}I", *offsets), _SCATTERED
    return _section(ROWS_SECTION, flags, layout.id, len(data) // size, numbers + b"".join(planes))


def open_sections(payload: memoryview) -> list[Section]:
    """Split a batch into its sections, decompressing nothing.

    Raises:
        ValueError: If the sections do not fill the payload.
    """
    sections: list[Section] = []
    position = 0
    while position < len(payload):
        if len(payload) - position < _SECTION.size:
            message = "section header cut short"
            raise ValueError(message)
        kind, flags, _, schema, count, raw_length, length = _SECTION.unpack_from(payload, position)
        position += _SECTION.size
        data = payload[position : position + length]
        if len(data) != length:
            message = "section cut short"
            raise ValueError(message)
        sections.append(Section(kind, flags, schema, count, raw_length, data))
        position += length
    return sections


def read_section(section: Section) -> bytes:
    """Return the bytes of a section, decompressed.

    Raises:
        ValueError: If they are not what the section promises.
    """
    if not section.flags & _COMPRESSED:
        return bytes(section.data)
    try:
        raw = zlib.decompressobj().decompress(section.data, section.raw_length + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(raw) != section.raw_length:
        message = "section of a wrong size"
        raise ValueError(message)
    return raw


def split_rows(section: Section, first: int) -> tuple[array[int], memoryview]:
    """Return the record numbers and the byte planes of a rows section.

    Raises:
        ValueError: If the section is not sound.
    """
    raw = memoryview(read_section(section))
    try:
        if section.flags & _SCATTERED:
            offsets = struct.unpack_from(f"<{section.rows}I", raw)
            return array("Q", [first + offset for offset in offsets]), raw[4 * section.rows :]
        (start,) = struct.unpack_from("<I", raw)
    except struct.error as error:
        message = "rows section cut short"
        raise ValueError(message) from error
    return array("Q", range(first + start, first + start + section.rows)), raw[4:]


def split_loose(section: Section, first: int) -> list[tuple[int, int, memoryview]]:
    """Return (record number, tag, body) of each record in a loose section.

    Raises:
        ValueError: If the section is not sound.
    """
    raw = memoryview(read_section(section))
    entries: list[tuple[int, int, memoryview]] = []
    position = 0
    while position < len(raw):
        if len(raw) - position < _LOOSE.size:
            message = "loose record cut short"
            raise ValueError(message)
        offset, tag, length = _LOOSE.unpack_from(raw, position)
        position += _LOOSE.size
        entries.append((first + offset, tag, raw[position : position + length]))
        position += length
    return entries
