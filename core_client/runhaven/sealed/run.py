"""All that is sealed of a run: its segments, and the rows put together again."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

from runhaven.journal.record import RowBlock, Schema
from runhaven.missing import require
from runhaven.sealed.chunk import ROW
from runhaven.sealed.segment import Segment, exact
from runhaven.store.edits import Edits
from runhaven.store.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.journal.record import CellType, Event
    from runhaven.sealed.chunk import Chunk
    from runhaven.sealed.index import SeriesIndex
    from runhaven.sealed.manifest import Manifest
    from runhaven.sealed.segment import Line
    from runhaven.store.layout import RunDirectory
else:
    np = require("numpy", feature="reading sealed runs", package="runhaven[ui]")


class SealedRun:
    """The sealed part of a run as it was when this was made; what is sealed later is for a new one.

    Attributes:
        manifest: Which part that is.
        segments: In the order of sealing.
    """

    def __init__(self, run: RunDirectory, place: Path, manifest: Manifest) -> None:
        """Name what is sealed; reads nothing yet.

        Args:
            run: The run.
            place: Where its sealed files lie.
            manifest: Which of them count.
        """
        self.manifest = manifest
        self.segments = [Segment(place, name) for name in manifest.segments]
        parent = run.manifest().parent
        self._inherited = frozenset(parent.writers if parent else ())

    def replay(self) -> Iterator[RowBlock | Event]:
        """Yield the sealed events, and the rows that no snapshot sums up."""
        for segment in self.segments:
            yield from segment.replay()

    def lines(self) -> Iterator[Line]:
        """Yield what was printed."""
        for segment in self.segments:
            yield from segment.lines()

    def texts(self) -> Iterator[str]:
        """Yield the text of every cell that is no number, as it is stored."""
        for segment in self.segments:
            yield from segment.texts()

    def all_series(self) -> Iterator[SeriesIndex]:
        """Yield each series of each segment."""
        for segment in self.segments:
            yield from (series for series in segment.index.series if series.type != ROW and self._is_own(series))

    def _is_own(self, series: SeriesIndex) -> bool:
        """Leave out the load of the machines that ran the run that this one is a fork of."""
        is_of_machine = bool(self._inherited) and series.stream.startswith("node=")
        return not (is_of_machine and all(entry.writer in self._inherited for entry in (*series.points, *series.texts)))

    def parts(self, stream: str, key: str) -> list[tuple[Segment, SeriesIndex]]:
        """Return a series in each segment that has it."""
        found = [(segment, segment.series(stream, key)) for segment in self.segments]
        return [(segment, series) for segment, series in found if series is not None and self._is_own(series)]

    def extents(self, stream: str) -> Iterator[tuple[str, str, int]]:
        """Yield writer, key and least step of each chunk of a stream; "_step" stands for rows without a key."""
        for segment in self.segments:
            for series in segment.index.series:
                if series.stream == stream and self._is_own(series):
                    key = "_step" if series.type == ROW else series.key
                    yield from ((entry.writer, key, entry.step_min) for entry in (*series.points, *series.texts))

    def tables(self, stream: str) -> list[Table]:
        """Return the rows of a stream as they were logged, by writer and schema."""
        return [table for segment in self.segments for table in self._tables(segment, stream)]

    def _tables(self, segment: Segment, stream: str) -> Iterator[Table]:
        """Put the rows of a segment together again."""
        by_writer: dict[str, list[Chunk]] = {}
        for series in segment.index.series:
            if series.stream == stream and self._is_own(series):
                chunks = [segment.chunk(series, entry) for entry in series.points]
                texts = [segment.text_chunk(series, entry) for entry in series.texts]
                for chunk in exact(chunks, texts):
                    by_writer.setdefault(chunk.name.writer, []).append(chunk)
        orders = [tuple(keys) for name, keys in segment.index.schemas if name == stream]
        for _, chunks in sorted(by_writer.items()):
            yield from _of_writer(chunks, orders)


def _of_writer(chunks: Sequence[Chunk], orders: Sequence[tuple[str, ...]]) -> Iterator[Table]:
    """Yield the tables of one writer: rows with the same chunks have the same schema."""
    rows = np.concatenate([chunk.rows for chunk in chunks])
    which = np.repeat(np.arange(len(chunks)), [len(chunk.rows) for chunk in chunks])
    order = np.lexsort((which, rows))
    rows, which = rows[order], which[order]
    starts = np.flatnonzero(np.append(True, rows[1:] != rows[:-1]))
    # Rows are alike when the random numbers of their chunks add up to the same sum.
    marks = np.random.default_rng(0).integers(0, 2**63, len(chunks), dtype=np.uint64)
    sums = np.add.reduceat(marks[which], starts)
    ends = np.append(starts[1:], len(rows))
    _, firsts, kinds = np.unique(sums, return_index=True, return_inverse=True)
    for kind, first in enumerate(firsts):
        members = [chunks[int(place)] for place in which[starts[first] : ends[first]]]
        yield _table(members, rows[starts[kinds == kind]], orders)


def _table(members: list[Chunk], rows: NDArray[np.int64], orders: Sequence[tuple[str, ...]]) -> Table:
    cells = {chunk.name.key: chunk for chunk in members if chunk.name.type != ROW}
    keys = next((keys for keys in orders if len(keys) == len(cells) and cells.keys() == set(keys)), tuple(cells))
    name = members[0].name
    schema = Schema(name.stream, tuple((key, _kind(cells[key].name.type)) for key in keys))
    columns = [_column(cells[key], np.searchsorted(cells[key].rows, rows)) for key in keys]
    places = np.searchsorted(members[0].rows, rows)
    steps, times = members[0].steps[places], members[0].times[places]
    block = RowBlock(name.writer, schema, _array("Q", rows), _array("q", steps), _array("q", times), tuple(columns))
    return Table(block, Edits())


def _kind(kind: str) -> CellType:
    return "s" if kind == "S" else kind  # pyright: ignore[reportReturnType] - the types of chunks are those of cells


def _column(chunk: Chunk, places: NDArray[np.int64]) -> Any:
    if isinstance(chunk.values, list):
        return [chunk.values[place] for place in places.tolist()]
    values = chunk.values[places]
    if chunk.name.type == "b":
        return bytearray(values.astype(np.uint8).tobytes())
    return _array("d" if chunk.name.type == "f" else "q", values)


def _array(code: str, values: NDArray[Any]) -> array[Any]:
    found: array[Any] = array(code)
    found.frombytes(values.tobytes())
    return found
