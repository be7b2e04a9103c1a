"""Rows of one writer and one schema, grown as a run is followed; and the series that run through them."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from runhaven.journal.column import bounds
from runhaven.value import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runhaven.journal.record import CellType, Column, Numbers, RowBlock, Schema
    from runhaven.store.edits import Edits, Fixes


_ROW_BYTES = 24
_BYTES = {"f": 8, "i": 8, "b": 1}
_OBJECT_BYTES = 300
"""About what a text or an object takes."""


class _Growing:
    """A column that grows block by block, and is put together when somebody reads it."""

    __slots__ = ("_parts", "_whole")

    def __init__(self, column: Any) -> None:
        self._whole = column
        self._parts: list[Any] = []

    def add(self, column: Any) -> None:
        self._parts.append(column)

    def get(self) -> Any:
        """Return all of it; what was returned before stays as it was, should somebody look into its memory."""
        if self._parts:
            parts, self._parts = self._parts, []
            self._whole = self._extended(parts) or _joined([self._whole, *parts])
        return self._whole

    def _extended(self, parts: list[Any]) -> Any:
        """Return the column with a little more at its end; None if that is much, or it is a view, which cannot grow."""
        is_much = self._whole.__class__ is not list and sum(map(len, parts)) > len(self._whole)
        if is_much or isinstance(self._whole, memoryview):
            return None
        for at, part in enumerate(parts):
            try:
                self._extend(part)
            except BufferError:
                return _joined([self._whole, *parts[at:]])
        return self._whole

    def _extend(self, part: Any) -> None:
        if isinstance(part, memoryview):
            self._whole.frombytes(part.cast("B"))
        else:
            self._whole.extend(part)


def _joined(parts: list[Any]) -> Any:
    if isinstance(parts[0], bytearray):
        return bytearray().join(parts)
    whole: array[Any] = array(memoryview(parts[0]).format)
    whole.frombytes(b"".join(parts))
    return whole


class Columns(Sequence["Column"]):
    """The columns of a table, one a cell; see `RowBlock`."""

    def __init__(self, columns: list[_Growing]) -> None:
        """Hold the columns."""
        self._columns = columns

    def __getitem__(self, index: Any) -> Any:
        """Return one column, with all rows that there are."""
        return cast("_Growing", self._columns[index]).get()

    def __len__(self) -> int:
        """Count the columns."""
        return len(self._columns)


class Table:
    """All rows that one writer wrote with one schema, column by column.

    Attributes:
        writer: Name of the writer.
        schema: Keys and types of the columns; the keys are the names that the series have by now.
        columns: One column a cell.
        ascending: How many of the first "steps" and "times" are known to ascend; kept by whoever checks.
    """

    def __init__(self, block: RowBlock, edits: Edits) -> None:
        """Start with a block's rows; the block's memory is the table's from now on.

        Args:
            block: The rows.
            edits: What was changed of their series.
        """
        self.writer = block.writer
        self.ascending: dict[str, int] = {}
        self._length = len(block)
        self._numbers, self._steps, self._times = map(_Growing, (block.numbers, block.steps, block.times))
        self._cells = [_Growing(column) for column in block.columns]
        self._schema = block.schema
        self.show(edits)

    def show(self, edits: Edits) -> None:
        """Give the series the names that they have by now."""
        self.schema, kept = edits.shown(self._schema)
        self.columns = Columns([self._cells[at] for at in kept])

    @property
    def numbers(self) -> Numbers:
        """Record numbers, ascending (format "Q")."""
        return self._numbers.get()

    @property
    def steps(self) -> Numbers:
        """Steps (format "q")."""
        return self._steps.get()

    @property
    def times(self) -> Numbers:
        """Wall times, microseconds since the epoch (format "q")."""
        return self._times.get()

    def extend(self, block: RowBlock) -> None:
        """Append a later block."""
        self._length += len(block)
        self._numbers.add(block.numbers)
        self._steps.add(block.steps)
        self._times.add(block.times)
        for column, more in zip(self._cells, block.columns, strict=True):
            column.add(more)

    def __len__(self) -> int:
        """Count the rows."""
        return self._length


@dataclass(slots=True)
class SeriesEntry:
    """Where the points of one series are, and what they come to.

    Attributes:
        stream: The series' stream.
        key: The series' key.
        type: Type of the newest cells.
        places: Table and column of its points.
        count: How many points there are.
        step_min: Least step.
        step_max: Greatest step.
        last: The value of the newest point.
        last_us: When it was written.
    """

    stream: str
    key: str
    type: CellType
    places: list[tuple[Table, int]]
    count: int = 0
    step_min: int = 2**63 - 1
    step_max: int = -(2**63)
    last: Any = None
    last_us: int = -1

    def add(self, newest: RowBlock | Table, index: int, count: int, steps: tuple[int, int]) -> None:
        """Take in a column of so many rows, whose least and greatest steps are `steps`; the newest ends `newest`."""
        self.count += count
        self.step_min = min(self.step_min, steps[0])
        self.step_max = max(self.step_max, steps[1])
        if newest.times[-1] >= self.last_us:
            self.type = newest.schema.cells[index][1]
            self.last = cell(self.type, newest.columns[index][-1])
            self.last_us = newest.times[-1]

    def add_corrected(self, block: RowBlock | Table, index: int, fixes: Fixes) -> None:
        """Take in a column of rows of which some were corrected."""
        kind = block.schema.cells[index][1]
        for at, step in enumerate(block.steps):
            value = fixes.values.get(step, block)
            if value is None:
                continue
            self.count += 1
            self.step_min, self.step_max = min(self.step_min, step), max(self.step_max, step)
            if block.times[at] >= self.last_us:
                self.type, self.last_us = kind, block.times[at]
                self.last = cell(kind, block.columns[index][at]) if value is block else value


def cell(kind: CellType, value: Any) -> Any:
    """Return a column's entry as the Python value that it stands for."""
    if kind == "b":
        return bool(value)
    return from_json(value) if kind == "j" else value


class Tables:
    """The rows of a run, by writer and schema, with an index of their series."""

    def __init__(self, edits: Edits) -> None:
        """Start with no row.

        Args:
            edits: What was changed of the series afterwards; more may come, then call `reindex`.
        """
        self.series: dict[tuple[str, str], SeriesEntry] = {}
        self._edits = edits
        self._tables: dict[tuple[str, Schema], Table] = {}

    def add(self, blocks: Sequence[RowBlock]) -> None:
        """Take in the next blocks of one writer, all of one schema."""
        place = (blocks[0].writer, blocks[0].schema)
        table = self._tables.get(place)
        is_new = table is None
        if table is None:
            table = self._tables[place] = Table(blocks[0], self._edits)
        for block in blocks[1:] if is_new else blocks:
            table.extend(block)
        if self._edits.renames:
            schema, kept = self._edits.shown(blocks[0].schema)
            blocks = [
                replace(block, schema=schema, columns=tuple(block.columns[at] for at in kept)) for block in blocks
            ]
        self._index(table, blocks, is_new=is_new)

    def take(self, table: Table) -> None:
        """List the series of a table of another's, whose names are those of by now."""
        self._index(table, [table], is_new=True)

    def reindex(self) -> None:
        """Give the series the names and the points that they have by now."""
        self.series = {}
        for table in self._tables.values():
            table.show(self._edits)
            self._index(table, [table], is_new=True)

    def _index(self, table: Table, parts: Sequence[RowBlock | Table], *, is_new: bool) -> None:
        stream, count = table.schema.stream, sum(map(len, parts))
        ends = [bounds(rows.steps) for rows in parts]
        steps = min(least for least, _ in ends), max(greatest for _, greatest in ends)
        newest = max(reversed(parts), key=lambda rows: rows.times[-1])
        for index, (key, kind) in enumerate(table.schema.cells):
            entry = self.series.setdefault((stream, key), SeriesEntry(stream, key, kind, []))
            fixes = self._edits.of(stream, key, table.writer)
            if fixes is None:
                entry.add(newest, index, count, steps)
            else:
                for rows in parts:
                    entry.add_corrected(rows, index, fixes)
            if is_new:
                entry.places.append((table, index))

    def __iter__(self) -> Iterator[Table]:
        """Go through all tables."""
        return iter(self._tables.values())

    @property
    def weight(self) -> int:
        """About how many bytes of memory the rows take."""
        return sum(
            len(table) * (_ROW_BYTES + sum(_BYTES.get(kind, _OBJECT_BYTES) for _, kind in table.schema.cells))
            for table in self
        )

    def of_stream(self, stream: str) -> list[Table]:
        """Return the tables of one stream, in the order their writers started."""
        return sorted(
            (table for table in self._tables.values() if table.schema.stream == stream), key=lambda table: table.writer
        )
