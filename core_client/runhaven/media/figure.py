"""Figures of matplotlib's as pixels."""

from __future__ import annotations

import sys
from typing import Any

from runhaven.missing import require
from runhaven.rich import bare_kind


def figure_of(value: Any) -> Any:
    """Return the figure that is meant: one, that of axes, or the one that pyplot is at."""
    if bare_kind(value) == "axes":
        return value.get_figure()
    return value.gcf() if value is sys.modules.get("matplotlib.pyplot") else value


def draw(figure: Any) -> Any:
    """Return a figure as an array of pixels with alpha, for which it is drawn anew.

    Drawn where it is logged, and not encoded there: matplotlib may be used by one thread at a time, and a figure changes
    with the next call of `plot`.
    """
    numpy = require("numpy", feature="a figure as media")
    agg = require("matplotlib.backends.backend_agg", feature="a figure as media", package="matplotlib")
    before = figure.canvas
    try:
        canvas = agg.FigureCanvasAgg(figure)
        canvas.draw()
        return numpy.asarray(canvas.buffer_rgba())
    finally:
        figure.set_canvas(before)
