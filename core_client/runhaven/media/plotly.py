"""Charts of plotly's, kept as their JSON."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, cast

from runhaven.errors import UsageError
from runhaven.media import filing
from runhaven.media.figure import figure_of
from runhaven.media.kind import Media, lenient
from runhaven.missing import require
from runhaven.rich import bare_kind

if TYPE_CHECKING:
    from runhaven.media.kind import Reference, Sink


class Plotly(Media):
    """A chart that can be zoomed and hovered over."""

    type_name = "plotly-file"
    list_type = "plotly"

    @lenient
    def __init__(self, val: Any, caption: str | None = None) -> None:
        """Take a figure; later changes do not reach it.

        Args:
            val: A figure of plotly's, one of matplotlib's (which plotly translates as well as it can), or the dict of a figure.
            caption: A line of text.
        """
        self.caption = caption
        kind = bare_kind(val)
        if kind in ("figure", "axes"):
            val = require("plotly.tools", feature="Plotly", package="plotly").mpl_to_plotly(figure_of(val))
        elif kind != "plotly" and not isinstance(val, dict):
            message = f"Plotly takes a figure of plotly's or matplotlib's, not {type(val).__name__}."
            raise UsageError(message)
        self._figure: dict[str, Any] = (
            copy.deepcopy(cast("dict[str, Any]", val)) if isinstance(val, dict) else val.to_dict()
        )

    def keep(self, sink: Sink) -> Reference:
        """Write the JSON."""
        text: str = require("plotly.io", feature="Plotly", package="plotly").to_json(self._figure, validate=False)
        return self.described(sink.put(text.encode("utf-8", "surrogatepass"), "plotly.json"))

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> Plotly:
        """Make the chart of its JSON."""
        return cls(filing.read_json(artifact, reference), caption=reference.get("caption"))
