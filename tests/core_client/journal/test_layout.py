"""How rows lie in bytes."""

from __future__ import annotations

import itertools
import struct
import sys
from array import array
from bisect import bisect_left
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runhaven.journal.layout import (
    CHECKSUM_SIZE,
    HEAD,
    Layout,
    block_from_bodies,
    block_from_planes,
    blocks_from_parts,
    decode_json,
    encode_json,
    parse_layout,
)
from runhaven.journal.record import Schema

if TYPE_CHECKING:
    from runhaven.journal.record import CellType, RowBlock

INT64 = st.integers(-(2**63), 2**63 - 1)
ANY_TEXT = st.text(st.characters(), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | INT64 | st.floats(allow_nan=False, allow_infinity=False) | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=6,
)
VALUES: dict[CellType, st.SearchStrategy[Any]] = {
    "f": st.floats(width=64),
    "i": INT64,
    "b": st.booleans(),
    "s": ANY_TEXT,
    "j": JSON,
}


@st.composite
def tables(draw: st.DrawFn, kinds: str = "fibsj") -> tuple[Layout, list[tuple[int, int, list[Any]]]]:
    types: list[CellType] = [kind for kind in VALUES if kind in kinds]
    cells: list[tuple[str, CellType]] = draw(st.lists(st.tuples(ANY_TEXT, st.sampled_from(types)), max_size=6))
    layout = Layout(draw(st.integers(0, 2**32 - 3)), Schema(draw(ANY_TEXT), tuple(cells)))
    row = st.tuples(INT64, INT64, st.tuples(*(VALUES[kind] for _, kind in cells)).map(list))
    return layout, draw(st.lists(row, min_size=1, max_size=5))


def packed(layout: Layout, rows: list[tuple[int, int, list[Any]]]) -> list[bytes]:
    records: list[bytes] = []
    for number, (step, time, values) in enumerate(rows):
        cells = [
            value.encode("utf-8", "surrogatepass") if kind == "s" else encode_json(value) if kind == "j" else value
            for (_, kind), value in zip(layout.schema.cells, values, strict=True)
        ]
        records.append(layout.pack(number, step, time, cells))
    return records


def unpacked(block: RowBlock) -> list[tuple[int, int, list[Any]]]:
    found = zip(*block.columns, strict=True) if block.columns else [()] * len(block)
    return [(step, time, list(values)) for step, time, values in zip(block.steps, block.times, found, strict=True)]


def bits(rows: list[tuple[int, int, list[Any]]]) -> list[Any]:
    """Make NaN comparable."""
    return [
        (step, time, [struct.pack("<d", value) if isinstance(value, float) else value for value in values])
        for step, time, values in rows
    ]


@settings(max_examples=150, deadline=None)
@given(tables())
def test_rows_of_any_kind_come_back_from_their_records(table: tuple[Layout, list[tuple[int, int, list[Any]]]]) -> None:
    """Any row packed into a record comes back bit for bit: NaN payloads, lone surrogates and 64-bit integers too."""
    layout, rows = table
    bodies = [record[HEAD.size : -CHECKSUM_SIZE] for record in packed(layout, rows)]

    block = block_from_bodies("w", layout, array("Q", range(len(rows))), bodies)

    assert bits(unpacked(block)) == bits(rows)


@settings(max_examples=150, deadline=None)
@given(tables("fib"))
def test_rows_of_fixed_size_come_back_from_their_planes(table: tuple[Layout, list[tuple[int, int, list[Any]]]]) -> None:
    """Rows of numbers and bools come back bit for bit from their byte planes."""
    layout, rows = table

    planes = layout.transpose(b"".join(packed(layout, rows)))
    block = block_from_planes("w", layout, array("Q", range(len(rows))), planes)

    assert bits(unpacked(block)) == bits(rows)
    assert len(planes) == len(rows) * (layout.size - HEAD.size - CHECKSUM_SIZE)


@pytest.mark.parametrize("numpy", ["numpy", None], ids=["numpy", "standard library"])
@settings(max_examples=150, deadline=None)
@given(
    tables("fib"), st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 9), st.integers(0, 3), st.data()
)
def test_rows_come_back_from_many_parts(
    numpy: str | None,
    table: tuple[Layout, list[Any]],
    sizes: list[int],
    skipped: int,
    surplus: int,
    data: st.DataObject,
) -> None:
    """Parts of rows, opened by one thread or two, come back in order, without those left out, damaged or never come."""
    layout, rows = table
    damaged = data.draw(st.sets(st.integers(0, len(sizes) - 1)))
    worth_sharing = data.draw(st.sampled_from([0, 1 << 20]))
    parts: list[Any] = []
    wanted: list[int] = []
    for place, (start, size) in enumerate(zip(itertools.accumulate(sizes, initial=0), sizes, strict=False)):
        some = rows[start : start + size]
        if some:
            planes = layout.transpose(b"".join(packed(layout, some)))
            numbers = array("Q", range(start, start + len(some)))
            part = None if place in damaged else (numbers, planes, bisect_left(numbers, skipped))
            parts.append((place, partial(lambda found: found, part)))
            wanted += [] if place in damaged else [number for number in numbers if number >= skipped]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "numpy", numpy and pytest.importorskip(numpy))
        patch.setattr("runhaven.journal.layout._WORTH_SHARING", worth_sharing)
        counts = [size + surplus for size in sizes]
        blocks = blocks_from_parts("w", layout, (part for part in parts), counts=counts)

    assert bits([row for block in blocks for row in unpacked(block)]) == bits([rows[number] for number in wanted])
    assert [number for block in blocks for number in block.numbers] == wanted
    assert numpy is None or len(blocks) <= 1


@settings(max_examples=50, deadline=None)
@given(tables())
def test_a_schema_comes_back_from_its_record(table: tuple[Layout, list[tuple[int, int, list[Any]]]]) -> None:
    """The body of a schema record gives back id, stream, keys and types."""
    layout, _ = table

    found = parse_layout(layout.describe())

    assert (found.id, found.schema) == (layout.id, layout.schema)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"id":0,"stream":"","cells":[["a","?"]]}', b'{"id":0,"stream":"","cells":[1]}', b"\xff"],
)
def test_what_is_no_schema_is_refused(body: bytes) -> None:
    """Bytes that are no schema, or name a cell type of the future, raise ValueError and nothing else."""
    with pytest.raises(ValueError):
        parse_layout(body)


@pytest.mark.parametrize("kinds", ["f", "fb", "s"])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_body_of_a_wrong_size_is_refused(kinds: str, change: int) -> None:
    """A body that is longer or shorter than its schema says is never read as a row."""
    layout = Layout(0, Schema("", tuple((kind, kind) for kind in kinds)))  # pyright: ignore[reportArgumentType]
    values = {"f": 1.5, "b": True, "s": b"text"}
    body = layout.pack(0, 1, 2, [values[kind] for kind in kinds])[HEAD.size : -CHECKSUM_SIZE]

    with pytest.raises(ValueError):
        block_from_bodies("w", layout, array("Q", [0]), [body[:change] if change < 0 else body + b"\0"])


def test_planes_of_a_wrong_size_are_refused() -> None:
    """Byte planes that do not hold the promised number of rows are never read."""
    layout = Layout(0, Schema("", (("a", "f"),)))

    with pytest.raises(ValueError):
        block_from_planes("w", layout, array("Q", [0, 1]), bytes(24))


def test_json_may_hold_what_utf8_cannot() -> None:
    """A lone surrogate, as in a file name that is no UTF-8, survives."""
    assert decode_json(encode_json({"path": "caf\udce9"})) == {"path": "caf\udce9"}
