"""A mean over time, and the greatest value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(slots=True)
class Tally:
    """Sums up a reading, each value for the time that it stands for.

    Attributes:
        total: Sum of value times seconds.
        seconds: Time with a value.
        greatest: The greatest value.
    """

    total: float = 0.0
    seconds: float = 0.0
    greatest: float = 0.0

    def add(self, value: float, seconds: float) -> None:
        """Take in a value that stands for so long."""
        self.merge(Tally(value * seconds, seconds, value))

    def merge(self, other: Tally) -> None:
        """Take in what another one summed up."""
        self.total += other.total
        self.seconds += other.seconds
        self.greatest = max(self.greatest, other.greatest)

    def record(self) -> list[float]:
        """Return it as JSON: `Tally(*record)` is the way back."""
        return [round(self.total, 6), round(self.seconds, 6), round(self.greatest, 3)]

    def facts(self) -> dict[str, float]:
        """Return `mean` and `max`."""
        return {"mean": self.total / self.seconds if self.seconds else 0.0, "max": self.greatest}


def tally(tallies: dict[str, Tally], values: Mapping[str, float], seconds: float) -> None:
    """Take in values that stand for so long, each under its name."""
    for name, value in values.items():
        tallies.setdefault(name, Tally()).add(value, seconds)
