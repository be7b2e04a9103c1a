"""The bytes of a file of a version: whole or a range of them, as harmless as other bytes of users."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import quote

from fastapi.responses import Response, StreamingResponse

from runhaven.errors import NotFoundError
from runhaven_server import blobs
from runhaven_server.values import legible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runhaven.artifacts.artifact import Artifact
    from runhaven.artifacts.manifest import Entry

BLOCK = 1 << 18
_SYNONYMS = {"jpeg": "jpg", "htm": "html"}
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def respond(artifact: Artifact, entry: Entry, headers: Mapping[str, str], *, is_download: bool) -> Response:
    """Return the answer to a request for a file.

    Args:
        artifact: The version.
        entry: The file.
        headers: Those of the request, of which `Range`, `If-Range` and `If-None-Match` count.
        is_download: Whether the browser shall save it rather than show it.

    Raises:
        NotFoundError: If it lies elsewhere.
        StoreError: If its bytes are lost.
    """
    if entry.ref is not None:
        message = f"{legible(entry.path)!r} lies at {legible(entry.ref)}; the store holds no bytes of it."
        raise NotFoundError(message)
    kind, answer = blobs.dress(_format(entry.path))
    tag, size = f'"{entry.digest}"', entry.size or 0
    answer |= {"ETag": tag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=answer)
    if is_download or "Content-Disposition" in answer:
        answer["Content-Disposition"] = attachment(entry.path.rpartition("/")[2])
    asked = headers.get("range", "") if headers.get("if-range", tag) == tag else ""
    part = find_range(asked, size)
    if part is not None and not part:
        return Response(status_code=416, headers=answer | {"Content-Range": f"bytes */{size}"})
    span = range(size) if part is None else part
    answer["Content-Length"] = str(len(span))
    if part is not None:
        answer["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    body = _read(artifact.open_entry(entry), span)
    return StreamingResponse(body, 200 if part is None else 206, answer, kind)


def find_range(header: str, size: int) -> range | None:
    """Return the bytes that a `Range` header asks for (RFC 9110, 14.2); an empty range if there are none of them.

    Anything else than one range is passed over (None), as a server may: the answer is then the whole.
    """
    found = _RANGE.fullmatch(header.replace(" ", ""))
    first, last = found.groups() if found else ("", "")
    if not first and not last:
        return None
    if not first:
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    return range(int(first), min(size, int(last) + 1) if last else size)


def attachment(name: str) -> str:
    """Return the `Content-Disposition` that saves a file under a name (RFC 6266, RFC 8187)."""
    plain = re.sub(r"[^ !#-\[\]-~]", "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(legible(name), safe='')}"


def _read(file: BinaryIO, span: range) -> Iterator[bytes]:
    with file:
        file.seek(span.start)
        left = len(span)
        while left and (block := file.read(min(BLOCK, left))):
            left -= len(block)
            yield block


def _format(path: str) -> str:
    """Return what the name says that the bytes are."""
    suffix = path.rpartition(".")[2].lower()
    return _SYNONYMS.get(suffix, suffix)
