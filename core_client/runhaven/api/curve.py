"""Curves: a series reduced to as many buckets as a chart has pixels, with every extreme kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven.api.history import hidden_from
from runhaven.api.series import Curve
from runhaven.missing import require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runhaven.store.table import Table
    from runhaven.store.view import RunView

    Floats = NDArray[np.float64]
else:
    np = require("numpy", feature="reading curves", package="runhaven[ui]")


def make_curve(  # noqa: PLR0913 - what a chart asks for
    view: RunView,
    key: str,
    *,
    stream: str,
    x: str,
    buckets: int,
    bounds: tuple[float | None, float | None],
    origin_us: int,
) -> Curve:
    """Return the buckets of a series; see `Run.curve`."""
    entry = view.tables.series.get((stream, key))
    limits = hidden_from(view, stream)
    parts = [
        part
        for table, index in sorted(entry.places if entry else (), key=lambda place: place[0].writer)
        if (part := _points(table, index, x, origin_us, limits.get(table.writer, {}).get(key))) is not None
    ]
    if not parts:
        return reduce_points(np.empty(0), np.empty(0), buckets)
    xs = parts[0][0] if len(parts) == 1 else np.concatenate([part[0] for part in parts])
    values = parts[0][1] if len(parts) == 1 else np.concatenate([part[1] for part in parts])
    if len(xs) > 1 and not bool(np.all(xs[1:] >= xs[:-1])):
        is_known = ~np.isnan(xs)
        order = np.argsort(xs[is_known], kind="stable")
        xs, values = xs[is_known][order], values[is_known][order]
    start, stop = bounds
    first = 0 if start is None else int(np.searchsorted(xs, start, side="left"))
    last = len(xs) if stop is None else int(np.searchsorted(xs, stop, side="right"))
    return reduce_points(xs[first:last], values[first:last], buckets)


def _points(table: Table, index: int, x: str, origin_us: int, hidden: int | None) -> tuple[Floats, Floats] | None:
    """Return x and value of each point of a column; None if it has no numbers."""
    values = _numbers(table, index)
    if x == "step":
        xs = np.frombuffer(table.steps, np.int64).astype(np.float64)
    elif x in ("wall", "relative"):
        xs = (np.frombuffer(table.times, np.int64) - (origin_us if x == "relative" else 0)) / 1e6
    else:
        place = next((at for at, (name, _) in enumerate(table.schema.cells) if name == x), None)
        xs = _numbers(table, place) if place is not None else None
    if values is None or xs is None:
        return None
    if hidden is None:
        return xs, values
    is_shown = np.frombuffer(table.steps, np.int64) < hidden
    return xs[is_shown], values[is_shown]


def _numbers(table: Table, index: int) -> Floats | None:
    kind = table.schema.cells[index][1]
    column: Any = table.columns[index]
    if kind == "f":
        # A copy: the column must be free to grow while the curve is in use.
        return np.frombuffer(column, np.float64).copy()
    if kind == "i":
        return np.frombuffer(column, np.int64).astype(np.float64)
    return np.frombuffer(column, np.uint8).astype(np.float64) if kind == "b" else None


def reduce_points(xs: Floats, values: Floats, buckets: int) -> Curve:
    """Divide points, ordered by x, into buckets of equal width; a bucket without points is left out.

    Args:
        xs: x of each point, ascending.
        values: Value of each point.
        buckets: How many buckets at most; no more points than that are left as they are.
    """
    count = len(xs)
    is_finite = np.isfinite(values)
    if count <= max(1, buckets):
        shown = np.where(is_finite, values, np.nan)
        ones = np.ones(count, np.int64)
        return Curve(xs, shown, shown, shown, ones, (~is_finite).astype(np.int64))
    starts = _starts(xs, buckets)
    ends = np.append(starts[1:], count)
    if bool(is_finite.all()):
        lows, highs = np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts)
        return Curve(xs[ends - 1], values[ends - 1], lows, highs, ends - starts, np.zeros(len(starts), np.int64))
    shown = np.where(is_finite, values, np.nan)
    newest = np.maximum.reduceat(np.where(is_finite, np.arange(count), -1), starts)
    last = np.where(newest >= 0, shown[newest], np.nan)
    nonfinite = np.add.reduceat((~is_finite).astype(np.int64), starts)
    return Curve(
        xs[ends - 1], last, np.fmin.reduceat(shown, starts), np.fmax.reduceat(shown, starts), ends - starts, nonfinite
    )


def _starts(xs: Floats, buckets: int) -> NDArray[np.int64]:
    """Return where in `xs` each bucket that has points begins."""
    edges: Floats = xs[0] + (xs[-1] - xs[0]) * np.arange(1, buckets) / buckets
    found = np.searchsorted(xs, edges, side="left").astype(np.int64)
    return np.unique(np.concatenate([np.zeros(1, np.int64), found[found < len(xs)]]))
