"""Rows as they were logged, and buckets of rows that keep every extreme."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

from runhaven.store.table import cell
from runhaven.value import from_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runhaven.store.table import Table
    from runhaven.store.view import RunView


def scan(view: RunView, *, stream: str, origin_us: int) -> list[dict[str, Any]]:
    """Return the rows of a stream, session by session; those of one writer with an equal step are one.

    What an earlier session logged of a key at steps that a later, resumed session logged again is left out.
    """
    limits = hidden_from(view, stream)
    rows: list[dict[str, Any]] = []
    by_writer: dict[str, list[Table]] = {}
    for table in view.tables.of_stream(stream):
        by_writer.setdefault(table.writer, []).append(table)
    for writer, tables in by_writer.items():
        merged: dict[int, dict[str, Any]] = {}
        hidden = limits.get(writer, {})
        for _, table, index in heapq.merge(*(_numbered(table) for table in tables)):
            step, time_us = table.steps[index], table.times[index]
            values = _values(table, index, step, hidden)
            if not values and table.schema.cells:
                continue
            row = merged.setdefault(step, {"_step": step})
            row |= {"_timestamp": time_us / 1e6, "_runtime": (time_us - origin_us) / 1e6}
            row |= values
        rows += merged.values()
    return rows


def _numbered(table: Table) -> Iterator[tuple[int, Table, int]]:
    return ((number, table, index) for index, number in enumerate(table.numbers))


def _values(table: Table, index: int, step: int, hidden: dict[str, int]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for (key, kind), column in zip(table.schema.cells, table.columns, strict=True):
        if key not in hidden or step < hidden[key]:
            value = cell(kind, column[index])
            values[key] = from_json(value) if kind == "j" else value
    return values


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


def bucket_rows(rows: Sequence[dict[str, Any]], samples: int, x_axis: str) -> list[dict[str, Any]]:
    """Reduce sorted rows to at most `samples`, each with the last value and the extremes of every key."""
    if len(rows) <= samples or samples < 1:
        return list(rows)
    size = -(-len(rows) // samples)
    return [_bucket(rows[start : start + size], x_axis) for start in range(0, len(rows), size)]


def _bucket(rows: Sequence[dict[str, Any]], x_axis: str) -> dict[str, Any]:
    bucket: dict[str, Any] = {}
    for row in rows:
        for key, value in row.items():
            bucket[key] = value
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if key.startswith("_") or key == x_axis or not is_number or value != value:  # noqa: PLR0124 - NaN
                continue
            bucket[f"{key}.min"] = min(value, bucket.get(f"{key}.min", value))
            bucket[f"{key}.max"] = max(value, bucket.get(f"{key}.max", value))
    return bucket
