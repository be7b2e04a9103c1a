"""What is shown at a step: which steps a series has, and what was logged there."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any, cast

from runhaven_server.media.shapes import MediaAt
from runhaven_server.values import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven.api.values import Logged
    from runhaven_server.media.shapes import MediaQuery
    from runhaven_server.shapes import SeriesRef


def type_of(kind: str, last: Any) -> str:
    """Return what a series holds: "number", "text", the "_type" of media, or "" for other objects.

    Args:
        kind: The type of its newest cell.
        last: Its newest value.
    """
    if kind != "j":
        return "text" if kind == "s" else "number"
    found = cast("dict[str, Any]", last).get("_type") if isinstance(last, dict) else None
    return found if isinstance(found, str) and found not in ("repr", "array", "float") else ""


def pick(series: SeriesRef, values: Sequence[Logged], query: MediaQuery) -> MediaAt:
    """Return what a series has at a step: what was logged there, or before it for the last time."""
    found = MediaAt(**series.model_dump(), steps=[one.step for one in values] if query.steps else None)
    at = len(values) if query.step is None else bisect_right(values, query.step, key=lambda one: one.step)
    if at:
        one = values[at - 1]
        found.step, found.time, found.value = one.step, one.time_us, plain(one.value)
    return found
