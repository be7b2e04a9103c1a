"""The points of one series, gathered from the tables that hold them, in the order of their x."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.api.history import hidden_from
from runhaven.missing import require
from runhaven.sealed.axis import aligned
from runhaven.sealed.chunk import Chunk, ChunkName, to_floats

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.api.data import RunData
    from runhaven.api.history import Keep
    from runhaven.store.table import Table
else:
    np = require("numpy", feature="reading curves", package="runhaven[ui]")


@dataclass(frozen=True, slots=True)
class Axis:
    """What the x of points is made of.

    `raw` numbers are compared and searched as they lie in the tables, so that nothing is copied for it; x is
    `(raw - origin) / scale`.

    Attributes:
        source: "steps", "times", or "" for another series.
        key: The other series.
        origin: The raw number that is zero.
        scale: How many raw units make one of x.
    """

    source: str
    key: str = ""
    origin: int = 0
    scale: int = 1

    def shown(self, raw: NDArray[Any]) -> NDArray[np.float64]:
        """Return x as a caller sees it, in an array of its own."""
        return ((raw - self.origin) / self.scale).astype(np.float64)

    def first_from(self, raw: NDArray[Any] | range, start: float) -> int:
        """Return the place of the first point with an x of at least `start`."""
        limit = self._limit(start, math.ceil, -0.25)
        return bisect_left(raw, limit) if isinstance(raw, range) else int(np.searchsorted(raw, limit, side="left"))

    def first_after(self, raw: NDArray[Any] | range, stop: float) -> int:
        """Return the place of the first point with an x above `stop`."""
        limit = self._limit(stop, math.floor, 0.25)
        return bisect_right(raw, limit) if isinstance(raw, range) else int(np.searchsorted(raw, limit, side="right"))

    def _limit(self, x: float, to_integer: Any, slack: float) -> float | int:
        if not self.source or not math.isfinite(x):
            return x
        if self.scale == 1:
            return _in_int64(to_integer(x))
        # An x that this axis handed out must find its point again, though seconds are not exact.
        return _in_int64(to_integer(x * self.scale + self.origin + slack))


def _in_int64(number: int) -> Any:
    return np.int64(max(-(2**63), min(2**63 - 1, number)))


def make_axis(x: str, origin_us: int) -> Axis:
    """Return the axis that a user calls `x`."""
    if x == "step":
        return Axis("steps")
    if x == "wall":
        return Axis("times", scale=1_000_000)
    if x == "relative":
        return Axis("times", origin=origin_us, scale=1_000_000)
    return Axis("", key=x)


class Points(NamedTuple):
    """Points in the order of x; the arrays may be views of the tables', which cannot grow while they live."""

    raw: NDArray[Any]
    values: NDArray[np.float64]


class _Part(NamedTuple):
    writer: str
    rows: NDArray[np.int64]
    raw: NDArray[Any]
    values: NDArray[np.float64]
    is_sorted: bool


class _Found(NamedTuple):
    """A chunk, and which of its columns "steps" and "times" are known to ascend."""

    chunk: Chunk
    sorted: Mapping[str, bool]


def gather(
    data: RunData, stream: str, key: str, axis: Axis, *, is_live: bool = False, keep: Keep = "latest"
) -> Points | None:
    """Return a series' points, without those that a later session hides; None if there are no numbers.

    Args:
        data: The run's rows.
        stream: The series' stream.
        key: The series.
        axis: What their x is.
        is_live: Whether to leave out what is sealed.
        keep: "all" leaves nothing out.
    """
    limits = hidden_from(data, stream, keep=keep)
    parts: list[_Part] = []
    for found in _find(data, stream, key, is_live=is_live):
        writer = found.chunk.name.writer
        others = _others(data, stream, axis.key, writer) if not axis.source else []
        part = _part(found, axis, others, limits.get(writer, {}).get(key))
        if len(part.raw):
            parts.append(part)
    if not parts:
        return None
    parts.sort(key=lambda part: part.writer)
    whole = [_join(list(group)) for _, group in groupby(parts, key=lambda part: part.writer)]
    if len(whole) == 1:
        raw, values, is_sorted = whole[0].raw, whole[0].values, whole[0].is_sorted
    else:
        raw, values = np.concatenate([part.raw for part in whole]), np.concatenate([part.values for part in whole])
        is_sorted = _is_ascending(raw)
    if is_sorted:
        return Points(raw, values)
    order = np.argsort(raw, kind="stable")
    return Points(raw[order], values[order])


def _find(data: RunData, stream: str, key: str, *, is_live: bool) -> Iterator[_Found]:
    """Yield the chunks of a series' points, sealed or not."""
    if data.sealed is not None and data.edits.renames:
        # What a series was called when it was logged differs from row to row.
        entry = next((entry for entry in data.entries(stream) if entry.key == key), None)
    else:
        entry = data.view.tables.series.get((stream, key))
        for segment, series in () if is_live else data.parts(stream, key):
            for place in series.points:
                ascends = {"steps": place.has_sorted_steps, "times": place.has_sorted_times}
                yield _Found(_corrected(data, stream, key, segment.chunk(series, place)), ascends)
    for table, index in entry.places if entry else ():
        kind = table.schema.cells[index][1]
        if kind in "fib":
            steps, times = np.frombuffer(table.steps, np.int64), np.frombuffer(table.times, np.int64)
            values = to_floats(kind, table.columns[index])
            name = ChunkName(stream, key, table.writer, kind)
            chunk = Chunk(name, np.frombuffer(table.numbers, np.int64), steps, times, values)
            ascends = {name: _is_table_ascending(table, name, column) for name, column in _sources(chunk)}
            yield _Found(_corrected(data, stream, key, chunk), ascends)


def _corrected(data: RunData, stream: str, key: str, chunk: Chunk) -> Chunk:
    """Return a chunk with what was corrected, without what was taken away."""
    fixes = data.edits.of(stream, key, chunk.name.writer)
    if fixes is None:
        return chunk
    kept, values = fixes.apply(chunk.steps, chunk.values)
    return Chunk(chunk.name, chunk.rows[kept], chunk.steps[kept], chunk.times[kept], values[kept])


def _sources(chunk: Chunk) -> tuple[tuple[str, NDArray[np.int64]], ...]:
    return ("steps", chunk.steps), ("times", chunk.times)


def _others(data: RunData, stream: str, key: str, writer: str) -> list[Chunk]:
    """Return what the same process logged of the series that is the x axis."""
    found = (found.chunk for found in _find(data, stream, key, is_live=False))
    return [chunk for chunk in found if chunk.name.writer == writer]


def _join(parts: list[_Part]) -> _Part:
    """Bring what one writer logged with several schemas into the order in which it was logged."""
    if len(parts) == 1:
        return parts[0]
    rows = np.concatenate([part.rows for part in parts])
    order = np.argsort(rows, kind="stable")
    raw = np.concatenate([part.raw for part in parts])[order]
    values = np.concatenate([part.values for part in parts])[order]
    return _Part(parts[0].writer, rows[order], raw, values, _is_ascending(raw))


def _part(found: _Found, axis: Axis, others: list[Chunk], hidden: int | None) -> _Part:
    chunk = found.chunk
    if axis.source:
        raw: NDArray[Any] = chunk.steps if axis.source == "steps" else chunk.times
        if hidden is None:
            return _Part(chunk.name.writer, chunk.rows, raw, chunk.values, found.sorted[axis.source])
        is_shown = np.ones(len(raw), np.bool_)
    else:
        raw = aligned(chunk.rows, chunk.steps, others)
        is_shown = np.isfinite(raw)
    if hidden is not None:
        is_shown &= chunk.steps < hidden
    raw = raw[is_shown]
    return _Part(chunk.name.writer, chunk.rows[is_shown], raw, chunk.values[is_shown], _is_ascending(raw))


def _is_table_ascending(table: Table, source: str, raw: NDArray[np.int64]) -> bool:
    """Tell whether a whole column ascends, looking only at what came since the last look."""
    known = table.ascending.get(source, 1)
    if known < len(raw) and _is_ascending(raw[max(0, known - 1) :]):
        table.ascending[source] = known = len(raw)
    return known >= len(raw)


def _is_ascending(raw: NDArray[Any]) -> bool:
    return bool(np.all(raw[1:] >= raw[:-1]))
