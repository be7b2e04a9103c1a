"""The points of one series, gathered from the tables that hold them, in the order of their x."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.api.history import hidden_from
from runhaven.missing import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runhaven.store.table import Table
    from runhaven.store.view import RunView
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

    def first_from(self, raw: NDArray[Any], start: float) -> int:
        """Return the place of the first point with an x of at least `start`."""
        return int(np.searchsorted(raw, self._limit(start, math.ceil, -0.25), side="left"))

    def first_after(self, raw: NDArray[Any], stop: float) -> int:
        """Return the place of the first point with an x above `stop`."""
        return int(np.searchsorted(raw, self._limit(stop, math.floor, 0.25), side="right"))

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
    numbers: NDArray[np.uint64]
    raw: NDArray[Any]
    values: NDArray[np.float64]
    is_sorted: bool


def gather(view: RunView, stream: str, key: str, axis: Axis) -> Points | None:
    """Return a series' points, without those that a resumed session repeats; None if there are no numbers."""
    entry = view.tables.series.get((stream, key))
    limits = hidden_from(view, stream)
    parts: list[_Part] = []
    for table, index in entry.places if entry else ():
        part = _part(view, table, index, axis, limits.get(table.writer, {}).get(key))
        if part is not None and len(part.raw):
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


def _join(parts: list[_Part]) -> _Part:
    """Bring what one writer logged with several schemas into the order in which it was logged."""
    if len(parts) == 1:
        return parts[0]
    numbers = np.concatenate([part.numbers for part in parts])
    order = np.argsort(numbers, kind="stable")
    raw = np.concatenate([part.raw for part in parts])[order]
    values = np.concatenate([part.values for part in parts])[order]
    return _Part(parts[0].writer, numbers[order], raw, values, _is_ascending(raw))


def _part(view: RunView, table: Table, index: int, axis: Axis, hidden: int | None) -> _Part | None:
    values, kept = _corrected(view, table, index)
    if values is None:
        return None
    numbers = np.frombuffer(table.numbers, np.uint64)
    if axis.source:
        raw = np.frombuffer(table.steps if axis.source == "steps" else table.times, np.int64)
        if hidden is None and kept is None:
            return _Part(table.writer, numbers, raw, values, _is_table_ascending(table, axis.source, raw))
        is_shown = np.ones(len(raw), np.bool_)
    else:
        raw = _aligned(view, table, axis.key)
        is_shown = np.isfinite(raw)
    if hidden is not None:
        is_shown &= np.frombuffer(table.steps, np.int64) < hidden
    if kept is not None:
        is_shown &= kept
    raw = raw[is_shown]
    return _Part(table.writer, numbers[is_shown], raw, values[is_shown], _is_ascending(raw))


def numbers_of(table: Table, index: int) -> NDArray[np.float64] | None:
    """Return a column as numbers, a view where it can be one; None if it holds none."""
    kind = table.schema.cells[index][1]
    column: Any = table.columns[index]
    if kind == "f":
        return np.frombuffer(column, np.float64)
    if kind == "i":
        return np.frombuffer(column, np.int64).astype(np.float64)
    return np.frombuffer(column, np.uint8).astype(np.float64) if kind == "b" else None


def _corrected(view: RunView, table: Table, index: int) -> tuple[NDArray[np.float64] | None, NDArray[np.bool_] | None]:
    """Return a column as numbers, corrected, and which of them are left; None for all."""
    values = numbers_of(table, index)
    fixes = view.edits.of(table.schema.stream, table.schema.cells[index][0], table.writer)
    if values is None or fixes is None:
        return values, None
    kept, found = fixes.apply(np.frombuffer(table.steps, np.int64), values)
    return np.where(kept, found, np.nan), kept


def _aligned(view: RunView, table: Table, key: str) -> NDArray[np.float64]:
    """Return for each row of a table the value of another series: of the same row, or logged at the same step."""
    place = next((at for at, (name, _) in enumerate(table.schema.cells) if name == key), None)
    if place is not None and (found := _corrected(view, table, place)[0]) is not None:
        return found
    steps, values = _by_step(view, table, key)
    wanted = np.frombuffer(table.steps, np.int64)
    if not len(steps):
        return np.full(len(wanted), np.nan)
    places = np.minimum(np.searchsorted(steps, wanted), len(steps) - 1)
    return np.where(steps[places] == wanted, values[places], np.nan)


def _by_step(view: RunView, like: Table, key: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return each step at which a table's writer logged a key, ascending, and the last value there."""
    entry = view.tables.series.get((like.schema.stream, key))
    found = [
        (table, values)
        for table, index in (entry.places if entry else ())
        if table.writer == like.writer and (values := _corrected(view, table, index)[0]) is not None
    ]
    if not found:
        return np.empty(0, np.int64), np.empty(0)
    steps = np.concatenate([np.frombuffer(table.steps, np.int64) for table, _ in found])
    numbers = np.concatenate([np.frombuffer(table.numbers, np.uint64) for table, _ in found])
    values = np.concatenate([values for _, values in found])
    order = np.lexsort((numbers, steps))
    steps, values = steps[order], values[order]
    is_last = np.append(steps[1:] != steps[:-1], True)
    return steps[is_last], values[is_last]


def _is_table_ascending(table: Table, source: str, raw: NDArray[np.int64]) -> bool:
    """Tell whether a whole column ascends, looking only at what came since the last look."""
    known = table.ascending.get(source, 1)
    if known < len(raw) and _is_ascending(raw[max(0, known - 1) :]):
        table.ascending[source] = known = len(raw)
    return known >= len(raw)


def _is_ascending(raw: NDArray[Any]) -> bool:
    return bool(np.all(raw[1:] >= raw[:-1]))
