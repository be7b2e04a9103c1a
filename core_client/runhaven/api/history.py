"""Rows as they were logged, and buckets of rows that keep every extreme."""

from __future__ import annotations

import difflib
import heapq
from importlib.util import find_spec
from operator import lt
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Self, TypeAlias

from runhaven.errors import NotFoundError, UsageError
from runhaven.store.table import cell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runhaven.api.data import RunData
    from runhaven.journal.record import CellType, Column, Numbers
    from runhaven.store.table import Table


Keep: TypeAlias = Literal["latest", "all"]
"""Which rows are read where sessions overlap or a run was rewound: those that count now, or all that were logged."""

OWN_KEYS = ("_step", "_timestamp", "_runtime")
_BEYOND = 1 << 63


class _Slice(NamedTuple):
    """The rows that a table had when the scan began; more may be added to it meanwhile."""

    writer: str
    cells: list[tuple[tuple[str, CellType], Column]]
    numbers: Numbers
    steps: Numbers
    times: Numbers
    length: int

    @classmethod
    def of(cls, table: Table) -> Self:
        """Take note of a table's rows."""
        cells = list(zip(table.schema.cells, table.columns, strict=True))
        return cls(table.writer, cells, table.numbers, table.steps, table.times, len(table))


class Scan:
    """Goes through the rows of a stream, session by session; those of one writer with an equal step are one.

    What an earlier session logged of a key at steps that a later, resumed session logged again is left out, and so is
    what a rewind hides.
    """

    def __init__(self, data: RunData, *, stream: str, origin_us: int, keep: Keep = "latest") -> None:
        """Take note of the rows that there are now.

        Args:
            data: The run's rows.
            stream: The stream.
            origin_us: When the run began, for `_runtime`.
            keep: "all" leaves nothing out.
        """
        self._hidden = hidden_from(data, stream, keep=keep)
        self._edits = data.edits
        self._stream = stream
        self._origin_us = origin_us
        self._slices: dict[str, list[_Slice]] = {}
        for table in data.tables(stream):
            self._slices.setdefault(table.writer, []).append(_Slice.of(table))

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
        keys = {key for one in slices for (key, _), _ in one.cells} if self._edits.corrections else ()
        for key in keys:
            fixes = self._edits.of(self._stream, key, writer)
            for step, value in fixes.values.items() if fixes else ():
                found.setdefault(step, {})[key] = value
        return found

    def _row(self, step: int, places: Iterable[tuple[_Slice, int]], hidden: dict[str, int]) -> dict[str, Any] | None:
        row: dict[str, Any] = {"_step": step, "_timestamp": 0.0, "_runtime": 0.0}
        is_shown = False
        for rows, index in places:
            cells = rows.cells
            if hidden:
                cells = [(named, column) for named, column in cells if step < hidden.get(named[0], _BEYOND)]
                if not cells and (rows.cells or step >= hidden.get("_step", _BEYOND)):
                    continue
            time_us = rows.times[index]
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


def _merged(slices: Sequence[_Slice]) -> Iterator[tuple[int, Sequence[tuple[_Slice, int]]]]:
    """Yield each step of one writer, in the order in which they first came, with the rows logged at it."""
    if len(slices) == 1:
        (rows,) = slices
        steps = rows.steps[: rows.length]
        if all(map(lt, steps, steps[1:])):
            yield from ((step, ((rows, index),)) for index, step in enumerate(steps))
            return
    places: dict[int, list[tuple[_Slice, int]]] = {}
    for _, rows, index in heapq.merge(*map(_numbered, slices), key=lambda row: row[0]):
        places.setdefault(rows.steps[index], []).append((rows, index))
    yield from places.items()


def _numbered(rows: _Slice) -> Iterator[tuple[int, _Slice, int]]:
    return ((rows.numbers[index], rows, index) for index in range(rows.length))


def hidden_from(data: RunData, stream: str, *, keep: Keep = "latest") -> dict[str, dict[str, int]]:
    """Return for each writer and key the first step that is hidden: a later session logged it again, or went back.

    "_step" stands for rows without a key. The load of a machine is never hidden.

    Raises:
        UsageError: If `keep` is not known.
    """
    if keep not in ("latest", "all"):
        message = f"keep={keep!r} is not known; choose 'latest' or 'all'."
        raise UsageError(message)
    resumed = data.resumed
    if keep == "all" or not resumed or stream.startswith("node="):
        return {}
    least: dict[str, dict[str, int]] = {}
    for writer, key, first in data.extents(stream):
        known = least.setdefault(writer, {"_step": _BEYOND})
        if key != "_step":
            known[key] = min(first, known.get(key, first))
    limits = {writer: _limits(writer, logged, least, resumed) for writer, logged in least.items()}
    return {writer: found for writer, found in limits.items() if found}


def _limits(
    writer: str, logged: Iterable[str], least: Mapping[str, dict[str, int]], resumed: Mapping[str, int | None]
) -> dict[str, int]:
    """Return for the keys of one writer the first step that a later one hides."""
    found: dict[str, int] = {}
    for later, rewind in resumed.items():
        if later > writer:
            firsts = [least.get(later, {}), {} if rewind is None else dict.fromkeys(logged, rewind + 1)]
            for key, first in (named for steps in firsts for named in steps.items()):
                found[key] = min(first, found.get(key, first))
    return found


def only(rows: Iterable[dict[str, Any]], keys: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows that hold all keys, and of them nothing else."""
    for row in rows:
        if all(key in row for key in keys):
            yield {key: row[key] for key in keys}


def bucketed(  # noqa: PLR0913 - what a history asks for
    data: RunData,
    *,
    stream: str,
    origin_us: int,
    samples: int,
    keys: Sequence[str] | None,
    x_axis: str,
    keep: Keep = "latest",
) -> list[dict[str, Any]]:
    """Return the rows that hold all `keys`, in the order of `x_axis`, or at most `samples` buckets of them."""
    if data.count_rows(stream) > samples > 0 and find_spec("numpy") is not None:
        from runhaven.api.sampling import Rows, sample

        rows = Rows(data, stream, keep=keep)
        return sample(rows, origin_us=origin_us, samples=samples, keys=keys, x_axis=x_axis)
    found = Scan(data, stream=stream, origin_us=origin_us, keep=keep).rows()
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


def check_keys(keys: Iterable[str], logged: set[str], name: str) -> None:
    """Make sure that a run logged all of `keys`.

    Args:
        keys: The keys.
        logged: All that it logged.
        name: What the run is called, for the message.

    Raises:
        NotFoundError: If it did not.
    """
    known = logged | set(OWN_KEYS)
    for key in (key for key in keys if key not in known):
        near = difflib.get_close_matches(key, known, n=3)
        others = ", ".join(map(repr, sorted(known - set(OWN_KEYS))[:20])) or "none"
        hint = f"Did you mean {', '.join(map(repr, near))}?" if near else f"It has {others}."
        message = f"run {name} never logged {key!r}. {hint}"
        raise NotFoundError(message)
