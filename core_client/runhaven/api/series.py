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
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.api.data import RunData
    from runhaven.journal.record import CellType
    from runhaven.metric import Metric
    from runhaven.store.table import SeriesEntry, Table

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


class _Shown(NamedTuple):
    """What a stretch of a series comes to, without what is hidden of it."""

    type: str
    points: int
    step_min: int
    step_max: int
    last: Any
    last_us: int


def list_series(data: RunData, metrics: Mapping[str, Metric], stream: str | None) -> list[Series]:
    """List the series of one stream or of all, as far as no later session hides them.

    Args:
        data: The run's rows.
        metrics: What `define_metric` said, by name.
        stream: The stream; None for all.
    """
    found: list[Series] = []
    for of in sorted(data.streams):
        if stream is None or of == stream:
            for key, stretches in sorted(_stretches(data, of).items()):
                found.append(_series(of, key, stretches, metrics))
    return found


def _stretches(data: RunData, stream: str) -> dict[str, list[_Shown]]:
    """Return what is in sight of each series of a stream."""
    hidden = hidden_from(data, stream)
    found: dict[str, list[_Shown]] = {}
    if data.sealed is not None and not hidden and not data.edits.renames and not data.edits.corrections:
        for one in (*data.sealed.all_series(), *data.view.tables.series.values()):
            if one.stream == stream:
                whole = _Shown(one.type, one.count, one.step_min, one.step_max, one.last, one.last_us)
                found.setdefault(one.key, []).append(whole)
        return found
    for entry in data.entries(stream):
        shown = list(_shown(entry, hidden))
        if shown:
            found[entry.key] = shown
    return found


def _series(stream: str, key: str, stretches: Sequence[_Shown], metrics: Mapping[str, Metric]) -> Series:
    newest = stretches[0]
    for stretch in stretches:
        newest = stretch if stretch.last_us >= newest.last_us else newest
    rule = rule_for(metrics, key) if not stream.startswith("node=") else None
    return Series(
        stream=stream,
        key=key,
        type="s" if newest.type == "S" else newest.type,  # pyright: ignore[reportArgumentType] - else those of cells
        count=sum(stretch.points for stretch in stretches),
        step_min=min(stretch.step_min for stretch in stretches),
        step_max=max(stretch.step_max for stretch in stretches),
        last=newest.last,
        axis=rule.step_metric if rule else None,
        is_hidden=bool(rule and rule.hidden),
    )


def _shown(entry: SeriesEntry, hidden: Mapping[str, Mapping[str, int]]) -> Iterator[_Shown]:
    limits = [hidden.get(table.writer, {}).get(entry.key) for table, _ in entry.places]
    if all(limit is None for limit in limits):
        if entry.count:
            yield _Shown(entry.type, entry.count, entry.step_min, entry.step_max, entry.last, entry.last_us)
        return
    for (table, at), limit in zip(entry.places, limits, strict=True):
        count, low, high, last = _below(table, limit)
        if count:
            kind = table.schema.cells[at][1]
            yield _Shown(kind, count, low, high, cell(kind, table.columns[at][last]), table.times[last])


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
