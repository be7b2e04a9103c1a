"""The routes about artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from runhaven.api.lineage import Check, Direction
from runhaven.artifacts.collection import Place
from runhaven.errors import NotFoundError
from runhaven_server.artifacts import archive, serving
from runhaven_server.artifacts.comparing import compare
from runhaven_server.artifacts.folder import listing, row
from runhaven_server.artifacts.shapes import (
    CollectionDetail,
    CollectionRow,
    DifferenceShape,
    FileRow,
    FolderList,
    LineageShape,
    RunArtifacts,
    TableShape,
    VersionDetail,
)
from runhaven_server.artifacts.table import first_rows

if TYPE_CHECKING:
    from runhaven.artifacts.artifact import Artifact
    from runhaven.artifacts.manifest import Entry
    from runhaven_server.artifacts.shelf import Shelf


def _place(entity: str, project: str, name: str) -> Place:
    return Place(entity, project, name)


At = Annotated[Place, Depends(_place)]
_PROJECT = "/api/v1/projects/{entity}/{project}/artifacts"
_VERSION = _PROJECT + "/{name}/{version}"


def artifact_routes(shelf: Shelf) -> APIRouter:
    """Return the routes about the artifacts of a store."""
    router = APIRouter()
    _add_lists(router, shelf)
    _add_files(router, shelf)
    _add_bytes(router, shelf)
    return router


def _add_lists(router: APIRouter, shelf: Shelf) -> None:
    """Add what is said of artifacts, versions and runs."""

    @router.get(_PROJECT)
    def artifacts(entity: str, project: str) -> list[CollectionRow]:  # pyright: ignore[reportUnusedFunction] - the decorator takes it
        return shelf.listing(entity, project)

    @router.get(_PROJECT + "/{name}")
    def artifact(at: At) -> CollectionDetail:  # pyright: ignore[reportUnusedFunction]
        return shelf.collection(at)

    @router.get(_VERSION)
    def version(at: At, version: str) -> VersionDetail:  # pyright: ignore[reportUnusedFunction]
        return shelf.version(at, version)

    @router.get(_VERSION + "/difference")
    def difference(at: At, version: str, to: str) -> DifferenceShape:  # pyright: ignore[reportUnusedFunction]
        before, after = shelf.artifact(at, to), shelf.artifact(at, version)
        return compare(before, shelf.entries(before), after, shelf.entries(after))

    @router.get(_VERSION + "/lineage")
    def lineage(at: At, version: str, direction: Direction = "both", check: Check = "none") -> LineageShape:  # pyright: ignore[reportUnusedFunction]
        return shelf.lineage(at, version, direction, check)

    @router.get("/api/v1/runs/{ulid}/artifacts")
    def of_run(ulid: str) -> RunArtifacts:  # pyright: ignore[reportUnusedFunction]
        return shelf.of_run(ulid)


def _add_files(router: APIRouter, shelf: Shelf) -> None:
    """Add the list of a version's files."""

    @router.get(_VERSION + "/files")
    def files(  # pyright: ignore[reportUnusedFunction] - an address and a query
        at: At,
        version: str,
        folder: str = "",
        search: str = "",
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> FolderList:
        entries = shelf.entries(shelf.artifact(at, version))
        return listing(entries, folder=folder, search=search, offset=offset, limit=limit)


def _add_bytes(router: APIRouter, shelf: Shelf) -> None:
    """Add the bytes of a version's files. A file is named by its number, which no odd path can get around, or its hash."""

    def find(place: Place, version: str, number: int) -> tuple[Artifact, Entry]:
        found = shelf.artifact(place, version)
        entries = shelf.entries(found)
        if not 0 <= number < len(entries):
            message = f"{found.qualified_name} has no file number {number}; it has {len(entries):,} files."
            raise NotFoundError(message)
        return found, entries[number]

    @router.get(_VERSION + "/files/{number}", response_class=Response)
    def file(at: At, version: str, number: int, request: Request, *, download: bool = False) -> Response:  # pyright: ignore[reportUnusedFunction]
        found, entry = find(at, version, number)
        return serving.respond(found, entry, request.headers, is_download=download)

    @router.get(_VERSION + "/blobs/{sha256}", response_class=Response)
    def blob(at: At, version: str, sha256: str, request: Request) -> Response:  # pyright: ignore[reportUnusedFunction]
        found = shelf.artifact(at, version)
        return serving.respond(found, shelf.holding(found, sha256), request.headers, is_download=False)

    @router.get(_VERSION + "/files/{number}/facts")
    def facts(at: At, version: str, number: int) -> FileRow:  # pyright: ignore[reportUnusedFunction]
        return row(number, find(at, version, number)[1])

    @router.get(_VERSION + "/files/{number}/table")
    def table(  # pyright: ignore[reportUnusedFunction]
        at: At, version: str, number: int, limit: Annotated[int, Query(ge=1, le=10_000)] = 100
    ) -> TableShape:
        return first_rows(*find(at, version, number), limit)

    @router.get(_VERSION + "/zip", response_class=Response)
    def download(at: At, version: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        found = shelf.artifact(at, version)
        headers = {"Content-Disposition": serving.attachment(f"{at.name}-{found.version}.zip")}
        return StreamingResponse(archive.stream(found, shelf.entries(found)), 200, headers, "application/zip")
