"""The routes about media, histograms and tables."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Response

from runhaven_server.curves import MEDIA_TYPE
from runhaven_server.media.histograms import encode_histograms
from runhaven_server.media.picking import pick
from runhaven_server.media.shapes import HistogramQuery, MediaAt, MediaQuery, TablePage, TableQuery
from runhaven_server.media.tables import Tables

if TYPE_CHECKING:
    from runhaven_server.artifacts.shelf import Shelf
    from runhaven_server.library import Library

_JSON = "application/json"


def media_routes(library: Library, shelf: Shelf) -> APIRouter:
    """Return the routes about what the runs of a library logged beside numbers."""
    router, tables = APIRouter(), Tables(shelf)

    @router.post("/api/v1/media", response_model=list[MediaAt])
    def media(query: MediaQuery) -> Response:  # pyright: ignore[reportUnusedFunction] - the decorator takes it
        found = [pick(one, library.values(one.run, one.stream, one.key), query) for one in query.series]
        return Response(json.dumps([one.model_dump() for one in found]), media_type=_JSON)

    @router.post("/api/v1/histograms", response_class=Response)
    def histograms(query: HistogramQuery) -> Response:  # pyright: ignore[reportUnusedFunction]
        found = ((one, library.values(one.run, one.stream, one.key)) for one in query.series)
        return Response(encode_histograms(found, rows=query.rows), media_type=MEDIA_TYPE)

    @router.get("/api/v1/runs/{ulid}/graphs", response_model=list[dict[str, Any]])
    def graphs(ulid: str) -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(json.dumps(library.run(ulid).graphs), media_type=_JSON)

    @router.post("/api/v1/tables", response_model=TablePage)
    def table(query: TableQuery) -> Response:  # pyright: ignore[reportUnusedFunction]
        return Response(json.dumps(tables.page(query).model_dump()), media_type=_JSON)

    return router
