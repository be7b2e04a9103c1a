"""What can be asked of a GPU, and what becomes of the answers over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

ALL_LINKS = 0xFFFFFFFF


@dataclass(frozen=True, eq=False, slots=True)
class Field:
    """A field value, by its number in nvml.h. Many are read in one call.

    Attributes:
        id: NVML_FI_...
        scope: Which link, where that is asked for.
        is_wide: Whether it means something only as 64 bits: one of 32 wraps within seconds.
    """

    id: int
    scope: int = 0
    is_wide: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Gpm:
    """A metric of the GPU performance monitor (Hopper and later), by its number: the mean between two readings."""

    id: int


@dataclass(frozen=True, eq=False, slots=True)
class Number:
    """The one number that a function returns.

    Attributes:
        function: Its name.
        arguments: What it takes between the GPU and the number.
        has_period: Whether it returns a sampling period after the number.
    """

    function: str
    arguments: tuple[int, ...] = ()
    has_period: bool = False


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """One of several numbers that a method of `Calls` gets at once."""

    call: str
    name: str


Quantity: TypeAlias = Field | Gpm | Number | Part
Answers: TypeAlias = "dict[Quantity, float]"
Follow: TypeAlias = "Callable[[float, float], float | None]"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to a metric.

    Attributes:
        quantity: What is asked for.
        follow: Makes what turns the answers, each with its time in seconds, into readings; None takes them as they are.
    """

    quantity: Quantity
    follow: Callable[[], Follow] | None = None


def gauge(quantity: Quantity, scale: float | None = None) -> Way:
    """The answer itself, in another unit if `scale` is given."""
    return Way(quantity, None if scale is None else lambda: lambda value, _: value * scale)


def positive(quantity: Quantity) -> Way:
    """The answer itself, where 0 means that there is none."""
    return Way(quantity, lambda: lambda value, _: value or None)


def bits(quantity: Quantity, mask: int) -> Way:
    """100 while any of the bits is set, else 0."""
    return Way(quantity, lambda: lambda value, _: 100.0 if int(value) & mask else 0.0)


def rate(quantity: Quantity, scale: float = 1.0) -> Way:
    """How much a counter grows in a second, on average since the reading before."""
    return Way(quantity, lambda: _Rate(scale))


def share(quantity: Quantity) -> Way:
    """The part of the time since the reading before that a counter of nanoseconds counted, in percent."""
    return Way(quantity, lambda: _Rate(1e-7, most=100.0))


def total(quantity: Quantity, scale: float = 1.0) -> Way:
    """How far a counter has come since the first reading, whatever resets it."""
    return Way(quantity, lambda: _Total(scale))


class _Rate:
    __slots__ = ("_before", "_most", "_scale", "_time_s")

    def __init__(self, scale: float, *, most: float = float("inf")) -> None:
        self._scale, self._most = scale, most
        self._before: float | None = None
        self._time_s = 0.0

    def __call__(self, value: float, time_s: float) -> float | None:
        before, elapsed_s = self._before, time_s - self._time_s
        self._before, self._time_s = value, time_s
        if before is None or value < before or elapsed_s <= 0:
            return None
        return min(self._most, (value - before) / elapsed_s * self._scale)


class _Total:
    __slots__ = ("_before", "_scale", "_sum")

    def __init__(self, scale: float) -> None:
        self._scale = scale
        self._before: float | None = None
        self._sum = 0.0

    def __call__(self, value: float, _: float) -> float:
        if self._before is not None:
            # A driver that is loaded anew counts from zero again.
            self._sum += value - self._before if value >= self._before else value
        self._before = value
        return self._sum * self._scale
