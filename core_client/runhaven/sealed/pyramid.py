"""The pyramid over a series: cells of 64 points, then of 256 and so on, each with what a chart needs of its points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.missing import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
else:
    np = require("numpy", feature="sealing runs", package="runhaven[ui]")

BASE = 64
FACTOR = 4
_FEW = 256
_LEAST = 4 * 256


class Points(NamedTuple):
    """Points in the order of their x.

    Attributes:
        steps: Steps.
        times: Wall times, microseconds since the epoch.
        xs: Their x on the primary axis; the steps themselves where these are the axis.
        values: Values.
    """

    steps: Integers
    times: Integers
    xs: NDArray[Any]
    values: Floats

    def select(self, chosen: NDArray[Any]) -> Points:
        """Return some of them, by places or by a mask."""
        return Points(self.steps[chosen], self.times[chosen], self.xs[chosen], self.values[chosen])


class Level(NamedTuple):
    """Cells that follow each other in the order of x; every array has one entry a cell.

    Attributes:
        size: How many points each cell covers; the last one may cover fewer.
        steps: Step of the last point.
        times: Wall time of the last point.
        xs: x of the last point.
        lows: Least finite value; NaN without one.
        highs: Greatest finite value.
        lasts: Last finite value.
        counts: How many points.
        nonfinite: How many of them are NaN or infinite.
    """

    size: int
    steps: Integers
    times: Integers
    xs: Floats
    lows: Floats
    highs: Floats
    lasts: Floats
    counts: Integers
    nonfinite: Integers


def build(points: Points) -> list[Level]:
    """Return the levels, the finest first; none for a series so short that its points are read as fast."""
    if len(points.values) < _LEAST:
        return []
    levels = [_base(points)]
    while len(levels[-1].steps) > _FEW:
        levels.append(_coarser(levels[-1]))
    return levels


def _base(points: Points) -> Level:
    count = len(points.values)
    starts = np.arange(0, count, BASE)
    ends = np.append(starts[1:], count)
    is_finite = np.isfinite(points.values)
    if is_finite.all():
        lows, highs = np.minimum.reduceat(points.values, starts), np.maximum.reduceat(points.values, starts)
        lasts, nonfinite = points.values[ends - 1], np.zeros(len(starts), np.int64)
    else:
        shown = np.where(is_finite, points.values, np.nan)
        lows, highs = np.fmin.reduceat(shown, starts), np.fmax.reduceat(shown, starts)
        lasts, nonfinite = last_finite(shown, starts), np.add.reduceat((~is_finite).astype(np.int64), starts)
    return Level(
        BASE, points.steps[ends - 1], points.times[ends - 1], points.xs[ends - 1].astype(np.float64), lows, highs,
        lasts, ends - starts, nonfinite,
    )  # fmt: skip


def _coarser(level: Level) -> Level:
    starts = np.arange(0, len(level.steps), FACTOR)
    ends = np.append(starts[1:], len(level.steps)) - 1
    return Level(
        level.size * FACTOR,
        level.steps[ends],
        level.times[ends],
        level.xs[ends],
        np.fmin.reduceat(level.lows, starts),
        np.fmax.reduceat(level.highs, starts),
        last_finite(level.lasts, starts),
        np.add.reduceat(level.counts, starts),
        np.add.reduceat(level.nonfinite, starts),
    )


def last_finite(values: Floats, starts: NDArray[Any]) -> Floats:
    """Return the last value of each stretch that is not NaN; NaN where all are."""
    newest = np.maximum.reduceat(np.where(np.isnan(values), -1, np.arange(len(values))), starts)
    return np.where(newest >= 0, values[newest], np.nan)
