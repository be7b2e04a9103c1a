"""What the API takes and gives; the OpenAPI schema comes from here. Times are microseconds since the epoch."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

Scalar = str | int | float | bool | None


class Status(BaseModel):
    """What the server shows."""

    version: str
    store: str
    read_only: bool


class ProjectShape(BaseModel):
    """A project."""

    entity: str
    name: str
    runs: int
    running: int
    updated: int


class RunRow(BaseModel):
    """A run in a table."""

    ulid: str
    id: str
    name: str
    state: str
    created: int
    updated: int
    runtime_s: float
    last_step: int | None
    user: str
    host: str
    group: str
    job_type: str
    tags: list[str]
    notes: str
    color: int = Field(description="place in the order of creation within the project")
    config: dict[str, Scalar]
    summary: dict[str, Scalar]


class RunList(BaseModel):
    """The runs of a project."""

    runs: list[RunRow]


class RunDetail(RunRow):
    """A run on its page."""

    entity: str
    project: str
    metadata: dict[str, Any]
    usage: dict[str, Any] = Field(description="what it used of its machines; empty where nothing was read")
    alerts: list[dict[str, Any]]
    exception: dict[str, Any] | None
    incomplete: dict[str, Any] | None
    graphs: int = Field(description="how many module trees of watched models there are")
    config_tree: dict[str, Any]
    config_history: list[dict[str, Any]]
    damage: int = Field(description="stretches of its journals that cannot be read")


class SeriesShape(BaseModel):
    """A series of a run."""

    stream: str
    key: str
    type: str
    count: int
    step_min: int
    step_max: int
    last: Any
    axis: str | None


class MetricShape(BaseModel):
    """A metric of a project, with run and stream of each of its series."""

    key: str
    type: str = Field(description='"number", "text", or the "_type" of media')
    system: bool
    axis: str | None
    hidden: bool
    sources: list[tuple[str, str]]


class SeriesRef(BaseModel):
    """Names one series."""

    run: str
    stream: str = ""
    key: str


class CurveQuery(BaseModel):
    """Which curves to reduce to how many buckets."""

    series: list[SeriesRef] = Field(max_length=2000)
    x: str = Field("step", description='"step", "wall", "relative", or a key')
    buckets: int = Field(1000, ge=1, le=20_000)
    start: float | None = None
    stop: float | None = None


class LogLineShape(BaseModel):
    """A line that a run printed; its time in seconds since the epoch."""

    n: int
    time: float
    stream: str
    text: str


class Logs(BaseModel):
    """Lines that a run printed."""

    lines: list[LogLineShape]
    total: int


class LiveRun(BaseModel):
    """A run that moved."""

    ulid: str
    entity: str
    project: str
    last_step: int | None
    state: str
    updated: int
