"""What a journal holds, as its reader hands it out: blocks of rows, events and notes of damage."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from array import array

CellType: TypeAlias = Literal["f", "i", "b", "s", "j"]
"""f: IEEE 754 double, i: signed 64-bit integer, b: bool, s: UTF-8 string, j: JSON value."""

Numbers: TypeAlias = "array[int] | memoryview[int]"

Column: TypeAlias = "Numbers | array[float] | memoryview[float] | bytearray | list[Any]"


@dataclass(frozen=True, slots=True)
class Schema:
    """The stream, keys and cell types that many rows share.

    Attributes:
        stream: "" for the user's own series, "node=<host>" for a machine's, "rank=<n>" for a rank's.
        cells: Key and type of each cell, in the order that the caller gave.
    """

    stream: str
    cells: tuple[tuple[str, CellType], ...]


@dataclass(slots=True)
class RowBlock:
    """Rows of one writer and one schema, column by column.

    Blocks that one poll returns may interleave: where the order between blocks matters, order by `numbers`.

    Attributes:
        writer: Name of the writer; names sort by the time their writers started.
        schema: Keys and types of the columns.
        numbers: Record number of each row, ascending (format "Q").
        steps: Step of each row (format "q").
        times: Wall time of each row, microseconds since the epoch (format "q").
        columns: One column a cell: numbers of format "d" for f, "q" for i, bytearray of 0 and 1 for b, list for s and j.
    """

    writer: str
    schema: Schema
    numbers: Numbers
    steps: Numbers
    times: Numbers
    columns: tuple[Column, ...]

    def __len__(self) -> int:
        """Count the rows."""
        return len(self.steps)

    def since(self, number: int) -> RowBlock:
        """Return the rows whose record number is at least `number`."""
        start = bisect_left(self.numbers, number)
        if start == 0:
            return self
        columns = tuple(column[start:] for column in self.columns)
        return RowBlock(self.writer, self.schema, self.numbers[start:], self.steps[start:], self.times[start:], columns)


@dataclass(frozen=True, slots=True)
class Event:
    """One JSON event of one writer.

    Attributes:
        writer: Name of the writer.
        number: Its record number in that writer's journal.
        data: The event; "event" names its kind, "time" is in microseconds since the epoch.
    """

    writer: str
    number: int
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Damage:
    """A stretch of a journal file that could not be read.

    Attributes:
        file: Name of the file.
        offset: Where the unreadable bytes start.
        length: How many bytes were skipped.
        reason: What was found there.
    """

    file: str
    offset: int
    length: int
    reason: str
