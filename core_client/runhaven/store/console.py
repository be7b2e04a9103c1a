"""The lines that the processes of a run printed, numbered as they are read."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import NamedTuple

MAX_LINES = 100_000


class LogLine(NamedTuple):
    """One line that a process of the run printed.

    Attributes:
        number: Counts the lines from 1.
        time: When it was printed, seconds since the epoch.
        stream: "stdout" or "stderr".
        text: The line, without its end.
    """

    number: int
    time: float
    stream: str
    text: str


class Console:
    """The newest lines, and how many there were in all.

    Attributes:
        count: The number of the newest line.
    """

    def __init__(self, *, limit: int = MAX_LINES) -> None:
        """Start with no line.

        Args:
            limit: How many lines are kept; older ones are only counted.
        """
        self.count = 0
        self._kept: deque[LogLine] = deque(maxlen=limit)

    def add(self, lines: list[tuple[int, str, str]]) -> None:
        """Number and keep what one poll found, as (microseconds, stream, text), in the order of time."""
        for time_us, stream, text in sorted(lines, key=lambda line: line[0]):
            self.count += 1
            self._kept.append(LogLine(self.count, time_us / 1e6, stream, text))

    def lines(self, *, after: int = 0, limit: int | None = None) -> list[LogLine]:
        """Return the kept lines with a number above `after`, at most the newest `limit` of them."""
        wanted = max(0, min(self.count - after, len(self._kept)))
        wanted = wanted if limit is None else min(wanted, max(0, limit))
        return list(islice(self._kept, len(self._kept) - wanted, None))
