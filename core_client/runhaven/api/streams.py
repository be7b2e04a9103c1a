"""What a caller means by the name of a stream: "default", "system", "all", or one stream alone."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from runhaven.api.data import RunData

_MACHINE = "node="


def streams_of(data: RunData, name: str) -> list[str]:
    """Return the streams of a run that are meant.

    Args:
        data: The run's rows.
        name: "default" for what was logged, "system" for the load of all machines, "all", or the name of one.
    """
    if name == "system":
        return sorted(stream for stream in data.streams if stream.startswith(_MACHINE))
    if name == "all":
        return sorted({"", *data.streams})
    return ["" if name == "default" else name]


def by_time(rows: Mapping[str, Iterable[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield the rows of some streams; those of several machines in the order of time, each with its `_node`."""
    if len(rows) == 1:
        yield from next(iter(rows.values()))
        return
    marked = [_marked(of_one, stream.removeprefix(_MACHINE)) for stream, of_one in rows.items()]
    yield from heapq.merge(*marked, key=lambda row: row.get("_timestamp", 0.0))


def _marked(rows: Iterable[dict[str, Any]], node: str) -> Iterator[dict[str, Any]]:
    return ({**row, "_node": node} for row in rows)


def keys_of(data: RunData, streams: Sequence[str]) -> set[str]:
    """Return the keys of all series of some streams."""
    return {key for stream in streams for key in data.keys(stream)}
