"""The way of one `log()` call: from a dict to a row in the journal.

A `Shape` remembers, for a set of keys, the types that came last and the layout of their row, so that a call like the one
before it costs two comparisons and one packing.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from runhaven.device import defer, is_on_device
from runhaven.journal.record import Schema
from runhaven.metric import Aggregate, keeps_plain_value, rule_for
from runhaven.rich import Rich, is_rich
from runhaven.value import flatten, to_cell, to_json, to_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runhaven.device import Deferred
    from runhaven.journal.layout import Layout
    from runhaven.journal.record import CellType
    from runhaven.metric import Metric
    from runhaven.rich import Keeper

_PYTHON_TYPES: dict[CellType, type] = {"f": float, "i": int, "b": bool}


class Journal(Protocol):
    """Where rows and events go: a `JournalWriter`, or a double in memory."""

    @property
    def number(self) -> int:
        """The number of the next record."""
        ...

    def exclusively(self, action: Callable[..., object], *arguments: object) -> None:
        """Run `action` while no other thread writes."""
        ...

    def layout(self, schema: Schema) -> Layout:
        """Return the layout of a schema."""
        ...

    def put_row(self, layout: Layout, step: int, time_us: int, values: Sequence[Any]) -> None:
        """Append one row."""
        ...

    def put_event(self, data: Mapping[str, Any], vital: bool = False) -> None:
        """Append one event."""
        ...


class Shape:
    """Rows with the same keys and types, and the newest of them."""

    __slots__ = ("axes", "folds", "keys", "lacks", "layout", "shown", "turn", "types")

    def __init__(
        self, layout: Layout, folds: list[tuple[int, Aggregate]], axes: list[tuple[int, str]], lacks: list[str]
    ) -> None:
        """Describe the rows of a layout.

        Args:
            layout: How they lie in bytes.
            folds: Which of their values an aggregate takes in.
            axes: Which of their values are a step metric.
            lacks: Step metrics that they want and do not hold.
        """
        self.layout = layout
        self.keys = tuple(key for key, _ in layout.schema.cells)
        self.types = tuple(_PYTHON_TYPES.get(kind) for _, kind in layout.schema.cells)
        self.folds = folds
        self.axes = axes
        self.lacks = lacks
        self.shown: Sequence[Any] = ()
        self.turn = 0


class _OnTheWay(NamedTuple):
    keys: list[str]
    step: int
    time_us: int
    copy: Deferred


class Later(Protocol):
    """Rows whose values are still being computed."""

    def is_ready(self) -> bool:
        """Tell whether `read` would return at once."""
        ...

    def read(self) -> list[dict[str, Any]]:
        """Return the rows, waiting for them if need be."""
        ...


class _RowsOnTheWay(NamedTuple):
    step: int
    time_us: int
    copy: Later


class Recorder:
    """Turns `log()` calls into rows, keeps the step counter, and sums up what was logged.

    Attributes:
        step: The counter c: the step of the next implicit `log()`.
        last_step: The greatest step of a row; None before the first.
        lost: Values from a device that never arrived.
        open_keeper: Makes what keeps rich values, when the first one is logged; None where they are kept by their JSON.
    """

    def __init__(self, journal: Journal, *, stream: str = "", step: int = 0) -> None:
        """Start with nothing logged.

        Args:
            journal: Where the rows go.
            stream: The stream that they belong to.
            step: The first step.
        """
        self.step = step
        self.last_step: int | None = None
        self.lost = 0
        self.open_keeper: Callable[[], Keeper] | None = None
        self._keeper: Keeper | None = None
        self._journal = journal
        self._stream = stream
        self._written = 0
        self._shapes: dict[tuple[str, ...], Shape] = {}
        self._others: dict[Schema, Shape] = {}
        self._rules: dict[str, Metric] = {}
        self._aggregates: dict[str, Aggregate] = {}
        self._axes: dict[str, float] = {}
        self._earlier: dict[str, Any] = {}
        self._places: deque[tuple[int, int]] = deque()
        self._on_the_way: deque[_OnTheWay] = deque()
        self._rows_on_the_way: deque[_RowsOnTheWay] = deque()

    # Logging

    def log(self, data: Mapping[str, Any], step: int | None, commit: bool | None) -> None:
        """Write one row."""
        shape = self._shapes.get(tuple(data))
        if shape is None:
            self._log_any(data, step, commit)
            return
        values = tuple(data.values())
        if tuple(map(type, values)) != shape.types:
            values = tuple(map(to_number, values))
            if tuple(map(type, values)) != shape.types:
                self._log_any(data, step, commit)
                return
        try:
            self._journal.exclusively(self._append, shape, values, values, step, commit)
        except struct.error:
            self._log_any(data, step, commit)

    def _append(
        self,
        shape: Shape | None,
        cells: Sequence[Any],
        shown: Sequence[Any],
        step: int | None,
        commit: bool | None,
    ) -> int:
        """Write a row at its step and move the counter; returns its time. Runs exclusively.

        A row without a shape is one whose values all follow: only its place is noted, which takes a fraction of the time.
        """
        if shape is not None and shape.lacks and (known := self._known_axes(shape)):
            return self._append_with_axes(shape, shown, known, step, commit)
        counter = self.step
        if step is None:
            step = counter
            following = counter if commit is False else counter + 1
        elif step < counter:
            following = counter
        else:
            following = step + 1 if commit else step
        time_us = time.time_ns() // 1000
        if shape is None:
            self._places.append((step, time_us))
        else:
            if self._places:
                self._write_places()
            self._write(shape, cells, shown, step, time_us)
        self.step = following
        return time_us

    def _write(self, shape: Shape, cells: Sequence[Any], shown: Sequence[Any], step: int, time_us: int) -> None:
        self._journal.put_row(shape.layout, step, time_us, cells)
        shape.shown = shown
        self._written += 1
        shape.turn = self._written
        if self.last_step is None or step > self.last_step:
            self.last_step = step
        for index, aggregate in shape.folds:
            aggregate.add(shown[index])
        for index, name in shape.axes:
            self._axes[name] = shown[index]

    def _known_axes(self, shape: Shape) -> dict[str, float]:
        """Return the last values of the step metrics that rows of a shape lack."""
        return {name: self._axes[name] for name in shape.lacks if name in self._axes}

    def _append_with_axes(
        self, shape: Shape, shown: Sequence[Any], known: dict[str, float], step: int | None, commit: bool | None
    ) -> int:
        """Write the row with the step metrics that it lacks."""
        data = dict(zip(shape.keys, shown, strict=True)) | known
        cells = {key: to_cell(value) for key, value in data.items()}
        return self._append_cells(cells, data, step, commit)

    def _add_axes(self, keys: Sequence[str], cells: dict[str, tuple[CellType, Any]], shown: dict[str, Any]) -> None:
        """Add to a row the last values of the step metrics that go with keys which follow."""
        rules = [rule_for(self._rules, key) for key in keys]
        names = {rule.step_metric for rule in rules if rule is not None and rule.step_sync}
        for name, value in self._axes.items():
            if name in names and name not in cells:
                cells[name], shown[name] = to_cell(value), value

    def _log_any(self, data: Mapping[str, Any], step: int | None, commit: bool | None) -> None:
        """Write a row of any values: nested, from other libraries, on a device, or with bytes of their own."""
        rich: dict[str, Any] = {}
        away: dict[str, Any] = {}
        cells: dict[str, tuple[CellType, Any]] = {}
        shown: dict[str, Any] = {}
        for key, value in data.items() if self.open_keeper is not None else ():
            if isinstance(value, Rich):
                rich[f"{key}"] = value
        # What is rich alone, as most pictures are logged, needs no closer look: each call here costs a microsecond or two.
        if len(rich) < len(data):
            rich.clear()
            self._tell_apart(data, rich, away, cells, shown)
        if not (away or rich):
            self._journal.exclusively(self._append_cells, cells, shown, step, commit)
            return
        if self._axes:
            self._add_axes([*away, *rich], cells, shown)
        parcel = self._opened_keeper().accept(rich) if rich else None
        arriving = defer(list(away.values())) if away else ()
        copies = [([list(away)[at] for at in places], copy) for places, copy in arriving]
        self._journal.exclusively(self._append_in_parts, cells, shown, parcel, copies, step, commit)

    def _tell_apart(
        self,
        data: Mapping[str, Any],
        rich: dict[str, Any],
        away: dict[str, Any],
        cells: dict[str, tuple[CellType, Any]],
        shown: dict[str, Any],
    ) -> None:
        """Put each value where its kind belongs, in their order."""
        for key, value in flatten(data):
            if self.open_keeper is not None and is_rich(value):
                rich[key] = value
            elif is_on_device(value):
                away[key] = value
            else:
                cells[key] = cell = to_cell(value)
                shown[key] = _show(cell, value)

    def _opened_keeper(self) -> Keeper:
        if self._keeper is None:
            assert self.open_keeper is not None, "asked for before"
            self._keeper = self.open_keeper()
        return self._keeper

    def _append_cells(
        self,
        cells: dict[str, tuple[CellType, Any]],
        shown: dict[str, Any],
        step: int | None,
        commit: bool | None,
    ) -> int:
        return self._append(
            self._shape(cells), [cell for _, cell in cells.values()], tuple(shown.values()), step, commit
        )

    def _append_in_parts(
        self,
        cells: dict[str, tuple[CellType, Any]],
        shown: dict[str, Any],
        parcel: Any,
        copies: Sequence[tuple[list[str], Deferred]],
        step: int | None,
        commit: bool | None,
    ) -> None:
        """Write what is in host memory at once; the rest follows at the same step and time when it has arrived."""
        at = self.step if step is None else step
        time_us = self._append_cells(cells, shown, step, commit) if cells else self._append(None, (), (), step, commit)
        if parcel is not None:
            self._opened_keeper().send(parcel, self._deliver, at, time_us)
        for keys, copy in copies:
            self._on_the_way.append(_OnTheWay(keys, at, time_us, copy))

    def _write_places(self, until: tuple[int, int] | None = None) -> None:
        """Write a row without cells wherever only a place was noted, so that rows keep their order.

        Args:
            until: Step and time of a row whose values are here now: they take its place, and those behind it can wait.
        """
        while self._places:
            place = self._places.popleft()
            if place == until:
                return
            self._write(self._shapes.get(()) or self._shape({}), (), (), *place)

    def _shape(self, cells: Mapping[str, tuple[CellType, Any]]) -> Shape:
        schema = Schema(self._stream, tuple((key, kind) for key, (kind, _) in cells.items()))
        shape = self._others.get(schema)
        if shape is None:
            shape = self._others[schema] = self._new_shape(schema)
        if None not in shape.types:
            self._shapes[shape.keys] = shape
        return shape

    def _new_shape(self, schema: Schema) -> Shape:
        folds: list[tuple[int, Aggregate]] = []
        lacks: list[str] = []
        keys = [key for key, _ in schema.cells]
        for index, (key, kind) in enumerate(schema.cells):
            rule = rule_for(self._rules, key)
            if rule is None:
                continue
            if rule.summary and kind in "fib":
                folds.append((index, self._aggregates.setdefault(key, Aggregate(rule))))
            if rule.step_metric and rule.step_sync and rule.step_metric not in keys:
                lacks.append(rule.step_metric)
        wanted = {rule.step_metric for rule in self._rules.values()}
        axes = [(index, key) for index, key in enumerate(keys) if key in wanted]
        return Shape(self._journal.layout(schema), folds, axes, list(dict.fromkeys(lacks)))

    # Values that follow

    def _await(self, keys: list[str], copy: Deferred, step: int, time_us: int) -> None:
        self._on_the_way.append(_OnTheWay(keys, step, time_us, copy))

    def _deliver(self, cells: dict[str, Any], step: int, time_us: int) -> None:
        self._journal.exclusively(self._write_arrived, cells, step, time_us)

    def settle_rich(self, *, patience_s: float) -> bool:
        """Wait until all rich values are kept; False if none was for so long."""
        return self._keeper is None or self._keeper.settle(patience_s=patience_s)

    @property
    def lost_rich(self) -> int:
        """How many rich values found no room."""
        return 0 if self._keeper is None else self._keeper.lost

    def settle(self, *, wait: bool = False) -> None:
        """Write the rows whose device values have arrived, and have rich ones kept; with `wait`, all that is there.

        For the background thread.
        """
        if self._keeper is not None:
            self._keeper.wake()
        while self._on_the_way and (wait or self._on_the_way[0].copy.is_ready()):
            keys, step, time_us, copy = self._on_the_way.popleft()
            try:
                values = copy.read()
            except Exception:  # noqa: BLE001 - a device may fail in any way, and training will hear of it by itself
                self.lost += len(keys)
                continue
            self._deliver(dict(zip(keys, values, strict=True)), step, time_us)
        self._settle_rows(wait=wait)
        if wait:
            self._journal.exclusively(self._write_places)

    def log_later(self, rows: Later) -> None:
        """Write rows at the present step once they are ready; the counter stays where it is."""
        self._rows_on_the_way.append(_RowsOnTheWay(self.step, time.time_ns() // 1000, rows))

    def _settle_rows(self, *, wait: bool) -> None:
        while self._rows_on_the_way and (wait or self._rows_on_the_way[0].copy.is_ready()):
            step, time_us, copy = self._rows_on_the_way.popleft()
            try:
                rows = copy.read()
            except Exception:  # noqa: BLE001 - as above
                self.lost += 1
                continue
            for row in rows:
                self._journal.exclusively(self._write_later, row, step, time_us)

    def _write_later(self, row: dict[str, Any], step: int, time_us: int) -> None:
        """Write a row; a large value, such as a histogram, has no place in the summary."""
        self._write_places()
        cells = {key: to_cell(value) for key, value in row.items()}
        shown = () if any(kind == "j" for kind, _ in cells.values()) else tuple(row.values())
        self._write(self._shape(cells), [cell for _, cell in cells.values()], shown, step, time_us)

    def _write_arrived(self, values: dict[str, Any], step: int, time_us: int) -> None:
        if (step, time_us) in self._places:
            self._write_places(until=(step, time_us))
        cells = {key: to_cell(value) for key, value in values.items()}
        self._write(self._shape(cells), [cell for _, cell in cells.values()], tuple(values.values()), step, time_us)

    # Rules and summary

    def define(self, rule: Metric) -> None:
        """Put a rule in force for the rows to come."""
        self._journal.exclusively(self._define, rule)

    def _define(self, rule: Metric) -> None:
        self._earlier = self._plain_values()
        self._rules.pop(rule.name, None)
        self._rules[rule.name] = rule
        self._shapes.clear()
        self._others.clear()
        self._aggregates = {
            key: aggregate for key, aggregate in self._aggregates.items() if rule_for(self._rules, key) is not rule
        }

    def resume(
        self, values: Mapping[str, Any], rules: Mapping[str, Metric], aggregates: Mapping[str, Aggregate]
    ) -> None:
        """Go on from the newest values, the rules and the aggregates of an earlier session."""
        self._earlier = dict(values)
        self._rules = dict(rules)
        self._aggregates = dict(aggregates)

    def rebind(self, journal: Journal) -> None:
        """Write to another journal from here on."""
        self._earlier = self._plain_values()
        self._journal = journal
        self._shapes.clear()
        self._others.clear()
        self._places.clear()
        self._on_the_way.clear()
        if self._keeper is not None:
            self._keeper.forget()
        self._rows_on_the_way.clear()

    def rule(self, name: str) -> Metric | None:
        """Return the rule that was defined under this very name."""
        return self._rules.get(name)

    def _plain_values(self) -> dict[str, Any]:
        values = dict(self._earlier)
        for shape in sorted(self._others.values(), key=lambda shape: shape.turn):
            values.update(zip(shape.keys, shape.shown, strict=False))
        return values

    def summary(self) -> dict[str, Any]:
        """Return what the summary holds of all that was logged; aggregates under `<key>.<word>`."""
        found = {
            key: value
            for key, value in self._plain_values().items()
            if keeps_plain_value(rule_for(self._rules, key)) or key not in self._aggregates
        }
        for key, aggregate in self._aggregates.items():
            found |= {f"{key}.{word}": value for word, value in aggregate.result().items()}
        return found

    def counts(self) -> dict[str, int]:
        """Return how many values each aggregate of the summary stands for."""
        return {key: aggregate.count for key, aggregate in self._aggregates.items()}


def _show(cell: tuple[CellType, Any], value: object) -> object:
    kind, content = cell
    if kind == "s":
        return value
    return content if kind in "fib" else to_json(value)
