"""Pages of HTML."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven.errors import UsageError
from runhaven.media import filing
from runhaven.media.kind import Media, lenient
from runhaven.media.source import checked_path, is_path, read_stream

if TYPE_CHECKING:
    from runhaven.media.kind import Reference, Sink

# Links of a page in a frame would otherwise open inside the frame.
_HEAD = b'<base target="_blank">'


class Html(Media):
    """A page. It is shown in a frame of its own, which may neither read the dashboard nor reach the network."""

    type_name = "html-file"
    list_type = "html"

    @lenient
    def __init__(self, data: Any, inject: bool = True, data_is_not_path: bool = False) -> None:
        """Take a page.

        Args:
            data: HTML, the path of a file that ends in ".html", or an open file.
            inject: Let links open in a window of their own.
            data_is_not_path: Take text for HTML even if it names a file.
        """
        self._inject = inject
        self._path = None if data_is_not_path else _named_file(data)
        self._content = b"" if self._path is not None else _text_of(data)

    def weight(self) -> int:
        """Return how many bytes it has."""
        return len(self._content)

    def keep(self, sink: Sink) -> Reference:
        """Keep the page."""
        content = checked_path(self._path, "Html").read_bytes() if self._path is not None else self._content
        return self.described(sink.put(_injected(content) if self._inject else content, "html"))

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> Html:
        """Make the page, in which links leave the frame already."""
        page = io.BytesIO(filing.read(artifact, reference["path"]))
        return cls(page, inject=False)


def _named_file(data: Any) -> Path | None:
    if isinstance(data, Path):
        return data
    is_name = isinstance(data, str) and data.lower().endswith((".html", ".htm")) and "<" not in data
    return Path(data) if is_name and is_path(data) else None


def _text_of(data: Any) -> bytes:
    content = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else read_stream(data)
    if content is None:
        message = f"Html takes text, the path of a file, or an open one, not {type(data).__name__}."
        raise UsageError(message)
    return content


def _injected(content: bytes) -> bytes:
    lower = content.lower()
    at = lower.find(b"<head>")
    if at >= 0:
        return content[: at + 6] + _HEAD + content[at + 6 :]
    at = lower.find(b"<html>")
    if at >= 0:
        return content[: at + 6] + b"<head>" + _HEAD + b"</head>" + content[at + 6 :]
    return _HEAD + content
