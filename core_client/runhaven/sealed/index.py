"""What a sealed segment holds and where its bytes lie: read at once, so that a chart then reads a few pages only."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from runhaven.errors import StoreError
from runhaven.value import from_json

FORMAT = 1


class ChunkEntry(NamedTuple):
    """Where a chunk lies.

    Attributes:
        writer: Name of the writer.
        type: Type of the cells.
        start: Its first row in the file.
        length: How many rows it has.
        step_min: Least step.
        step_max: Greatest step.
        has_sorted_steps: Whether the steps ascend.
        has_sorted_times: Whether the wall times ascend.
        stride: The difference between any step and the one before it, if it is always the same and above 0, else 0.
    """

    writer: str
    type: str
    start: int
    length: int
    step_min: int
    step_max: int
    has_sorted_steps: bool
    has_sorted_times: bool
    stride: int

    @property
    def stop(self) -> int:
        """One more than its last row in the file."""
        return self.start + self.length


class LevelEntry(NamedTuple):
    """Where the cells of one level lie: points a cell, first row in the file, and how many."""

    size: int
    start: int
    length: int


@dataclass(slots=True)
class SeriesIndex:
    """One series in a segment.

    Attributes:
        stream: Its stream.
        key: Its key.
        type: Type of its newest cell.
        count: How many points it has, texts included.
        step_min: Least step.
        step_max: Greatest step.
        last: The value of its newest point.
        last_us: When that was written.
        axis: The series that is its x; "" for the step.
        points: Its chunks in points.parquet.
        texts: Its chunks in values.parquet.
        levels: Its cells, the finest first.
        has_sorted_points: Whether its points, as they lie, ascend along the axis.
        has_sorted_times: Whether its cells ascend in wall time.
        nonfinite: How many of its points are NaN or infinite.
        cell_points: How many points its cells cover: those with an x.
    """

    stream: str
    key: str
    type: str
    count: int = 0
    step_min: int = 2**63 - 1
    step_max: int = -(2**63)
    last: Any = None
    last_us: int = -1
    axis: str = ""
    points: list[ChunkEntry] = field(default_factory=list[ChunkEntry])
    texts: list[ChunkEntry] = field(default_factory=list[ChunkEntry])
    levels: list[LevelEntry] = field(default_factory=list[LevelEntry])
    has_sorted_points: bool = False
    has_sorted_times: bool = False
    nonfinite: int = 0
    cell_points: int = 0


@dataclass(slots=True)
class Index:
    """What a segment holds.

    Attributes:
        series: The series, in the order of the files.
        points: Columns of points.parquet, each as `pages.Column`.
        cells: Columns of cells.parquet.
        schemas: Stream and keys of each schema, in the order in which rows hold them.
        rows: How many rows of each stream were sealed.
    """

    series: list[SeriesIndex]
    points: dict[str, Any]
    cells: dict[str, Any]
    schemas: list[tuple[str, list[str]]]
    rows: dict[str, int]

    def dump(self) -> bytes:
        """Return it as JSON."""
        series = [{name: getattr(one, name) for name in SeriesIndex.__dataclass_fields__} for one in self.series]
        content = {"format": FORMAT, "series": series, "points": self.points, "cells": self.cells}
        content |= {"schemas": self.schemas, "rows": self.rows}
        return json.dumps(content, separators=(",", ":")).encode()


def load(data: bytes) -> Index:
    """Read what `Index.dump` made.

    Raises:
        StoreError: If it is of a newer format, or damaged.
    """
    try:
        content = json.loads(data)
        if content.pop("format") != FORMAT:
            message = "a sealed run is of a newer format; upgrade runhaven."
            raise StoreError(message)
        series = [_series(entry) for entry in content.pop("series")]
        return Index(series=series, **content)
    except (ValueError, KeyError, TypeError) as error:
        message = f"the index of a sealed run is damaged ({error}); run: runhaven seal --again"
        raise StoreError(message) from error


def _series(entry: dict[str, Any]) -> SeriesIndex:
    for name in ("points", "texts"):
        entry[name] = [ChunkEntry(*chunk) for chunk in entry[name]]
    entry["levels"] = [LevelEntry(*level) for level in entry["levels"]]
    series = SeriesIndex(**entry)
    if series.type in "jS":
        series.last = json.loads(series.last)
    series.last = from_json(series.last)
    return series
