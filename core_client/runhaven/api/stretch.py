"""The points of a run, stretch by stretch: what one process logged of a series, as it is called and corrected by now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.api.history import hidden_from
from runhaven.store.table import cell

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from runhaven.api.data import RunData
    from runhaven.api.history import Keep
    from runhaven.store.edits import Fixes
    from runhaven.store.table import Table


class Stretch(NamedTuple):
    """Points of one series.

    Attributes:
        key: The series.
        kind: Type of all values as `CellType` names it; "*" where they may be of several.
        steps: The step of each.
        times: When each was logged, microseconds since the epoch.
        values: The value of each, exact.
    """

    key: str
    kind: str
    steps: Sequence[int]
    times: Sequence[int]
    values: Sequence[Any]


def stretches(
    data: RunData, stream: str, *, keys: Collection[str] | None = None, keep: Keep = "latest"
) -> Iterator[Stretch]:
    """Yield all points of a stream that count, series by series.

    Args:
        data: The run's rows.
        stream: The stream.
        keys: Only these series.
        keep: "all" brings in what later sessions repeat, and what a rewind hides.
    """
    hidden = hidden_from(data, stream, keep=keep)
    places = [
        (key, table, place)
        for table in data.tables(stream)
        if len(table)
        for place, (key, _) in enumerate(table.schema.cells)
        if keys is None or key in keys
    ]
    for key, table, place in sorted(places, key=lambda found: (found[0], found[1].writer, found[1].numbers[0])):
        fixes = data.edits.of(stream, key, table.writer)
        found = _stretch(table, place, hidden.get(table.writer, {}).get(key), fixes)
        if len(found.steps):
            yield found


def _stretch(table: Table, place: int, limit: int | None, fixes: Fixes | None) -> Stretch:
    key, kind = table.schema.cells[place]
    length = len(table)
    steps, times = table.steps[:length], table.times[:length]
    column: Any = table.columns[place][:length]
    values = column if kind in "fis" else [cell(kind, value) for value in column]
    if limit is None and fixes is None:
        return Stretch(key, kind, steps, times, values)
    fixed: Mapping[int, Any] = fixes.values if fixes else {}
    kept = [
        at for at, step in enumerate(steps) if (limit is None or step < limit) and fixed.get(step, step) is not None
    ]
    return Stretch(
        key,
        "*" if fixes else kind,
        [steps[at] for at in kept],
        [times[at] for at in kept],
        [fixed.get(steps[at], values[at]) for at in kept],
    )
