"""The points of a series at the detail that a chart can show: cells of the pyramid, raw points where they are few."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.api.history import hidden_from
from runhaven.api.points import Points, gather
from runhaven.missing import require
from runhaven.sealed.axis import aligned

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from runhaven.api.data import RunData
    from runhaven.api.history import Keep
    from runhaven.api.points import Axis
    from runhaven.sealed.index import LevelEntry, SeriesIndex
    from runhaven.sealed.run import SealedRun
    from runhaven.sealed.segment import Segment

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]
else:
    np = require("numpy", feature="reading curves", package="runhaven[ui]")

_COLUMNS = {"steps": "step", "times": "time", "": "x"}


class Items(NamedTuple):
    """Cells and points, ascending in x; every array has one entry an item.

    Attributes:
        raw: x of the item's last point, in the axis's own units.
        lows: Least value; of a cell the least finite one.
        highs: Greatest value.
        lasts: Last value.
        counts: How many points it covers.
        nonfinite: How many of them are NaN or infinite.
    """

    raw: NDArray[Any]
    lows: Floats
    highs: Floats
    lasts: Floats
    counts: Integers
    nonfinite: Integers

    @classmethod
    def of(cls, points: Points) -> Items:
        """Return points as items of one point each; what is not finite is NaN."""
        is_finite = np.isfinite(points.values)
        shown = points.values if is_finite.all() else np.where(is_finite, points.values, np.nan)
        ones = np.ones(len(shown), np.int64)
        return Items(points.raw, shown, shown, shown, ones, (~is_finite).astype(np.int64))


class _Window(NamedTuple):
    """A part of a series in one segment, cut to what is asked for.

    Attributes:
        segment: The segment.
        series: The series in it.
        first: The first cell of the coarsest level that is wanted.
        stop: One more than the last.
        ends: Where the whole part begins and ends, in the axis's own units.
    """

    segment: Segment
    series: SeriesIndex
    first: int
    stop: int
    ends: tuple[Any, Any]

    @property
    def points(self) -> int:
        """About how many points it covers."""
        return (self.stop - self.first) * self.series.levels[-1].size


def zoom(  # noqa: PLR0913 - what a chart asks for
    data: RunData,
    stream: str,
    key: str,
    axis: Axis,
    *,
    buckets: int,
    bounds: tuple[float | None, float | None],
    keep: Keep = "latest",
) -> Items | Points | None:
    """Return a series at the detail that `buckets` buckets need; None if its points have to be gathered one by one.

    That is so where the pyramid knows another order than the one asked for, where a resumed session hides points, where
    parts of the series overlap, and where series were renamed or corrected.
    """
    if data.sealed is None or data.edits.renames or data.edits.corrections:
        return None
    if any(key in limits for limits in hidden_from(data, stream, keep=keep).values()):
        return None
    windows = _windows(data.sealed, stream, key, axis, bounds)
    if not windows:
        return None
    live = gather(data, stream, key, axis, is_live=True)
    ends = [window.ends for window in windows]
    if live is not None:
        ends.append((live.raw[0], live.raw[-1]))
    if any(later[0] < earlier[1] for earlier, later in pairwise(ends)):
        return None
    a_bucket = sum(window.points for window in windows) / max(1, buckets)
    parts = [_items(window, axis, bounds, a_bucket) for window in windows if window.stop > window.first]
    if live is not None:
        parts.append(_cut_points(live, axis, bounds))
    found = [part for part in parts if part is not None]
    return _together(found) if found and len(found) == len(parts) else None


def _together(parts: list[Items | Points]) -> Items | Points:
    if len(parts) == 1:
        return parts[0]
    items = [Items.of(part) if isinstance(part, Points) else part for part in parts]
    return Items(*map(np.concatenate, zip(*items, strict=True)))


def _windows(
    sealed: SealedRun, stream: str, key: str, axis: Axis, bounds: tuple[float | None, float | None]
) -> list[_Window] | None:
    """Return what each segment has of the series; None if a part has no cells in the order of the axis."""
    found: list[_Window] = []
    for segment in sealed.segments:
        series = segment.series(stream, key)
        if series is None or not series.points:
            continue
        is_in_order = series.axis == axis.key and (axis.source != "times" or series.has_sorted_times)
        if not series.levels or not is_in_order:
            return None
        (coarsest,) = segment.cells([_COLUMNS[axis.source]], series.levels[-1])
        first, stop = cut(coarsest, axis, bounds)
        finest = segment.cells([_COLUMNS[axis.source]], series.levels[0])[0] if len(sealed.segments) > 1 else coarsest
        found.append(_Window(segment, series, first, stop, (finest[0], coarsest[-1])))
    return found


def cut(raw: NDArray[Any], axis: Axis, bounds: tuple[float | None, float | None]) -> tuple[int, int]:
    """Return which of ascending items hold points between the bounds, as first and one more than last."""
    start, stop = bounds
    first = 0 if start is None else axis.first_from(raw, start)
    end = len(raw) if stop is None else min(len(raw), axis.first_after(raw, stop) + 1)
    return first, max(first, end)


def _items(
    window: _Window, axis: Axis, bounds: tuple[float | None, float | None], points_a_bucket: float
) -> Items | Points | None:
    levels = window.series.levels
    fitting = [level for level in levels if level.size <= points_a_bucket]
    return _cells(window, axis, bounds, fitting[-1]) if fitting else _raw(window, axis, bounds)


def _cells(window: _Window, axis: Axis, bounds: tuple[float | None, float | None], level: LevelEntry) -> Items:
    segment = window.segment
    has_holes = window.series.nonfinite > 0
    names = [_COLUMNS[axis.source], "min", "max", "last", *(["nonfinite"] if has_holes else [])]
    raw, lows, highs, lasts, *holes = segment.cells(names, level)
    first, stop = cut(raw, axis, bounds)
    span = slice(first, stop)
    counts = np.full(level.length, level.size, np.int64)
    counts[-1] = window.series.cell_points - (level.length - 1) * level.size
    nonfinite = holes[0][span] if holes else np.zeros(stop - first, np.int64)
    return Items(raw[span], lows[span], highs[span], lasts[span], counts[span], nonfinite)


def _raw(window: _Window, axis: Axis, bounds: tuple[float | None, float | None]) -> Points | None:
    """Return the points themselves; None if they do not lie in the order of the axis."""
    series, segment = window.series, window.segment
    entry = series.points[0]
    if not series.has_sorted_points or (axis.source == "times" and not entry.has_sorted_times):
        return None
    if axis.source == "steps" and entry.stride:
        steps = range(entry.step_min, entry.step_max + 1, entry.stride)
        first, stop = _span(steps, axis, bounds)
        raw = entry.step_min + entry.stride * np.arange(first, stop)
        return Points(raw, segment.points(["value"], entry.start + first, entry.start + stop)[0])
    size = series.levels[-1].size
    start = entry.start + window.first * size
    stop = min(entry.start + window.stop * size, entry.stop)
    if axis.source:
        raw, values = segment.points([_COLUMNS[axis.source], "value"], start, stop)
        return _cut_points(Points(raw, values), axis, bounds)
    rows, steps, values = segment.points(["row", "step", "value"], start, stop)
    others = segment.series(series.stream, axis.key)
    chunks = [segment.chunk(others, other) for other in others.points if other.writer == entry.writer] if others else []
    return _cut_points(Points(aligned(rows, steps, chunks), values), axis, bounds)


def _cut_points(points: Points, axis: Axis, bounds: tuple[float | None, float | None]) -> Points:
    first, stop = _span(points.raw, axis, bounds)
    return Points(points.raw[first:stop], points.values[first:stop])


def _span(raw: NDArray[Any] | range, axis: Axis, bounds: tuple[float | None, float | None]) -> tuple[int, int]:
    """Return which of ascending points lie within the bounds, as first and one more than last."""
    start, stop = bounds
    first = 0 if start is None else axis.first_from(raw, start)
    return first, max(first, len(raw) if stop is None else axis.first_after(raw, stop))
