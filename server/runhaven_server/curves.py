"""Curves on the wire: a JSON header, then little-endian columns that a browser uses as they lie.

u32 length of the header | header | for each series, from its offset on:
x f64[n], last f32[n], min f32[n], max f32[n], count u32[n]; each column padded to 8 bytes
"""

from __future__ import annotations

import json
import struct
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runhaven.api import Curve
    from runhaven_server.shapes import SeriesRef

MEDIA_TYPE = "application/octet-stream"
_ALIGNMENT = 8


def encode_curves(curves: Iterable[tuple[SeriesRef, Curve | None]]) -> bytes:
    """Return the reply; a series without a curve has no points."""
    return pack((series.model_dump(), _facts(curve), _columns(curve)) for series, curve in curves)


def _facts(curve: Curve | None) -> dict[str, Any]:
    if curve is None:
        return {"n": 0, "nonfinite": 0}
    return {"n": len(curve), "nonfinite": int(curve.nonfinite.sum())}


def pack(series: Iterable[tuple[dict[str, Any], dict[str, Any], list[bytes]]]) -> bytes:
    """Put together what names each series, what is said of it, and its columns."""
    entries: list[dict[str, Any]] = []
    body: list[bytes] = []
    offset = 0
    for name, facts, columns in series:
        entries.append(name | facts | {"offset": offset})
        body += columns
        offset += sum(map(len, columns))
    header = json.dumps({"series": entries}).encode()
    header += b" " * (-(4 + len(header)) % _ALIGNMENT)
    return b"".join([struct.pack("<I", len(header)), header, *body])


def _columns(curve: Curve | None) -> list[bytes]:
    if curve is None:
        return []
    kinds = ((curve.x, "<f8"), (curve.last, "<f4"), (curve.min, "<f4"), (curve.max, "<f4"), (curve.count, "<u4"))
    with np.errstate(over="ignore"):
        return [padded(values.astype(kind).tobytes()) for values, kind in kinds]


def padded(data: bytes) -> bytes:
    """Return a column with zeros behind it, so that the next one begins where numbers may."""
    return data + b"\0" * (-len(data) % _ALIGNMENT)
