"""Bytes of media, served so that a browser shows them and runs nothing of theirs with our rights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi.responses import FileResponse

from runhaven.errors import NotFoundError
from runhaven.store.blobs import Blobs

if TYPE_CHECKING:
    from pathlib import Path

# A sandbox without "allow-same-origin" has an origin of its own: no cookie, no storage, no reading of the dashboard.
_CSP = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src 'self'; frame-ancestors 'self'"
_PAGE_CSP = (
    "sandbox allow-scripts allow-popups; default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval' data: blob:; "
    "style-src 'unsafe-inline' data:; img-src data: blob:; media-src data: blob:; font-src data:; worker-src blob:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
_OTHER = "application/octet-stream"
_TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp", "bmp": "image/bmp", "tif": "image/tiff",
    "svg": "image/svg+xml", "avif": "image/avif",
    "mp4": "video/mp4", "webm": "video/webm", "ogg": "video/ogg",
    "wav": "audio/wav", "mp3": "audio/mpeg", "flac": "audio/flac", "m4a": "audio/mp4", "oga": "audio/ogg",
    "html": "text/html; charset=utf-8", "smi": "text/plain; charset=utf-8", "pdb": "text/plain; charset=utf-8",
    "json": "application/json", "table.json": "application/json", "plotly.json": "application/json",
    "pts.json": "application/json", "graph.json": "application/json", "vega-lite.json": "application/json",
    "glb": "model/gltf-binary", "gltf": "model/gltf+json", "obj": "model/obj", "stl": "model/stl",
}  # fmt: skip


def respond(store: Path, sha256: str, format: str) -> FileResponse:  # noqa: A002 - the word of the reference
    """Return the answer to a request for a blob; ranges of it can be asked for.

    Args:
        store: The store's directory.
        sha256: What names it.
        format: The reference's "format", which says what the bytes are; others are for download alone.

    Raises:
        NotFoundError: If that is no hash, or the store does not hold it.
    """
    try:
        path = Blobs(store).find({"sha256": sha256})
    except NotFoundError:
        message = f"the store holds no bytes with the SHA-256 {sha256[:64]!r}."
        raise NotFoundError(message) from None
    kind, headers = dress(format)
    # What has this name never changes; "private" keeps it out of shared caches.
    headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return FileResponse(path, media_type=kind, headers=headers)


def dress(format: str) -> tuple[str, dict[str, str]]:  # noqa: A002 - the word of the reference
    """Return the media type of a user's bytes, and the headers that keep them harmless."""
    kind = _TYPES.get(format, _OTHER)
    headers = {
        "Content-Security-Policy": _PAGE_CSP if format == "html" else _CSP,
        "X-Content-Type-Options": "nosniff",
    }
    if kind == _OTHER:
        headers["Content-Disposition"] = "attachment"
    return kind, headers
