"""What the routes about media take and give."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from runhaven_server.artifacts.shapes import PlaceShape
from runhaven_server.shapes import SeriesRef


class MediaQuery(BaseModel):
    """What was logged of some series at a step."""

    series: list[SeriesRef] = Field(max_length=500)
    step: int | None = Field(None, description="the last one before it where there is none; null: the newest")
    steps: bool = Field(default=False, description="whether to list all steps")


class MediaAt(SeriesRef):
    """What a series has at a step; times in microseconds since the epoch."""

    steps: list[int] | None
    step: int | None = None
    time: int | None = None
    value: Any = None


class HistogramQuery(BaseModel):
    """Which histograms over the steps, in how many rows."""

    series: list[SeriesRef] = Field(max_length=500)
    rows: int = Field(200, ge=1, le=2000)


class TableQuery(BaseModel):
    """Which rows of a table."""

    tables: list[list[str]] = Field(min_length=1, max_length=2, description="SHA-256 of the parts; two are joined")
    within: PlaceShape | None = Field(None, description="the version of an artifact that they lie in; else the store")
    join_key: str = ""
    start: int = Field(0, ge=0)
    count: int = Field(100, ge=0, le=20_000)
    sort: int | None = Field(None, ge=0, description="number of a column")
    down: bool = False
    search: str = Field("", max_length=1000)


class ColumnShape(BaseModel):
    """A column of a table and the types of its cells."""

    name: str
    types: list[str]


class TablePage(BaseModel):
    """Rows of a table, each after its number."""

    columns: list[ColumnShape]
    total: int
    matching: int
    rows: list[list[Any]]
