"""What the read API hands out about series."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from operator import le
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.api.history import hidden_from
from runhaven.metric import rule_for
from runhaven.store.table import cell

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.journal.record import CellType
    from runhaven.store.table import SeriesEntry, Table
    from runhaven.store.view import RunView

    Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a run.

    Attributes:
        stream: "" for what the user logged, "node=<host>" for the load of a machine.
        key: Its name.
        type: f (float), i (integer), b (bool), s (string) or j (JSON).
        count: How many points it has.
        step_min: Its least step.
        step_max: Its greatest step.
        last: The value of its newest point.
        axis: The series that is its x axis; None for the step.
        is_hidden: Whether `define_metric` hides it.
    """

    stream: str
    key: str
    type: CellType
    count: int
    step_min: int
    step_max: int
    last: Any
    axis: str | None
    is_hidden: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """Buckets of a series, ordered by x. All arrays have one entry a bucket.

    Attributes:
        x: The x of the bucket's last point, float64.
        last: The bucket's last finite value, float64; NaN if it has none.
        min: Its least finite value, float64.
        max: Its greatest finite value, float64.
        count: How many points it covers, int64.
        nonfinite: How many of them are NaN or infinite, int64.
    """

    x: Floats
    last: Floats
    min: Floats
    max: Floats
    count: NDArray[np.int64]
    nonfinite: NDArray[np.int64]

    def __len__(self) -> int:
        """Count the buckets."""
        return len(self.x)


def list_series(view: RunView, stream: str | None) -> list[Series]:
    """Return the series of one stream or of all, as far as no later session hides them."""
    hidden = {of: hidden_from(view, of) for of in {of for of, _ in view.tables.series}}
    found: list[Series] = []
    for entry in view.tables.series.values():
        if stream is not None and entry.stream != stream:
            continue
        shown = _shown(entry, hidden[entry.stream])
        if shown is not None:
            rule = rule_for(view.metrics, entry.key) if not entry.stream.startswith("node=") else None
            axis, is_hidden = (rule.step_metric, rule.hidden) if rule else (None, False)
            found.append(Series(entry.stream, entry.key, *shown, axis, is_hidden))
    return sorted(found, key=lambda series: (series.stream, series.key))


class _Shown(NamedTuple):
    """What is not hidden of a series comes to."""

    type: CellType
    points: int
    step_min: int
    step_max: int
    last: Any


def _shown(entry: SeriesEntry, hidden: Mapping[str, Mapping[str, int]]) -> _Shown | None:
    """Return what is in sight of a series; None if nothing is."""
    limits = [hidden.get(table.writer, {}).get(entry.key) for table, _ in entry.places]
    if all(limit is None for limit in limits):
        return _Shown(entry.type, entry.count, entry.step_min, entry.step_max, entry.last)
    best: _Shown | None = None
    newest = -1
    for (table, at), limit in zip(entry.places, limits, strict=True):
        count, low, high, last = _below(table, limit)
        if not count:
            continue
        is_newer = best is None or table.times[last] >= newest
        if best is not None:
            count, low, high = best.points + count, min(best.step_min, low), max(best.step_max, high)
        if is_newer:
            kind, newest = table.schema.cells[at][1], table.times[last]
            best = _Shown(kind, count, low, high, cell(kind, table.columns[at][last]))
        elif best is not None:
            best = best._replace(points=count, step_min=low, step_max=high)
    return best


def _below(table: Table, limit: int | None) -> tuple[int, int, int, int]:
    """Return how many rows have a step below `limit`, their least and greatest step, and where the last one is."""
    steps, length = table.steps, len(table)
    if _is_ascending(table):
        count = length if limit is None else bisect_left(steps, limit)
        return (count, steps[0], steps[count - 1], count - 1) if count else (0, 0, 0, 0)
    shown = [(step, at) for at, step in enumerate(steps) if limit is None or step < limit]
    if not shown:
        return 0, 0, 0, 0
    return len(shown), min(shown)[0], max(shown)[0], shown[-1][1]


def _is_ascending(table: Table) -> bool:
    """Tell whether the steps of a table ascend, looking only at what came since the last look."""
    known = table.ascending.get("steps", 1)
    if known < len(table) and all(map(le, table.steps[known - 1 : -1], table.steps[known:])):
        table.ascending["steps"] = known = len(table)
    return known >= len(table)
