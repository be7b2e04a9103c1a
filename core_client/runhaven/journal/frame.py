"""The frames of a journal file: each a batch of records, sorted into checksummed and compressed sections.

A frame is `"RHJ1" | kind u8 | flags u8 | 0 u16 | length u32 | records u32 | first u64 | crc32 u32 | sections`,
little-endian. Its crc32 covers the writer's name and the header; each section carries one of its own, so that a reader
may pass over sections unread and a flipped bit costs one section. docs/formats.md is the specification.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from typing import TYPE_CHECKING, NamedTuple

from runhaven.journal.column import consecutive, merge_planes, native, split_planes
from runhaven.journal.layout import CHECKSUM_SIZE, HEAD, STEP_AND_TIME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runhaven.journal.layout import Layout
    from runhaven.journal.record import Numbers

MAGIC = b"RHJ1"
HEADER_KIND, BATCH_KIND, END_KIND = 0, 1, 2
_FRAME = struct.Struct("<4sBBHIIQ")
FRAME_SIZE = _FRAME.size + CHECKSUM_SIZE

_SECTION = struct.Struct("<BBHIIII")
SECTION_SIZE = _SECTION.size + CHECKSUM_SIZE
ROWS_SECTION, LOOSE_SECTION, SCHEMA_SECTION, HEADER_SECTION = 0, 1, 2, 3
_COMPRESSED, _SCATTERED = 1, 2
_WORTH_COMPRESSING = 64
_LOOSE = struct.Struct("<III")


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
    """The header of a section; `crc` also covers the section's bytes, and `seed` is where it starts."""

    kind: int
    flags: int
    schema: int
    rows: int
    raw_length: int
    length: int
    crc: int
    seed: int


class _Part(NamedTuple):
    """A section to be sealed."""

    header: bytes
    data: bytes


def seal_header(header: bytes, *, seed: int) -> bytes:
    """Return the frame that opens a journal file; `header` is JSON."""
    return _seal_frame(HEADER_KIND, 0, 0, [_part(HEADER_SECTION, 0, 1, header)], seed=seed)


def seal_end(number: int, *, seed: int) -> bytes:
    """Return the frame that says that a journal was closed before record `number`."""
    return _seal_frame(END_KIND, 0, number, [], seed=seed)


def seal_batch(pieces: Sequence[Piece], *, repeat: Callable[[set[int]], Iterable[Layout]], seed: int) -> bytes:
    """Return one frame holding the records of `pieces`, which follow each other without a gap.

    Args:
        pieces: The records.
        repeat: Told the ids of all layouts in the batch, says whose schema to tell again, for readers that could not
            read it where it was recorded.
        seed: Where the writer's checksums start.
    """
    first = pieces[0].first
    rows: dict[int, tuple[Layout, list[Piece]]] = {}
    loose: list[bytes] = []
    tags: set[int] = set()
    stop = first
    for piece in pieces:
        if piece.layout is None:
            stop = _loosen(piece, first, loose, tags)
        else:
            rows.setdefault(piece.layout.id, (piece.layout, []))[1].append(piece)
            stop = piece.first + len(piece.data) // piece.layout.size
    parts = [_part(SCHEMA_SECTION, layout.id, 1, layout.describe()) for layout in repeat(tags | rows.keys())]
    parts += [_part(LOOSE_SECTION, 0, len(loose), b"".join(loose))] if loose else []
    parts += [_rows_part(first, layout, found) for layout, found in rows.values()]
    return _seal_frame(BATCH_KIND, stop - first, first, parts, seed=seed)


def _seal_frame(kind: int, records: int, first: int, parts: Sequence[_Part], *, seed: int) -> bytes:
    length = sum(SECTION_SIZE + len(part.data) for part in parts)
    header = _FRAME.pack(MAGIC, kind, 0, 0, length, records, first)
    crc = zlib.crc32(header, seed)
    out = [header, crc.to_bytes(4, "little")]
    for part in parts:
        check = zlib.crc32(part.data, zlib.crc32(part.header, crc))
        out += [part.header, check.to_bytes(4, "little"), part.data]
    return b"".join(out)


def _part(kind: int, schema: int, rows: int, raw: bytes, *, flags: int = 0) -> _Part:
    data = zlib.compress(raw, 1) if len(raw) >= _WORTH_COMPRESSING else raw
    flags |= _COMPRESSED if data is not raw else 0
    return _Part(_SECTION.pack(kind, flags, 0, schema, rows, len(raw), len(data)), data)


def _loosen(piece: Piece, first: int, entries: list[bytes], tags: set[int]) -> int:
    """Take mixed records apart, note their tags, and return the number after the last one."""
    position, number = 0, piece.first
    while position < len(piece.data):
        length, _, tag = HEAD.unpack_from(piece.data, position)
        body = piece.data[position + HEAD.size : position + length - CHECKSUM_SIZE]
        entries.append(_LOOSE.pack(number - first, tag, len(body)) + body)
        tags.add(tag)
        position += length
        number += 1
    return number


def _rows_part(first: int, layout: Layout, pieces: Sequence[Piece]) -> _Part:
    size = layout.size
    data = pieces[0].data if len(pieces) == 1 else b"".join([piece.data for piece in pieces])
    if len(pieces) == 1:
        numbers, flags = struct.pack("<I", pieces[0].first - first), 0
    else:
        numbers, flags = split_planes(_offsets(first, size, pieces), width=4), _SCATTERED
    raw = numbers + layout.transpose(data)
    return _part(ROWS_SECTION, layout.id, len(data) // size, raw, flags=flags)


def _offsets(first: int, size: int, pieces: Sequence[Piece]) -> bytes:
    offsets = array("I")
    for piece in pieces:
        start = piece.first - first
        if len(piece.data) == size:
            offsets.append(start)
        else:
            offsets.extend(range(start, start + len(piece.data) // size))
    return struct.pack(f"<{len(offsets)}I", *offsets)


def open_frame(data: bytes | memoryview, *, seed: int) -> Frame | None:
    """Read the frame header that `data` starts with; None when it is not sound."""
    if len(data) < FRAME_SIZE or data[:4] != MAGIC:
        return None
    crc = int.from_bytes(data[_FRAME.size : FRAME_SIZE], "little")
    if zlib.crc32(data[: _FRAME.size], seed) != crc:
        return None
    _, kind, _, _, length, records, first = _FRAME.unpack_from(data)
    return Frame(kind, length, records, first, crc)


def open_section(data: bytes | memoryview, *, seed: int) -> Section | None:
    """Read the section header that `data` starts with; whether it is sound shows with the section's bytes."""
    if len(data) < SECTION_SIZE:
        return None
    kind, flags, _, schema, rows, raw_length, length = _SECTION.unpack_from(data)
    crc = int.from_bytes(data[_SECTION.size : SECTION_SIZE], "little")
    return Section(kind, flags, schema, rows, raw_length, length, crc, zlib.crc32(data[: _SECTION.size], seed))


def is_sound(section: Section, data: bytes | memoryview) -> bool:
    """Tell whether a section's bytes are what its writer sealed."""
    return len(data) == section.length and zlib.crc32(data, section.seed) == section.crc


def unpack_section(section: Section, data: bytes | memoryview) -> bytes | memoryview:
    """Return the bytes of a section, decompressed.

    Raises:
        ValueError: If they are not what the section promises, or of a newer format.
    """
    if section.flags & ~(_COMPRESSED | _SCATTERED):
        message = "unknown flags"
        raise ValueError(message)
    if not section.flags & _COMPRESSED:
        return data
    try:
        # Told the length, it takes the memory once.
        raw = zlib.decompress(data, bufsize=max(1, section.raw_length))
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(raw) != section.raw_length:
        message = "section of a wrong size"
        raise ValueError(message)
    return raw


def last_row(section: Section, data: bytes | memoryview, *, first: int) -> int:
    """Return a number that the last row of a rows section does not exceed, at little cost.

    Raises:
        ValueError: If the section is not sound.
    """
    if section.flags & _SCATTERED:
        return first + 0xFFFFFFFF
    try:
        start = zlib.decompressobj().decompress(data, 4) if section.flags & _COMPRESSED else data[:4]
    except zlib.error as error:
        raise ValueError(str(error)) from error
    return first + int.from_bytes(start, "little") + section.rows - 1


def split_rows(section: Section, data: bytes | memoryview, *, first: int) -> tuple[Numbers, memoryview]:
    """Return the record numbers and the transposed bodies of a rows section.

    Raises:
        ValueError: If the section is not sound.
    """
    raw = memoryview(unpack_section(section, data))
    rows = section.rows
    is_scattered = bool(section.flags & _SCATTERED)
    if len(raw) < (4 * rows if is_scattered else 4) + STEP_AND_TIME.size * rows:
        message = "rows section cut short"
        raise ValueError(message)
    if not is_scattered:
        start = first + int.from_bytes(raw[:4], "little")
        return consecutive(start, rows), raw[4:]
    offsets = native("I", merge_planes(raw[: 4 * rows], width=4))
    return array("Q", [first + offset for offset in offsets]), raw[4 * rows :]


def split_loose(section: Section, data: bytes | memoryview, *, first: int) -> list[tuple[int, int, memoryview]]:
    """Return (record number, tag, body) of each record in a loose section.

    Raises:
        ValueError: If the section is not sound.
    """
    raw = memoryview(unpack_section(section, data))
    entries: list[tuple[int, int, memoryview]] = []
    position = 0
    while position < len(raw):
        if len(raw) - position < _LOOSE.size:
            message = "loose record cut short"
            raise ValueError(message)
        offset, tag, length = _LOOSE.unpack_from(raw, position)
        position += _LOOSE.size
        body = raw[position : position + length]
        if len(body) != length:
            message = "loose record cut short"
            raise ValueError(message)
        entries.append((first + offset, tag, body))
        position += length
    return entries
