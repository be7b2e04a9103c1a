"""Tables of rows that grow block by block."""

from __future__ import annotations

from array import array

import pytest

from runhaven.journal.record import RowBlock, Schema
from runhaven.store.edits import Edits
from runhaven.store.table import Table


def block(start: int, stop: int, *, is_view: bool) -> RowBlock:
    """Return rows as the reader gives them: arrays, or views of memory that holds more than them."""
    numbers, steps, times = (array(code, range(start, stop)) for code in "Qqq")
    values = array("d", (step / 4 for step in range(start, stop)))
    flags = bytearray(step % 2 for step in range(start, stop))
    schema = Schema("", (("a", "f"), ("b", "b")))
    if is_view:
        return RowBlock(
            "w", schema, memoryview(numbers), memoryview(steps), memoryview(times), (memoryview(values), flags)
        )
    return RowBlock("w", schema, numbers, steps, times, (values, flags))


@pytest.mark.parametrize("views", [(True, True), (True, False), (False, True), (False, False)])
@pytest.mark.parametrize("sizes", [(5, 1, 1), (1, 5, 1)])
def test_columns_grow_and_what_was_returned_stays(views: tuple[bool, bool], sizes: tuple[int, int, int]) -> None:
    """Whether columns came as arrays or views, whether little or much follows: all rows are there, what was held stays."""
    first, second, third = sizes
    table = Table(block(0, first, is_view=views[0]), Edits())
    held = memoryview(table.steps), memoryview(table.columns[0])
    for start, stop in ((first, first + second), (first + second, first + second + third)):
        table.extend(block(start, stop, is_view=views[1]))
        numbers = list(range(stop))

        assert [list(table.numbers), list(table.steps), list(table.times)] == [numbers] * 3
        assert list(table.columns[0]) == [step / 4 for step in numbers]
        assert list(table.columns[1]) == [step % 2 for step in numbers]
    assert [list(column) for column in held] == [list(range(first)), [step / 4 for step in range(first)]]


def test_views_are_read_where_they_lie() -> None:
    """Columns that nobody adds to are handed out without a copy."""
    rows = block(0, 5, is_view=True)
    table = Table(rows, Edits())

    assert table.steps is rows.steps
    assert table.columns[0] is rows.columns[0]
