"""Turns references back into values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven.errors import NotFoundError
from runhaven.media.annotation import Classes
from runhaven.media.audio import Audio
from runhaven.media.chart import CustomChart
from runhaven.media.graph import Graph
from runhaven.media.histogram import Histogram
from runhaven.media.html import Html
from runhaven.media.image import Image
from runhaven.media.molecule import Molecule
from runhaven.media.object3d import Object3D
from runhaven.media.plotly import Plotly
from runhaven.media.table import Table
from runhaven.media.tables import JoinedTable, PartitionedTable
from runhaven.media.video import Video
from runhaven.store.blobs import Blobs
from runhaven.value import from_json

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from runhaven.media.kind import Media


_KINDS: dict[str, type[Media]] = {
    kind.type_name: kind
    for kind in (
        Audio, Classes, CustomChart, Graph, Histogram, Html, Image, JoinedTable, Molecule, Object3D, PartitionedTable, Plotly, Table,
        Video,
    )
}  # fmt: skip


def kind_of(reference: Mapping[str, Any]) -> type[Media] | None:
    """Return the class of what a reference stands for; None if it is none."""
    return _KINDS.get(str(reference.get("_type")))


def load(reference: Mapping[str, Any], store: str | os.PathLike[str]) -> Any:
    """Return what a reference stands for: a `Table`, a `Histogram`, a list of those, or the path of the bytes.

    The media in a table's cells stay references.

    Args:
        reference: What a row of `scan_history()` holds.
        store: The store's directory.

    Raises:
        NotFoundError: If the store does not hold it.
    """
    kind = reference.get("_type")
    if kind == Histogram.type_name:
        return Histogram(np_histogram=(reference["values"], reference["bins"]))
    if "items" in reference:
        return [load(item, store) for item in reference["items"]]
    if kind == "incremental-table-file":
        return _table(reference["parts"], store)
    return _table([reference], store) if kind == Table.type_name else Blobs(Path(store)).find(reference)


def _table(parts: list[Mapping[str, Any]], store: str | os.PathLike[str]) -> Table:
    table: Table | None = None
    for part in parts:
        content = json.loads(Blobs(Path(store)).find(part).read_text("utf-8", "surrogatepass"))
        found = Table.of(content, from_json)
        if table is None:
            table = found
        else:
            table.data += found.data
    if table is None:
        message = "the reference names no part of a table."
        raise NotFoundError(message)
    return table
