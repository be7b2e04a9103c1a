"""Histograms on the wire: a JSON header, then little-endian columns that a browser uses as they lie.

u32 length of the header | header | for each series, from its offset on, each column padded to 8 bytes:
step f64[n], first u32[n + 1] (where the bins of a row begin), merged u32[n] (how many rows it sums up),
zeros, nan, inf, neg_inf f64[n], size f64[n] (of how many numbers those counted are a sample, or all); then of kind "log": code u16[m], count f32[m]; of kind "linear": edge f64[m + n], count f32[m]
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runhaven import log_histogram
from runhaven_server.curves import pack, padded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runhaven.api.values import Logged
    from runhaven_server.shapes import SeriesRef


class _Row(NamedTuple):
    step: int
    merged: int
    places: Sequence[float]
    counts: Sequence[float]
    extra: tuple[float, float, float, float, float]


def encode_histograms(found: Iterable[tuple[SeriesRef, Sequence[Logged]]], *, rows: int) -> bytes:
    """Return the reply: each series as at most `rows` histograms.

    Histograms over the logarithm that share a row are added up exactly; of others the last stands for its row.
    """
    return pack((series.model_dump(), *_encode(values, rows)) for series, values in found)


def _encode(values: Sequence[Logged], most: int) -> tuple[dict[str, Any], list[bytes]]:
    name = next((one.value["_type"] for one in reversed(values) if _is_histogram(one.value)), log_histogram.TYPE)
    held = [one for one in values if _is_histogram(one.value) and one.value["_type"] == name]
    size = max(1, -(-len(held) // most))
    groups = [held[start : start + size] for start in range(0, len(held), size)]
    is_log = name == log_histogram.TYPE
    rows = [_log_row(group) if is_log else _linear_row(group) for group in groups]
    first = np.cumsum([0, *(len(row.counts) for row in rows)])
    extra = np.array([row.extra for row in rows], np.float64).reshape(len(rows), 5).T
    columns = [
        np.array([row.step for row in rows], "<f8"),
        first.astype("<u4"),
        np.array([row.merged for row in rows], "<u4"),
        *extra.astype("<f8"),
        np.array([place for row in rows for place in row.places], "<u2" if is_log else "<f8"),
        np.array([count for row in rows for count in row.counts], "<f4"),
    ]
    facts = {"kind": "log" if is_log else "linear", "n": len(rows), "m": int(first[-1])}
    return facts, [padded(column.tobytes()) for column in columns]


def _is_histogram(value: Any) -> bool:
    return isinstance(value, dict) and value.get("_type") in (log_histogram.TYPE, "histogram")  # pyright: ignore[reportUnknownMemberType]


def _log_row(group: Sequence[Logged]) -> _Row:
    whole = [log_histogram.decode(one.value) for one in group]
    merged = whole[0] if len(whole) == 1 else log_histogram.merge(whole)
    codes = sorted(merged.counts, key=_order)
    counts = [merged.counts[code] for code in codes]
    size = sum(one.value.get("size", one.value["count"]) for one in group)
    extra = merged.zeros, merged.nan, merged.inf, merged.neg_inf, size
    return _Row(group[-1].step, len(group), codes, counts, extra)


def _order(code: int) -> int:
    """Return the place of a code among all, in the order of the numbers that it stands for."""
    return log_histogram.NEGATIVE - code if code >= log_histogram.NEGATIVE else code


def _linear_row(group: Sequence[Logged]) -> _Row:
    last = group[-1]
    counts = last.value["values"]
    return _Row(last.step, len(group), last.value["bins"], counts, (0.0, 0.0, 0.0, 0.0, sum(counts)))
