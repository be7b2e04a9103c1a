"""Reads the metrics of one table from one GPU or MIG instance, by the first way to each that works."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from runhaven_gpu_monitor.nvml.calls import method_of
from runhaven_gpu_monitor.nvml.code import NvmlError, Verdict, judge
from runhaven_gpu_monitor.nvml.fields import FieldBatch
from runhaven_gpu_monitor.nvml.quantity import Field, Gpm, Number, Part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runhaven_gpu_monitor.nvml.calls import Calls
    from runhaven_gpu_monitor.nvml.driver import Driver
    from runhaven_gpu_monitor.nvml.gpm import GpmPair
    from runhaven_gpu_monitor.nvml.metric import Metric
    from runhaven_gpu_monitor.nvml.quantity import Answers, Follow, Quantity

    Ask = Callable[[float, Answers], Iterable[tuple[Quantity, int]]]

_MOST_WAYS = 6


class _Found(NamedTuple):
    """A metric with the way to it that works."""

    key: str
    quantity: Quantity
    follow: Follow | None


class _Plan(NamedTuple):
    """What is asked at a beat, and what comes of the answers."""

    asks: list[Ask]
    metrics: list[_Found]


class Reader:
    """Reads a handle; one metric that fails costs only itself.

    Args:
        driver: The connection.
        handle: What NVML wants to have back; costly to look up, so it is kept.
        calls: Where structures are filled.
        gpm: The performance monitor, if there is one.
        prefix: What stands before the names of the metrics in the keys.
        often: Read each time.
        seldom: Read when asked for.
    """

    def __init__(  # noqa: PLR0913 - what one handle is read with
        self,
        driver: Driver,
        handle: object,
        calls: Calls,
        *,
        gpm: GpmPair | None,
        prefix: str,
        often: Sequence[Metric],
        seldom: Sequence[Metric] = (),
    ) -> None:
        self._driver = driver
        self._handle = handle
        self._calls = calls
        self._gpm = gpm
        self._dropped: set[Quantity] = set()
        self._often = [_Ways(prefix, metric) for metric in often]
        self._seldom = [_Ways(prefix, metric) for metric in seldom]
        self._plans = self._make_plans()

    def restart(self, handle: object, gpm: GpmPair | None) -> None:
        """Go on with a driver that was loaded anew: totals go on, and what was refused is tried again."""
        self._handle, self._gpm = handle, gpm
        self._dropped.clear()
        self._plans = self._make_plans()

    def probe(self, time_s: float) -> None:
        """Find out which way to each metric works, and note where the counters stand."""
        for _ in range(_MOST_WAYS):
            before = len(self._dropped)
            self.read(time_s, is_full=True)
            if len(self._dropped) == before:
                break

    def read(self, time_s: float, *, is_full: bool) -> dict[str, float]:
        """Return the readings by key.

        Args:
            time_s: Now, in seconds that never go back.
            is_full: Whether to read what is read seldom as well.

        Raises:
            NvmlError: If the GPU is lost, or the driver gone.
        """
        plan = self._plans[is_full]
        answers: Answers = {}
        dropped = len(self._dropped)
        for ask in plan.asks:
            for quantity, code in ask(time_s, answers):
                self._fail(quantity, code)
        values: dict[str, float] = {}
        for key, quantity, follow in plan.metrics:
            value = answers.get(quantity)
            if value is not None and follow is not None:
                value = follow(value, time_s)
            if value is not None:
                values[key] = value
        if len(self._dropped) != dropped:
            self._plans = self._make_plans()
        return values

    def close(self) -> None:
        """Give back what was allocated."""
        if self._gpm is not None:
            self._gpm.close()

    def _fail(self, quantity: Quantity, code: int) -> None:
        verdict = judge(code)
        if verdict is Verdict.DROP:
            self._dropped.add(quantity)
        elif verdict in (Verdict.LOST, Verdict.GONE):
            raise NvmlError(code)

    def _make_plans(self) -> tuple[_Plan, _Plan]:
        often = self._find(self._often)
        return self._plan(often), self._plan([*often, *self._find(self._seldom)])

    def _find(self, metrics: Iterable[_Ways]) -> list[_Found]:
        if self._gpm is None:
            self._dropped.update(
                quantity for ways in metrics for quantity in ways.quantities if isinstance(quantity, Gpm)
            )
        return [found for ways in metrics if (found := ways.find(self._dropped)) is not None]

    def _plan(self, metrics: list[_Found]) -> _Plan:
        # Two metrics can come from one quantity, which is asked for once.
        wanted = list(dict.fromkeys(found.quantity for found in metrics))
        asks: list[Ask] = []
        if fields := [one for one in wanted if isinstance(one, Field)]:
            batch = FieldBatch(self._driver, fields)
            asks.append(lambda _, answers: batch.read(self._handle, answers))
        asks += [partial(self._ask_number, number) for number in wanted if isinstance(number, Number)]
        groups: dict[str, list[Part]] = {}
        for part in wanted:
            if isinstance(part, Part):
                groups.setdefault(part.call, []).append(part)
        asks += [partial(self._ask_parts, parts, method_of(parts[0])) for parts in groups.values()]
        gpm = self._gpm
        if gpm is not None and (monitored := [one for one in wanted if isinstance(one, Gpm)]):
            asks.append(partial(gpm.read, monitored))
        return _Plan(asks, metrics)

    def _ask_number(self, number: Number, _: float, answers: Answers) -> Sequence[tuple[Quantity, int]]:
        code, value = self._calls.number(number, self._handle)
        if code:
            return [(number, code)]
        answers[number] = value
        return ()

    def _ask_parts(
        self, parts: Sequence[Part], method: Callable[[Calls, object], int], _: float, answers: Answers
    ) -> Sequence[tuple[Quantity, int]]:
        code = method(self._calls, self._handle)
        if code:
            return [(part, code) for part in parts]
        found = self._calls.parts
        for part in parts:
            if part.name in found:
                answers[part] = found[part.name]
        return ()


class _Ways:
    """A metric, and what it is followed by on each way; what was counted so far outlasts a change of the plan."""

    def __init__(self, prefix: str, metric: Metric) -> None:
        self._key = prefix + metric.name
        self._ways = [(way.quantity, way.follow() if way.follow else None) for way in metric.ways]
        self.quantities = [quantity for quantity, _ in self._ways]

    def find(self, dropped: set[Quantity]) -> _Found | None:
        """Return the first way that was not dropped."""
        for quantity, follow in self._ways:
            if quantity not in dropped:
                return _Found(self._key, quantity, follow)
        return None
