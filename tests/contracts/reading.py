"""Reads back what a training logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

import runhaven

if TYPE_CHECKING:
    from contracts.case import Point


def the_run(project: str = "p") -> runhaven.api.Run:
    """Return the only run of a project."""
    (run,) = runhaven.Api().runs(project)
    return run


def points(run: runhaven.api.Run, *, media: str = "_") -> list[Point]:
    """Return all that its rows hold, which has to be numbers but below a beginning of keys that stand for media."""
    return [
        (key, row["_step"], float(value))
        for row in run.scan_history()
        for key, value in row.items()
        if not key.startswith(("_", media))
    ]
