"""What was logged of a series whose cells are no numbers: media, histograms, texts, objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.api.history import hidden_from
from runhaven.store.table import cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runhaven.api.data import RunData
    from runhaven.api.history import Keep

_KINDS = "sSj"


class Logged(NamedTuple):
    """A value that was logged.

    Attributes:
        step: At which step.
        time_us: When, microseconds since the epoch.
        value: The value; of media what refers to their bytes.
    """

    step: int
    time_us: int
    value: Any


def read_values(data: RunData, stream: str, key: str, *, keep: Keep = "latest") -> list[Logged]:
    """Return the values of a series that are no numbers, by step; of one process's at one step the last.

    Raises:
        UsageError: If `keep` is not known.
    """
    limits = hidden_from(data, stream, keep=keep)
    found: dict[tuple[str, int], tuple[int, Logged]] = {}
    for writer, rows in _stretches(data, stream, key):
        limit = limits.get(writer, {}).get(key)
        for row, one in rows:
            before = found.get((writer, one.step))
            if (limit is None or one.step < limit) and (before is None or before[0] < row):
                found[writer, one.step] = row, one
    shown = (_corrected(data, stream, key, writer, one) for (writer, _), (_, one) in found.items())
    return sorted((one for one in shown if one.value is not None), key=lambda one: one.step)


def _corrected(data: RunData, stream: str, key: str, writer: str, one: Logged) -> Logged:
    fixes = data.edits.of(stream, key, writer)
    return one if fixes is None else one._replace(value=fixes.values.get(one.step, one.value))


def _stretches(data: RunData, stream: str, key: str) -> Iterator[tuple[str, Iterable[tuple[int, Logged]]]]:
    """Yield writer and rows, with their record numbers, of each stretch of the series."""
    if data.sealed is not None and data.edits.renames:
        # What a series was called when it was logged differs from row to row.
        entry = next((entry for entry in data.entries(stream) if entry.key == key), None)
    else:
        entry = data.view.tables.series.get((stream, key))
        for segment, series in data.parts(stream, key):
            for place in series.texts:
                if place.type in _KINDS:
                    _, rows, steps, times, values = segment.text_chunk(series, place)
                    shown = [cell("j", value) for value in values] if place.type == "j" else values
                    yield (
                        place.writer,
                        zip(rows.tolist(), map(Logged, steps.tolist(), times.tolist(), shown), strict=True),
                    )
    for table, at in entry.places if entry else ():
        kind = table.schema.cells[at][1]
        if kind in _KINDS:
            values = [cell(kind, value) for value in table.columns[at]]
            yield table.writer, zip(table.numbers, map(Logged, table.steps, table.times, values), strict=True)
