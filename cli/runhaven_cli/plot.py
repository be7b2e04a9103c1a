"""Curves in a terminal: dots of Braille characters, two by four in each cell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLANK = 0x2800
# Bit of each dot, by row and column (Unicode, Braille Patterns).
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BARS = "▁▂▃▄▅▆▇█"


class Span(NamedTuple):
    """What a curve covers in one bucket."""

    x: float
    low: float
    high: float
    last: float


def plot(spans: Sequence[Span], *, width: int, height: int) -> list[str]:
    """Draw a curve with its extremes.

    Args:
        spans: Buckets, ordered by x; those without finite values are left out.
        width: Columns of characters.
        height: Rows of characters.

    Returns:
        The rows, top first, with the y range at their left.
    """
    known = [span for span in spans if math.isfinite(span.low) and math.isfinite(span.high)]
    if not known:
        return ["(no finite values)"]
    low, high = min(span.low for span in known), max(span.high for span in known)
    first, last = known[0].x, known[-1].x
    dots = [[0] * (2 * width) for _ in range(4 * height)]

    def row(value: float) -> int:
        share = (value - low) / (high - low) if high > low else 0.5
        return round((1 - share) * (4 * height - 1))

    before: int | None = None
    column_before = 0
    for span in known:
        column = round((span.x - first) / (last - first) * (2 * width - 1)) if last > first else 0
        _fill(dots, column, row(span.high), row(span.low))
        if before is not None:
            _join(dots, column_before, before, column, row(span.last))
        column_before, before = column, row(span.last)
    labels = [f"{high:.4g}", *[""] * (height - 2), f"{low:.4g}"] if height > 1 else [f"{low:.4g}"]
    margin = max(map(len, labels))
    return [f"{label:>{margin}} │{_characters(dots[4 * at : 4 * at + 4])}" for at, label in enumerate(labels)]


def _fill(dots: list[list[int]], column: int, top: int, bottom: int) -> None:
    for row in range(min(top, bottom), max(top, bottom) + 1):
        dots[row][column] = 1


def _join(dots: list[list[int]], column: int, row: int, to_column: int, to_row: int) -> None:
    steps = max(abs(to_column - column), abs(to_row - row), 1)
    for step in range(steps + 1):
        dots[round(row + (to_row - row) * step / steps)][round(column + (to_column - column) * step / steps)] = 1


def _characters(rows: Sequence[Sequence[int]]) -> str:
    text = ""
    for column in range(0, len(rows[0]), 2):
        bits = sum(_DOTS[y][x] for y in range(4) for x in range(2) if rows[y][column + x])
        text += chr(_BLANK + bits)
    return text.rstrip(chr(_BLANK))


def sparkline(values: Sequence[float]) -> str:
    """Draw values as a row of bars, one character each; a gap for what is not finite."""
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    low, high = min(finite), max(finite)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0
    return "".join(_BARS[round((value - low) * scale)] if math.isfinite(value) else " " for value in values)
