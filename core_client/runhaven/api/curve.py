"""Curves: a series reduced to as many buckets as a chart has pixels, with every extreme kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven.api.points import Points, gather, make_axis
from runhaven.api.series import Curve
from runhaven.api.zoom import Items, zoom
from runhaven.missing import require
from runhaven.sealed.pyramid import last_finite

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runhaven.api.data import RunData
    from runhaven.api.history import Keep

    Floats = NDArray[np.float64]
    Places = NDArray[np.int64]
else:
    np = require("numpy", feature="reading curves", package="runhaven[ui]")


def make_curve(  # noqa: PLR0913 - what a chart asks for
    data: RunData,
    key: str,
    *,
    stream: str,
    x: str,
    buckets: int,
    bounds: tuple[float | None, float | None],
    origin_us: int,
    keep: Keep = "latest",
) -> Curve:
    """Return the buckets of a series; see `Run.curve`. No array of the result is a view of the tables."""
    axis = make_axis(x, origin_us)
    found = zoom(data, stream, key, axis, buckets=buckets, bounds=bounds, keep=keep)
    if isinstance(found, Items):
        curve = reduce_items(found, buckets)
    elif found is not None:
        curve = reduce_points(found.raw, found.values, buckets)
    else:
        points = gather(data, stream, key, axis, keep=keep)
        if points is None:
            return reduce_points(np.empty(0), np.empty(0), buckets)
        start, stop = bounds
        first = 0 if start is None else axis.first_from(points.raw, start)
        end = len(points.raw) if stop is None else axis.first_after(points.raw, stop)
        curve = reduce_points(points.raw[first:end], points.values[first:end], buckets)
    return Curve(axis.shown(curve.x), curve.last, curve.min, curve.max, curve.count, curve.nonfinite)


def reduce_points(xs: NDArray[Any], values: Floats, buckets: int) -> Curve:
    """Divide points, ordered by x, into buckets of equal width; a bucket without points is left out.

    Args:
        xs: x of each point, ascending and finite.
        values: Value of each point.
        buckets: How many buckets at most; no more points than that are left as they are.
    """
    count = len(xs)
    if count <= max(1, buckets):
        is_finite = np.isfinite(values)
        shown = np.where(is_finite, values, np.nan)
        return Curve(xs, shown, shown, shown, np.ones(count, np.int64), (~is_finite).astype(np.int64))
    starts = bucket_starts(xs, buckets)
    ends = np.append(starts[1:], count)
    lows, highs = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
    # Both carry on what is not finite, so that a look at the buckets is a look at the points.
    if not bool(np.isfinite(lows).all() and np.isfinite(highs).all()):
        return reduce_items(Items.of(Points(xs, values)), buckets)
    return Curve(xs[ends - 1], values[ends - 1], lows, highs, ends - starts, np.zeros(len(starts), np.int64))


def reduce_items(items: Items, buckets: int) -> Curve:
    """Put cells and points, ordered by x, into buckets of equal width by the x of their last point."""
    xs, lows, highs, lasts, counts, nonfinite = items
    if len(xs) <= max(1, buckets):
        return Curve(xs, lasts, lows, highs, counts, nonfinite)
    starts = bucket_starts(xs, buckets)
    ends = np.append(starts[1:], len(xs))
    return Curve(
        xs[ends - 1],
        last_finite(lasts, starts),
        np.fmin.reduceat(lows, starts),
        np.fmax.reduceat(highs, starts),
        np.add.reduceat(counts, starts),
        np.add.reduceat(nonfinite, starts),
    )


def bucket_starts(xs: NDArray[Any], buckets: int) -> Places:
    """Return where in ascending `xs` each bucket that has points begins."""
    found = np.searchsorted(xs, _edges(xs, buckets), side="left").astype(np.int64)
    places = np.concatenate([np.zeros(1, np.int64), found[found < len(xs)]])
    return places[np.append(True, places[1:] > places[:-1])]


def _edges(xs: NDArray[Any], buckets: int) -> NDArray[Any]:
    """Return the least x of each bucket but the first, in the type of `xs`, which spares a copy of it."""
    shares = np.arange(1, buckets)
    if xs.dtype != np.int64:
        return xs[0] * (1 - shares / buckets) + xs[-1] * (shares / buckets)
    low, span = int(xs[0]), int(xs[-1]) - int(xs[0])
    if span < 2**62 // buckets:
        return low + (span * shares + buckets - 1) // buckets
    return np.array([low + -(-span * share // buckets) for share in range(1, buckets)], np.int64)
