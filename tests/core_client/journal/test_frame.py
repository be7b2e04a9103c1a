"""Frames and their sections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhaven.journal.frame import (
    BATCH_KIND,
    FRAME_SIZE,
    LOOSE_SECTION,
    ROWS_SECTION,
    SCHEMA_SECTION,
    SECTION_SIZE,
    Frame,
    Piece,
    Section,
    is_sound,
    open_frame,
    open_section,
    seal_batch,
    split_loose,
    split_rows,
    unpack_section,
)
from runhaven.journal.layout import EVENT_TAG, Layout, block_from_planes, seal_record, seed_for
from runhaven.journal.record import Schema

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runhaven.journal.record import CellType

SEED = seed_for("w1")
FIRST = 2**32 - 3
CELL: tuple[str, CellType] = ("a", "f")
LAYOUTS = [Layout(index, Schema(f"s{index}", (CELL,) * index), seed=SEED) for index in range(3)]


def opened(frame: bytes, seed: int = SEED) -> tuple[Frame, list[tuple[Section, bytes]]]:
    header = open_frame(frame, seed=seed)
    assert header is not None
    assert len(frame) == FRAME_SIZE + header.length
    sections: list[tuple[Section, bytes]] = []
    position = FRAME_SIZE
    while position < len(frame):
        section = open_section(frame[position:], seed=header.crc)
        assert section is not None
        position += SECTION_SIZE
        sections.append((section, frame[position : position + section.length]))
        position += section.length
    return header, sections


def no_repeat(_: set[int]) -> Iterator[Layout]:
    return iter(())


def pieces_of(kinds: list[int], first: int) -> list[Piece]:
    """Make one stretch of two records for each number: rows of that layout, or events for 3."""
    pieces: list[Piece] = []
    for number, kind in zip(range(first, first + 2 * len(kinds), 2), kinds, strict=True):
        if kind == 3:
            records = [seal_record(number + at, EVENT_TAG, b"%d" % (number + at), seed=SEED) for at in range(2)]
            pieces.append(Piece(None, number, b"".join(records)))
        else:
            records = [LAYOUTS[kind].pack(number + at, number + at, 7, [0.5] * kind) for at in range(2)]
            pieces.append(Piece(LAYOUTS[kind], number, b"".join(records)))
    return pieces


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=1, max_size=30), st.sampled_from([0, 5, FIRST, 2**60]))
def test_a_batch_gives_back_every_record_with_its_number(kinds: list[int], first: int) -> None:
    """However stretches of rows and events follow each other, each record keeps its number, past 2**32 too."""
    frame, sections = opened(seal_batch(pieces_of(kinds, first), repeat=no_repeat, seed=SEED))
    found: dict[int, Any] = {}
    for section, data in sections:
        assert is_sound(section, data)
        if section.kind == LOOSE_SECTION:
            found |= {number: bytes(body) for number, _, body in split_loose(section, data, first=frame.first)}
        else:
            numbers, planes = split_rows(section, data, first=frame.first)
            block = block_from_planes("w1", LAYOUTS[section.schema], numbers, planes)
            found |= dict(zip(numbers, zip([section.schema] * len(block), block.steps, strict=True), strict=True))

    expected = {
        number + at: b"%d" % (number + at) if kind == 3 else (kind, number + at)
        for number, kind in zip(range(first, first + 2 * len(kinds), 2), kinds, strict=True)
        for at in range(2)
    }
    assert found == expected
    assert (frame.kind, frame.first, frame.records) == (BATCH_KIND, first, 2 * len(kinds))


def test_a_batch_can_tell_schemas_again() -> None:
    """A batch offers the ids of all its layouts, and carries the schemas of those that are asked for."""
    seen: list[set[int]] = []

    def repeat(tags: set[int]) -> list[Layout]:
        seen.append(tags)
        return [LAYOUTS[2]]

    _, sections = opened(seal_batch(pieces_of([2, 3, 1], 0), repeat=repeat, seed=SEED))

    assert seen == [{1, 2, EVENT_TAG}]
    assert [section.kind for section, _ in sections] == [SCHEMA_SECTION, LOOSE_SECTION, ROWS_SECTION, ROWS_SECTION]
    assert bytes(unpack_section(*sections[0])) == LAYOUTS[2].describe()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_flipped_bit_goes_unseen(data: st.DataObject) -> None:
    """Whichever bit of a frame flips: the frame is refused, or one of its sections is."""
    frame = bytearray(seal_batch(pieces_of([2, 3, 1, 2], 9), repeat=lambda _: LAYOUTS[1:], seed=SEED))
    _, whole = opened(bytes(frame))
    bit = data.draw(st.integers(0, 8 * len(frame) - 1))
    frame[bit // 8] ^= 1 << bit % 8
    flipped = bytes(frame)

    header = open_frame(flipped, seed=SEED)

    if header is not None:
        position, sound = FRAME_SIZE, 0
        for section, part in whole:
            found = open_section(flipped[position:], seed=header.crc)
            position += SECTION_SIZE
            sound += found is not None and is_sound(found, flipped[position : position + len(part)])
            position += section.length
        assert sound == len(whole) - 1


def test_a_frame_of_another_journal_is_not_sound() -> None:
    """Checksums start from the writer's name: no frame passes for one of another journal."""
    frame = seal_batch(pieces_of([1], 0), repeat=no_repeat, seed=SEED)

    assert open_frame(frame, seed=seed_for("w2")) is None


@pytest.mark.parametrize("section", [ROWS_SECTION, LOOSE_SECTION])
@settings(max_examples=100, deadline=None)
@given(
    flags=st.integers(0, 255),
    rows=st.integers(0, 2**32 - 1),
    raw=st.integers(0, 2**32 - 1),
    data=st.binary(max_size=60),
)
def test_a_section_that_makes_no_sense_is_refused(section: int, flags: int, rows: int, raw: int, data: bytes) -> None:
    """Whatever a section claims about its bytes, reading it returns or raises ValueError, without using much memory."""
    claim = Section(section, flags, 0, rows, raw, len(data), 0, 0)
    try:
        if section == ROWS_SECTION:
            numbers, _ = split_rows(claim, data, first=0)
            assert len(numbers) == claim.rows
        else:
            split_loose(claim, data, first=0)
    except ValueError:
        pass
