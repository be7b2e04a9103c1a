"""Rows as they were logged, and buckets of rows that keep every extreme."""

from __future__ import annotations

import heapq
import importlib
from importlib.util import find_spec
from operator import lt
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.store.table import cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runhaven.store.table import Table
    from runhaven.store.view import RunView


OWN_KEYS = ("_step", "_timestamp", "_runtime")
_BEYOND = 1 << 63


class _Slice(NamedTuple):
    """The rows that a table had when the scan began; more may be added to it meanwhile."""

    table: Table
    length: int


class Scan:
    """Goes through the rows of a stream, session by session; those of one writer with an equal step are one.

    What an earlier session logged of a key at steps that a later, resumed session logged again is left out.
    """

    def __init__(self, view: RunView, *, stream: str, origin_us: int) -> None:
        """Take note of the rows that there are now.

        Args:
            view: The run, with its rows.
            stream: The stream.
            origin_us: When the run began, for `_runtime`.
        """
        self._hidden = hidden_from(view, stream)
        self._edits = view.edits
        self._stream = stream
        self._origin_us = origin_us
        self._slices: dict[str, list[_Slice]] = {}
        for table in view.tables.of_stream(stream):
            self._slices.setdefault(table.writer, []).append(_Slice(table, len(table)))

    def rows(self, *, min_step: int | None = None, max_step: int | None = None) -> Iterator[dict[str, Any]]:
        """Yield the rows from one step up to, not including, another."""
        low = -(2**63) if min_step is None else min_step
        high = _BEYOND if max_step is None else max_step
        for writer, slices in self._slices.items():
            hidden = self._hidden.get(writer, {})
            fixes = self._fixes(writer, slices)
            for step, places in _merged(slices):
                row = self._row(step, places, hidden) if low <= step < high else None
                if row is not None and (step not in fixes or _correct(row, fixes[step])):
                    yield row

    def _fixes(self, writer: str, slices: Sequence[_Slice]) -> dict[int, dict[str, Any]]:
        """Return what was corrected of a writer's rows: value by key, by step."""
        found: dict[int, dict[str, Any]] = {}
        keys = {key for table, _ in slices for key, _ in table.schema.cells} if self._edits.corrections else ()
        for key in keys:
            fixes = self._edits.of(self._stream, key, writer)
            for step, value in fixes.values.items() if fixes else ():
                found.setdefault(step, {})[key] = value
        return found

    def _row(self, step: int, places: Iterable[tuple[Table, int]], hidden: dict[str, int]) -> dict[str, Any] | None:
        row: dict[str, Any] = {"_step": step, "_timestamp": 0.0, "_runtime": 0.0}
        is_shown = False
        for table, index in places:
            cells = zip(table.schema.cells, table.columns, strict=True)
            if hidden:
                cells = [(named, column) for named, column in cells if step < hidden.get(named[0], _BEYOND)]
                if not cells and table.schema.cells:
                    continue
            time_us = table.times[index]
            row["_timestamp"], row["_runtime"] = time_us / 1e6, (time_us - self._origin_us) / 1e6
            for (key, kind), column in cells:
                row[key] = cell(kind, column[index])
            is_shown = True
        return row if is_shown else None


def _correct(row: dict[str, Any], values: Mapping[str, Any]) -> bool:
    """Put corrected values into a row; False if nothing is left of it."""
    for key, value in values.items():
        if key in row:
            row[key] = value
            if value is None:
                del row[key]
    return len(row) > len(OWN_KEYS)


def _merged(slices: Sequence[_Slice]) -> Iterator[tuple[int, Sequence[tuple[Table, int]]]]:
    """Yield each step of one writer, in the order in which they first came, with the rows logged at it."""
    if len(slices) == 1:
        table, length = slices[0]
        steps = table.steps[:length]
        if all(map(lt, steps, steps[1:])):
            yield from ((step, ((table, index),)) for index, step in enumerate(steps))
            return
    places: dict[int, list[tuple[Table, int]]] = {}
    for _, table, index in heapq.merge(*(_numbered(*one) for one in slices), key=lambda row: row[0]):
        places.setdefault(table.steps[index], []).append((table, index))
    yield from places.items()


def _numbered(table: Table, length: int) -> Iterator[tuple[int, Table, int]]:
    return ((table.numbers[index], table, index) for index in range(length))


def hidden_from(view: RunView, stream: str) -> dict[str, dict[str, int]]:
    """Return for each writer and key the step from which a later, resumed session logged the key again."""
    resumed = view.resumptions()
    least: dict[str, dict[str, int]] = {writer: {} for writer in resumed}
    for table in view.tables.of_stream(stream) if resumed else ():
        if table.writer in least and len(table):
            first = min(table.steps)
            for key, _ in table.schema.cells:
                known = least[table.writer].get(key, first)
                least[table.writer][key] = min(known, first)
    limits: dict[str, dict[str, int]] = {}
    for writer in view.sessions:
        merged: dict[str, int] = {}
        for later in resumed:
            if later > writer:
                for key, first in least[later].items():
                    merged[key] = min(first, merged.get(key, first))
        if merged:
            limits[writer] = merged
    return limits


def only(rows: Iterable[dict[str, Any]], keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows that hold all keys, and of them nothing else."""
    for row in rows:
        if all(key in row for key in keys):
            yield {key: row[key] for key in keys}


def bucketed(
    view: RunView, *, stream: str, origin_us: int, samples: int, keys: Sequence[str] | None, x_axis: str
) -> list[dict[str, Any]]:
    """Return the rows that hold all `keys`, in the order of `x_axis`, or at most `samples` buckets of them."""
    if sum(map(len, view.tables.of_stream(stream))) > samples > 0 and find_spec("numpy") is not None:
        from runhaven.api.sampling import sample

        return sample(view, stream=stream, origin_us=origin_us, samples=samples, keys=keys, x_axis=x_axis)
    found = Scan(view, stream=stream, origin_us=origin_us).rows()
    rows = list(found if keys is None else only(found, [*OWN_KEYS, *keys]))
    rows.sort(key=lambda row: _sort_key(row.get(x_axis)))
    return bucket_rows(rows, samples)


def _sort_key(value: Any) -> tuple[int, Any]:
    """Order rows by a number; those without one come first, as they were logged."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    is_number = is_number and value == value  # noqa: PLR0124 - NaN
    return (1, value) if is_number else (0, 0)


def bucket_rows(rows: Sequence[dict[str, Any]], samples: int) -> list[dict[str, Any]]:
    """Reduce sorted rows to at most `samples`, each with the last value and the extremes of every key."""
    if len(rows) <= samples or samples < 1:
        return list(rows)
    size = -(-len(rows) // samples)
    return [_bucket(rows[start : start + size]) for start in range(0, len(rows), size)]


def _bucket(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    bucket: dict[str, Any] = {}
    for row in rows:
        for key, value in row.items():
            bucket[key] = value
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if key.startswith("_") or not is_number or value != value:  # noqa: PLR0124 - NaN
                continue
            bucket[f"{key}.min"] = min(value, bucket.get(f"{key}.min", value))
            bucket[f"{key}.max"] = max(value, bucket.get(f"{key}.max", value))
    return bucket


def to_frame(rows: list[dict[str, Any]]) -> Any:
    """Return rows as a `pandas.DataFrame`; the rows themselves where pandas is missing."""
    try:
        pandas: Any = importlib.import_module("pandas")
    except ImportError:
        return rows
    return pandas.DataFrame(rows)
