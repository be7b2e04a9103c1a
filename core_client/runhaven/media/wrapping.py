"""Makes media of what was logged bare: figures, pictures, frames, lists of media."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from runhaven.media.image import Image
from runhaven.media.kind import Media, MediaList
from runhaven.media.plotly import Plotly
from runhaven.rich import bare_kind

if TYPE_CHECKING:
    from collections.abc import Sequence


def wrap(value: Any) -> Media | None:
    """Return the media that a rich value is or stands for; None for any other value."""
    if isinstance(value, Media):
        return value
    if isinstance(value, list | tuple):
        items = [wrap(item) for item in cast("Sequence[Any]", value)]
        return MediaList([item for item in items if item is not None]) if items and None not in items else None
    kind = bare_kind(value)
    if kind in ("figure", "axes", "pillow"):
        return Image(value)
    if kind == "frame":
        from runhaven.media.table import Table

        return Table(dataframe=value)
    return Plotly(value) if kind == "plotly" else None
