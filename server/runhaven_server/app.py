"""The application: the API over a store, live changes, and the dashboard, behind one guard."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Query, Request, Response, WebSocket
from fastapi.responses import FileResponse, JSONResponse

import runhaven
from runhaven.errors import StoreError
from runhaven_server import blobs, curves
from runhaven_server.artifacts.routes import artifact_routes
from runhaven_server.artifacts.shelf import Shelf
from runhaven_server.bundle import STATIC, Bundle
from runhaven_server.guard import Guard
from runhaven_server.library import Library
from runhaven_server.live import Live
from runhaven_server.media.routes import media_routes
from runhaven_server.sealer import Sealer
from runhaven_server.shapes import (
    CurveQuery,
    LogLineShape,
    Logs,
    MetricShape,
    ProjectShape,
    RunDetail,
    RunList,
    SeriesShape,
    Status,
)
from runhaven_server.values import legible, plain

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from runhaven_server.access import Access
    from runhaven_server.hosts import Hosts

_JSON = "application/json"
_STATUS = {runhaven.NotFoundError: 404, runhaven.UsageError: 422, StoreError: 500}


def create_app(
    store: Path,
    *,
    access: Access,
    hosts: Hosts,
    prefix: str = "",
    trust_prefix_header: bool = False,
    static: Path = STATIC,
) -> Guard:
    """Return the application over a store.

    Args:
        store: The store's directory.
        access: Who may use it.
        hosts: The names that it answers to.
        prefix: The URL prefix that a proxy puts before it.
        trust_prefix_header: Whether a proxy names the prefix in `X-Forwarded-Prefix`.
        static: Where the built dashboard lies.
    """
    library = Library(store)
    shelf = Shelf(library)
    live, sealer = Live(library), Sealer(library)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        sealer.start()
        async with live.watching():
            yield
        sealer.stop()

    app = FastAPI(title="Runhaven", version=runhaven.__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    for kind, status in _STATUS.items():
        app.add_exception_handler(kind, _explain(status))
    app.add_api_websocket_route("/api/v1/live", _live_route(live))
    _add_lists(app, library)
    _add_runs(app, library)
    app.include_router(artifact_routes(shelf))
    app.include_router(media_routes(library, shelf))
    app.mount("/", Bundle(static))
    return Guard(app, access=access, hosts=hosts, prefix=prefix, trust_prefix_header=trust_prefix_header)


def _explain(status: int):  # noqa: ANN202 - a handler of Starlette's
    async def handle(_: Request, error: Exception) -> Response:
        return JSONResponse({"detail": legible(str(error))}, status)

    return handle


def _live_route(live: Live):  # noqa: ANN202 - a route of Starlette's
    async def route(websocket: WebSocket) -> None:
        await live.serve(websocket)

    return route


def _add_lists(app: FastAPI, library: Library) -> None:
    """Add what is about a whole store or project."""

    @app.get("/api/v1/status")
    def status() -> Status:  # pyright: ignore[reportUnusedFunction] - the decorator takes it
        is_read_only = not os.access(library.store, os.W_OK)
        return Status(version=runhaven.__version__, store=str(library.store), read_only=is_read_only)

    @app.get("/api/v1/blobs/{sha256}", response_class=FileResponse)
    def blob(sha256: str, format: str = "") -> FileResponse:  # noqa: A002  # pyright: ignore[reportUnusedFunction]
        return blobs.respond(library.store, sha256, format)

    @app.get("/api/v1/projects")
    def projects() -> list[ProjectShape]:  # pyright: ignore[reportUnusedFunction]
        return library.projects()

    # Long lists are serialised here: checking each row against its own model would cost ten times as much.
    @app.get("/api/v1/projects/{entity}/{project}/runs", response_model=RunList)
    def runs(entity: str, project: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        rows = [library.row(run) for run in library.runs(entity, project)]
        return Response(RunList.model_construct(runs=rows).model_dump_json(warnings=False), media_type=_JSON)

    @app.get("/api/v1/projects/{entity}/{project}/series")
    def metrics(entity: str, project: str) -> list[MetricShape]:  # pyright: ignore[reportUnusedFunction]
        return library.metrics(entity, project)


def _add_runs(app: FastAPI, library: Library) -> None:
    """Add what is about single runs."""

    @app.get("/api/v1/runs/{ulid}", response_model=RunDetail)
    def run(ulid: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        found = library.detail(library.run(ulid))
        return Response(found.model_dump_json(warnings=False), media_type=_JSON)

    @app.get("/api/v1/runs/{ulid}/series")
    def series(ulid: str) -> list[SeriesShape]:  # pyright: ignore[reportUnusedFunction]
        names = ("stream", "key", "type", "count", "step_min", "step_max", "axis")
        found = library.run(ulid).series()
        return [SeriesShape(**{name: getattr(one, name) for name in names}, last=plain(one.last)) for one in found]

    @app.get("/api/v1/runs/{ulid}/logs")
    def logs(  # pyright: ignore[reportUnusedFunction]
        ulid: str, after: Annotated[int, Query(ge=0)] = 0, limit: Annotated[int, Query(ge=1, le=100_000)] = 5000
    ) -> Logs:
        found = library.run(ulid)
        lines = found.logs(after=after, limit=limit)
        shown = [LogLineShape(n=line.number, time=line.time, stream=line.stream, text=line.text) for line in lines]
        return Logs(lines=shown, total=found.log_count)

    @app.post("/api/v1/curves", response_class=Response)
    def read_curves(query: CurveQuery) -> Response:  # pyright: ignore[reportUnusedFunction]
        asked: dict[str, Any] = {"x": query.x, "buckets": query.buckets, "start": query.start, "stop": query.stop}
        pairs = [(one, library.run(one.run).curve(one.key, stream=one.stream, **asked)) for one in query.series]
        return Response(curves.encode_curves(pairs), media_type=curves.MEDIA_TYPE)
