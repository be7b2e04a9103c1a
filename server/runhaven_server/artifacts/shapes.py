"""What the API says of artifacts. Times are microseconds since the epoch."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from runhaven_server.shapes import Scalar


class AliasShape(BaseModel):
    """A name of a version."""

    name: str
    version: str


class RunLink(BaseModel):
    """A run that an artifact speaks of."""

    ulid: str
    name: str
    entity: str
    project: str
    state: str = Field(description='"" if the store has no such run any more')


class CollectionRow(BaseModel):
    """An artifact in a list: all its versions together."""

    name: str
    type: str
    is_sequence: bool = Field(description="whether runs log into it; a collection of links is none")
    description: str = Field(description="its own; without one, that of the newest version")
    tags: list[str]
    aliases: list[AliasShape] = Field(description="those of the newest versions first, latest among them")
    versions: int
    latest: str
    size: int = Field(description="bytes of the newest version")
    file_count: int
    created: int
    updated: int


class VersionRow(BaseModel):
    """A version among its siblings."""

    version: str
    aliases: list[str]
    tags: list[str]
    digest: str
    size: int
    file_count: int
    created: int
    user: str
    run: RunLink | None
    deleted: int | None = Field(description="when it was deleted; its number stays taken")


class CollectionDetail(CollectionRow):
    """An artifact with its versions, the newest first."""

    all_versions: list[VersionRow]


class PlaceShape(BaseModel):
    """What names a version."""

    entity: str
    project: str
    name: str
    version: str


class VersionDetail(VersionRow):
    """A version on its page."""

    entity: str
    project: str
    name: str
    type: str
    description: str
    metadata: dict[str, Any]
    ttl_s: float | None
    history_step: int | None
    references: int = Field(description="files that lie elsewhere; neither served nor in the zip")
    source: PlaceShape | None = Field(description="what it is a link to")
    links: list[PlaceShape]
    used_by: list[RunLink]


class ChangeShape(BaseModel):
    """A reference that is not any more what it was when it was logged."""

    path: str
    uri: str
    reason: str
    revision: str | None


class NodeShape(BaseModel):
    """A run or a version in a lineage."""

    id: str
    kind: Literal["run", "artifact"]
    name: str
    type: str = Field(description="of an artifact; the job type of a run")
    state: str = Field(description='of a run; "committed" for a version; "deleted" for either')
    created: int | None
    changes: list[ChangeShape]
    place: PlaceShape | None = Field(description="of a version")
    ulid: str = Field(description="of a run")
    aliases: list[str]
    size: int | None = Field(description="bytes of a version")
    runtime_s: float | None = Field(description="of a run")


class EdgeShape(BaseModel):
    """A step on the way of the data."""

    source: str
    target: str
    kind: Literal["input", "output", "link"]
    use_as: str | None


class LineageShape(BaseModel):
    """What something was made from and what was made from it."""

    root: str
    nodes: list[NodeShape]
    edges: list[EdgeShape]


class FileRow(BaseModel):
    """A file of a version."""

    number: int = Field(description="its place in the order of all paths: what names it in an address")
    path: str = Field(description="to be shown; bytes that are no UTF-8 stand as %XX")
    size: int | None
    digest: str = Field(description="SHA-256 of its bytes, or of the list of its chunks")
    chunks: int = Field(description="how many chunks it is kept in; 0 for one blob")
    ref: str | None = Field(description="the URI of a file that lies elsewhere")


class FolderRow(BaseModel):
    """A folder of a version, with all that is below it."""

    path: str
    files: int
    size: int


class FolderList(BaseModel):
    """What lies in a folder, or what a search found in it and below."""

    folders: list[FolderRow]
    files: list[FileRow]
    total: int = Field(description="files there are, of which some are listed")


class TableShape(BaseModel):
    """The first rows of a table."""

    columns: list[str]
    rows: list[list[Any]]
    total: int | None = Field(description="rows that there are; null where counting would mean reading it all")


class ChangedFile(BaseModel):
    """A file that two versions have with other content."""

    path: str
    size_before: int | None
    size: int | None
    number_before: int
    number: int


class DifferenceShape(BaseModel):
    """How a version differs from another."""

    before: str
    after: str
    added: list[FileRow]
    removed: list[FileRow]
    changed: list[ChangedFile]
    unchanged: int
    new_bytes: int = Field(description="what the store holds for the later one alone")
    metadata: dict[str, tuple[Scalar, Scalar]] = Field(
        description="by key, joined by dots: before and after; null: not there"
    )


class RunArtifact(BaseModel):
    """A version that a run used or logged."""

    entity: str
    project: str
    name: str
    version: str
    type: str
    aliases: list[str]
    digest: str
    size: int
    file_count: int
    created: int


class RunArtifacts(BaseModel):
    """What a run used and what it logged, in the order of time."""

    inputs: list[RunArtifact]
    outputs: list[RunArtifact]
