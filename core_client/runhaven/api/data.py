"""The rows of a run wherever they lie: those that are sealed, and those that only the journals hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runhaven.journal.column import bounds
from runhaven.store.table import Tables
from runhaven.value import to_cell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runhaven.journal.reader import JournalReader
    from runhaven.sealed.index import SeriesIndex
    from runhaven.sealed.run import SealedRun
    from runhaven.sealed.segment import Segment
    from runhaven.store.edits import Edits
    from runhaven.store.table import SeriesEntry, Table
    from runhaven.store.view import RunView


class RunData(NamedTuple):
    """What was read of a run.

    Attributes:
        reader: Goes on where the sealed part ends.
        view: What it found, with the rows.
        sealed: The sealed part; None without one.
    """

    reader: JournalReader
    view: RunView
    sealed: SealedRun | None

    def tables(self, stream: str) -> list[Table]:
        """Return all rows of a stream by writer and schema, in the order in which the writers started."""
        live = self.view.tables.of_stream(stream)
        if self.sealed is None:
            return live
        sealed = self.sealed.tables(stream)
        for table in sealed:
            table.show(self.edits)
        return sorted([*sealed, *live], key=lambda table: table.writer)

    def entries(self, stream: str) -> list[SeriesEntry]:
        """Return the series of a stream with all their rows, as they are called and corrected by now."""
        if self.sealed is None:
            return [entry for entry in self.view.tables.series.values() if entry.stream == stream]
        whole = Tables(self.edits)
        for table in self.tables(stream):
            whole.take(table)
        return list(whole.series.values())

    @property
    def edits(self) -> Edits:
        """What was renamed and corrected."""
        return self.view.edits

    def parts(self, stream: str, key: str) -> list[tuple[Segment, SeriesIndex]]:
        """Return the sealed parts of a series that nobody renamed."""
        return self.sealed.parts(stream, key) if self.sealed else []

    def count_rows(self, stream: str) -> int:
        """Count the rows of a stream."""
        sealed = self.sealed.segments if self.sealed else ()
        live = sum(map(len, self.view.tables.of_stream(stream)))
        return live + sum(segment.index.rows.get(stream, 0) for segment in sealed)

    def extents(self, stream: str) -> Iterator[tuple[str, str, int]]:
        """Yield writer, key and least step of each stretch of a series of a stream; "_step" for rows without a key."""
        if self.sealed is not None and not self.edits.renames:
            yield from self.sealed.extents(stream)
        tables = self.tables(stream) if self.edits.renames else self.view.tables.of_stream(stream)
        for table in tables:
            if len(table):
                first = bounds(table.steps)[0]
                yield from ((table.writer, key, first) for key, _ in table.schema.cells or (("_step", ""),))

    @property
    def streams(self) -> set[str]:
        """All streams that have a series."""
        sealed = self.sealed.all_series() if self.sealed else ()
        return {*(series.stream for series in sealed), *(stream for stream, _ in self.view.tables.series)}

    def keys(self, stream: str) -> set[str]:
        """Return the keys of all series of a stream."""
        sealed = self.sealed.all_series() if self.sealed else ()
        found = {self.edits.name(stream, series.key) for series in sealed if series.stream == stream}
        return found | {key for of, key in self.view.tables.series if of == stream}

    def kinds(self, stream: str) -> dict[str, set[str]]:
        """Return the types that the cells of each series of a stream have, corrections included."""
        found: dict[str, set[str]] = {}
        for series in self.sealed.all_series() if self.sealed else ():
            if series.stream == stream:
                types = {"s" if part.type == "S" else part.type for part in (*series.points, *series.texts)}
                found.setdefault(self.edits.name(stream, series.key), set()).update(types)
        for table in self.view.tables.of_stream(stream):
            for key, kind in table.schema.cells:
                found.setdefault(key, set()).add(kind)
        for one in self.edits.corrections:
            key = self.edits.name(stream, one.key, since=one.stamp)
            if one.stream == stream and key in found and one.value is not None:
                found[key].add(to_cell(one.value)[0])
        return found

    @property
    def resumed(self) -> dict[str, int | None]:
        """The writers that went on with the run, in order, and the last step that each left in sight if it went back."""
        rewinds = self.view.rewinds()
        found = {writer: rewinds.get(writer) for writer in self.view.resumptions()}
        if self.sealed is not None:
            found |= self.sealed.manifest.resumed
        return dict(sorted(found.items()))
