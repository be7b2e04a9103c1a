"""Buckets of rows without making the rows: what `bucket_rows` does of a scan, column by column."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.api.history import OWN_KEYS, hidden_from
from runhaven.missing import require
from runhaven.store.table import cell

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from runhaven.api.data import RunData
    from runhaven.api.history import Keep
    from runhaven.store.table import Table

    Places = NDArray[np.int64]
    Mask = NDArray[np.bool_]
else:
    np = require("numpy", feature="sampling long histories", package="runhaven[ui]")


class Cells(NamedTuple):
    """The cells of one key that count: one for each merged row that has it.

    Attributes:
        row: Their merged rows, ascending; once brought along x, their places there.
        at: Where each lies among the rows of all tables.
    """

    row: Places
    at: Places


class Rows:
    """The merged rows of a stream, in the order of a scan, without their values.

    Attributes:
        steps: The step of each.
        times: The time of each.
        is_shown: Which of them a scan would yield.
        cells: Which cells each key has.
    """

    def __init__(self, data: RunData, stream: str, *, keep: Keep = "latest") -> None:
        """Find out which rows of the tables belong together."""
        self._tables = [table for table in data.tables(stream) if len(table)]
        self._offsets = np.cumsum([0, *(len(table) for table in self._tables)])
        steps = np.concatenate([np.frombuffer(table.steps, np.int64) for table in self._tables])
        times = np.concatenate([np.frombuffer(table.times, np.int64) for table in self._tables])
        self._numbers = np.concatenate([np.frombuffer(table.numbers, np.uint64) for table in self._tables])
        self._row, count = _merge(self._tables, steps, self._numbers)

        hidden = hidden_from(data, stream, keep=keep)
        self._fixed = _fixed(data, stream, self._tables, self._offsets)
        is_shown = np.zeros(len(steps), np.bool_)
        is_shown[self._visible(None, hidden, steps)] = True
        self.cells: dict[str, Cells] = {}
        for key in dict.fromkeys(key for table in self._tables for key, _ in table.schema.cells):
            at = self._visible(key, hidden, steps)
            is_shown[at] = True
            self.cells[key] = self._last_of_each_row(at)
        newest = self._last_of_each_row(np.flatnonzero(is_shown))
        self.is_shown: Mask = np.zeros(count, np.bool_)
        self.is_shown[newest.row] = True
        self.steps, self.times = np.zeros(count, np.int64), np.zeros(count, np.int64)
        self.steps[self._row] = steps
        self.times[newest.row] = times[newest.at]

    def _visible(self, key: str | None, hidden: dict[str, dict[str, int]], steps: Places) -> Places:
        """Return where the cells of a key lie, or the rows without a key, that no later session hides."""
        found: list[Places] = [np.empty(0, np.int64)]
        for index, table in enumerate(self._tables):
            has_it = not table.schema.cells if key is None else any(name == key for name, _ in table.schema.cells)
            if has_it:
                at: Places = np.arange(int(self._offsets[index]), int(self._offsets[index + 1]))
                limit = hidden.get(table.writer, {}).get("_step" if key is None else key)
                found.append(at if limit is None else at[steps[at] < limit])
        gone = [at for at, value in (self._fixed.get(key, {}) if key is not None else {}).items() if value is None]
        return np.setdiff1d(np.concatenate(found), gone) if gone else np.concatenate(found)

    def _last_of_each_row(self, at: Places) -> Cells:
        order = at[np.lexsort((self._numbers[at], self._row[at]))]
        row = self._row[order]
        is_last = np.append(row[1:] != row[:-1], True)[: len(row)]
        return Cells(row[is_last], order[is_last])

    def value(self, key: str, at: int) -> Any:
        """Return the value of a cell."""
        if at in (fixed := self._fixed.get(key, {})):
            return fixed[at]
        index = int(np.searchsorted(self._offsets, at, side="right")) - 1
        table = self._tables[index]
        column = next(place for place, (name, _) in enumerate(table.schema.cells) if name == key)
        return cell(table.schema.cells[column][1], table.columns[column][at - int(self._offsets[index])])

    def numbers(self, key: str, cells: Cells) -> tuple[Mask, NDArray[Any]]:
        """Return which of a key's cells are integers or floats, and the numbers; integers stay exact."""
        kinds = [dict(table.schema.cells).get(key) for table in self._tables]
        fixed = {at: value for at, value in self._fixed.get(key, {}).items() if isinstance(value, int | float)}
        are_exact = all(kind in ("i", "b", "s", "j", None) for kind in kinds)
        are_exact = are_exact and not any(isinstance(value, float) for value in fixed.values())
        values = np.zeros(len(self._row), np.int64 if are_exact else np.float64)
        is_number = np.zeros(len(self._row), np.bool_)
        for index, (table, kind) in enumerate(zip(self._tables, kinds, strict=True)):
            if kind in ("f", "i"):
                rows = slice(self._offsets[index], self._offsets[index + 1])
                column: Any = table.columns[[name for name, _ in table.schema.cells].index(key)]
                values[rows] = np.frombuffer(column, np.int64 if kind == "i" else np.float64)
                is_number[rows] = True
        for at, value in fixed.items():
            values[at] = value
        found = values[cells.at]
        return is_number[cells.at] & ~np.isnan(found), found


def _fixed(data: RunData, stream: str, tables: list[Table], offsets: Places) -> dict[str, dict[int, Any]]:
    """Return for each key where the cells lie that were corrected, and what counts there."""
    found: dict[str, dict[int, Any]] = {}
    for table, offset in zip(tables, offsets, strict=False) if data.edits.corrections else ():
        steps = np.frombuffer(table.steps, np.int64)
        for key, _ in table.schema.cells:
            fixes = data.edits.of(stream, key, table.writer)
            for step, value in fixes.values.items() if fixes else ():
                places = (np.flatnonzero(steps == step) + int(offset)).tolist()
                found.setdefault(key, {}).update(dict.fromkeys(places, value))
    return found


def _merge(tables: list[Table], steps: Places, numbers: NDArray[np.uint64]) -> tuple[Places, int]:
    """Return the merged row of each row, and how many there are; rows of one writer and step are one."""
    if len(tables) == 1 and bool(np.all(steps[1:] > steps[:-1])):
        return np.arange(len(steps)), len(steps)
    writers = {name: rank for rank, name in enumerate(dict.fromkeys(table.writer for table in tables))}
    ranks = np.array([writers[table.writer] for table in tables]).repeat([len(table) for table in tables])
    order = np.lexsort((numbers, steps, ranks))
    is_first = np.append(True, np.diff(ranks[order]).astype(np.bool_) | (steps[order][1:] != steps[order][:-1]))
    group = np.cumsum(is_first) - 1
    leaders = order[is_first]
    place = np.empty(len(leaders), np.int64)
    place[np.lexsort((numbers[leaders], ranks[leaders]))] = np.arange(len(leaders))
    row = np.empty(len(steps), np.int64)
    row[order] = place[group]
    return row, len(leaders)


def sample(
    rows: Rows, *, origin_us: int, samples: int, keys: Sequence[str] | None, x_axis: str
) -> list[dict[str, Any]]:
    """Return at most `samples` buckets of the rows that hold all `keys`, in the order of `x_axis`."""
    wanted = list(rows.cells) if keys is None else [key for key in dict.fromkeys(keys) if key not in OWN_KEYS]
    kept = rows.is_shown.copy()
    for key in () if keys is None else wanted:
        has_key = np.zeros(len(kept), np.bool_)
        has_key[rows.cells[key].row] = True
        kept &= has_key
    order = np.flatnonzero(kept)
    order = order[_order_along(rows, order, x_axis)]
    size = max(1, -(-len(order) // samples))
    buckets = [_own(rows, row, origin_us) for row in order[_ends(np.arange(len(order)) // size)]]
    place = np.full(len(kept), -1)
    place[order] = np.arange(len(order))
    for key in wanted:
        cells = _along(rows.cells[key], place)
        _add_last(buckets, rows, key, cells, size)
        if len(order) > samples:
            _add_extremes(buckets, rows, key, cells, size)
    return buckets


def _own(rows: Rows, row: int, origin_us: int) -> dict[str, Any]:
    time_us = int(rows.times[row])
    return {"_step": int(rows.steps[row]), "_timestamp": time_us / 1e6, "_runtime": (time_us - origin_us) / 1e6}


def _order_along(rows: Rows, chosen: Places, x_axis: str) -> Places:
    if x_axis in OWN_KEYS:
        return np.argsort((rows.steps if x_axis == "_step" else rows.times)[chosen], kind="stable")
    cells = rows.cells[x_axis]
    is_number, values = rows.numbers(x_axis, cells)
    x, is_known = np.zeros(len(rows.steps), values.dtype), np.zeros(len(rows.steps), np.bool_)
    x[cells.row[is_number]], is_known[cells.row[is_number]] = values[is_number], True
    return np.lexsort((x[chosen], is_known[chosen]))


def _ends(bucket: Places) -> Places:
    """Return the last place of each run of equal numbers."""
    return np.flatnonzero(np.append(bucket[1:] != bucket[:-1], True)[: len(bucket)])


def _along(cells: Cells, place: Places) -> Cells:
    """Return the cells of kept rows in the order of x, with the place of each along it."""
    places = place[cells.row]
    order = np.argsort(places, kind="stable")
    order = order[np.searchsorted(places[order], 0) :]
    return Cells(places[order], cells.at[order])


def _add_last(buckets: list[dict[str, Any]], rows: Rows, key: str, cells: Cells, size: int) -> None:
    bucket = cells.row // size
    for end in _ends(bucket):
        buckets[bucket[end]][key] = rows.value(key, int(cells.at[end]))


def _add_extremes(buckets: list[dict[str, Any]], rows: Rows, key: str, cells: Cells, size: int) -> None:
    is_number, values = rows.numbers(key, cells)
    bucket, values = (cells.row // size)[is_number], values[is_number]
    if key.startswith("_") or not len(bucket):
        return
    starts = np.append(0, _ends(bucket)[:-1] + 1)
    lows, highs = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    for index, low, high in zip(bucket[starts].tolist(), lows.tolist(), highs.tolist(), strict=True):
        buckets[index] |= {f"{key}.min": low, f"{key}.max": high}
