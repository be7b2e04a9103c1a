"""Rules that `define_metric` gives for series: their axis, and what the summary keeps of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from runhaven.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SUMMARIES = ("min", "max", "mean", "last", "first", "best", "none", "copy")
GOALS = ("minimize", "maximize")
_WILDCARDS = "*?["


@dataclass(frozen=True, slots=True)
class Metric:
    """How the series that match `name` are drawn and summed up.

    Attributes:
        name: A key, or a pattern with `*` for many.
        step_metric: The series that is their x axis; the step when None.
        step_sync: Whether a row without the step metric gets the last value of it.
        hidden: Whether the dashboard leaves them out until asked.
        summary: What the summary keeps: any of `SUMMARIES`.
        goal: Whether "best" means the least or the greatest value: one of `GOALS`.
    """

    name: str
    step_metric: str | None = None
    step_sync: bool = False
    hidden: bool = False
    summary: tuple[str, ...] = ()
    goal: str | None = None

    def matches(self, key: str) -> bool:
        """Tell whether the rule is about `key`; its own step metric never is."""
        if key == self.step_metric:
            return False
        return key == self.name or (self.is_pattern and fnmatchcase(key, self.name))

    @property
    def is_pattern(self) -> bool:
        """Whether the name stands for many keys."""
        return any(mark in self.name for mark in _WILDCARDS)

    def to_event(self) -> dict[str, Any]:
        """Return the rule as a journal keeps it."""
        return {name: getattr(self, name) for name in self.__slots__} | {"event": "metric"}


def metric_from_event(data: Mapping[str, Any]) -> Metric:
    """Read what `Metric.to_event` wrote."""
    return Metric(
        name=str(data["name"]),
        step_metric=data.get("step_metric"),
        step_sync=bool(data.get("step_sync")),
        hidden=bool(data.get("hidden")),
        summary=tuple(data.get("summary") or ()),
        goal=data.get("goal"),
    )


def parse_summary(summary: str | Iterable[str] | None, goal: str | None) -> tuple[tuple[str, ...], str | None]:
    """Check the words of `define_metric(summary=, goal=)`.

    Raises:
        UsageError: If a word is not known.
    """
    words = summary.split(",") if isinstance(summary, str) else list(summary or ())
    words = [word.strip().lower() for word in words if word.strip()]
    for word in words:
        if word not in SUMMARIES:
            message = f"define_metric(summary={word!r}) is not known; choose from {', '.join(SUMMARIES)}."
            raise UsageError(message)
    if goal is not None and goal not in GOALS:
        message = f"define_metric(goal={goal!r}) is not known; choose from {', '.join(GOALS)}."
        raise UsageError(message)
    if goal and not words:
        words = ["best"]
    return tuple(dict.fromkeys(words)), goal


def rule_for(rules: Mapping[str, Metric], key: str) -> Metric | None:
    """Return the rule about `key`: the one of its very name, else the pattern that was defined last."""
    exact = rules.get(key)
    if exact is not None and exact.matches(key):
        return exact
    return next((rule for rule in reversed([*rules.values()]) if rule.matches(key)), None)


class Aggregate:
    """What the summary keeps of one series under a rule, value by value. NaN takes no part in min, max, mean, best."""

    __slots__ = ("_count", "_first", "_last", "_max", "_min", "_rule", "_sum")

    def __init__(self, rule: Metric) -> None:
        """Start with no value seen."""
        self._rule = rule
        self._first: float | None = None
        self._last: float | None = None
        self._min, self._max = math.inf, -math.inf
        self._sum, self._count = 0.0, 0

    def add(self, value: float) -> None:
        """Take in the next value."""
        if self._first is None:
            self._first = value
        self._last = value
        if value != value:  # noqa: PLR0124 - the quickest test for NaN, on the path of every log()
            return
        self._min = min(self._min, value)
        self._max = max(self._max, value)
        self._sum += value
        self._count += 1

    def result(self) -> dict[str, float]:
        """Return the words of the rule with their values, such as `{"min": 0.1, "max": 3.0}`."""
        known: dict[str, float] = {}
        if self._count:
            best = self._max if self._rule.goal == "maximize" else self._min
            known = {"min": self._min, "max": self._max, "mean": self._sum / self._count, "best": best}
        if self._first is not None and self._last is not None:
            known |= {"first": self._first, "last": self._last}
        return {word: known[word] for word in self._rule.summary if word in known}

    @property
    def count(self) -> int:
        """How many values took part in min, max, mean and best."""
        return self._count

    def restore(self, values: Mapping[str, float], count: int) -> None:
        """Go on from the results that were kept of the first `count` values."""
        # Where the rule asks for one of them, any number stands for the other: nobody will see it.
        self._first = values.get("first", values.get("last"))
        self._last = values.get("last", self._first)
        self._min = values.get("min", values.get("best", math.inf))
        self._max = values.get("max", values.get("best", -math.inf))
        self._sum, self._count = values.get("mean", 0.0) * count, count


def keeps_plain_value(rule: Metric | None) -> bool:
    """Tell whether the summary holds the series' last value under its plain key."""
    return rule is None or not rule.summary or "copy" in rule.summary
