"""How values look in a terminal."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

GLYPHS = {
    "running": ("●", "blue"),
    "finished": ("✓", "green"),
    "failed": ("✗", "red"),
    "crashed": ("◆", "red"),
    "killed": ("■", "yellow"),
    "preempted": ("■", "yellow"),
    "lost": ("?", "yellow"),
}
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_KILO = 1024


def state_mark(state: str) -> str:
    """Return a state with its glyph, in its colour."""
    glyph, colour = GLYPHS[state]
    return click.style(f"{glyph} {state}", fg=colour)


def duration(seconds: float) -> str:
    """Return seconds as people say them, such as "3h 12m"."""
    if seconds < _MINUTE:
        return f"{seconds:.1f}s" if seconds < 10 else f"{seconds:.0f}s"  # noqa: PLR2004 - one digit more for short times
    if seconds < _HOUR:
        return f"{seconds // _MINUTE:.0f}m {seconds % _MINUTE:02.0f}s"
    if seconds < _DAY:
        return f"{seconds // _HOUR:.0f}h {seconds % _HOUR // _MINUTE:02.0f}m"
    return f"{seconds // _DAY:.0f}d {seconds % _DAY // _HOUR:02.0f}h"


def ago(time_us: int) -> str:
    """Return how long ago a time was, given in microseconds since the epoch."""
    return f"{duration(max(0.0, time.time() - time_us / 1e6)).split()[0]} ago"


def size(count: float) -> str:
    """Return bytes as people say them."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < _KILO:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= _KILO
    return f"{count:.1f} TB"


def number(value: object) -> str:
    """Return a value of a summary or a configuration in few characters."""
    if isinstance(value, bool) or value is None:
        return str(value).lower() if value is not None else "-"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)  # noqa: PLR2004 - years and ids stay as they are
    if isinstance(value, float):
        return f"{value:.4g}" if math.isfinite(value) else str(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def table(rows: Sequence[Sequence[str]], *, head: Sequence[str] = (), right: Sequence[int] = ()) -> str:
    """Return rows as aligned columns.

    Args:
        rows: Cells; they may hold colours.
        head: Titles of the columns.
        right: Which columns are aligned to the right.
    """
    titled = [[click.style(title, dim=True) for title in head], *rows] if head else list(rows)
    widths = [max(len(click.unstyle(row[at])) for row in titled) for at in range(len(titled[0]))] if titled else []
    lines: list[str] = []
    for row in titled:
        cells: list[str] = []
        for at, text in enumerate(row):
            space = " " * (widths[at] - len(click.unstyle(text)))
            cells.append(space + text if at in right else text + space)
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def echo_json(data: Any) -> None:
    """Print data as JSON; non-finite numbers as strings, so that every reader accepts it."""
    click.echo(json.dumps(_finite(data), indent=2, ensure_ascii=False, default=str))


def _finite(data: Any) -> Any:
    if isinstance(data, float) and not math.isfinite(data):
        return "NaN" if math.isnan(data) else "Infinity" if data > 0 else "-Infinity"
    if isinstance(data, dict):
        return {str(key): _finite(value) for key, value in data.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]  # pyright: ignore[reportUnknownVariableType]
    return data
