"""Vega-Lite specifications of the plots, over data named "table"."""

from __future__ import annotations

from typing import Any

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_UNIT = {"domain": [0, 1]}
_GUIDE = {"type": "line", "strokeDash": [4, 4], "color": "gray", "strokeWidth": 1}


def quantity(name: str, title: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a channel of numbers."""
    return {"field": name, "type": "quantitative", "title": title or name, **more}


def category(name: str, title: str | None = None, **more: Any) -> dict[str, Any]:
    """Return a channel of names, in the order of the rows."""
    return {"field": name, "type": "nominal", "title": title or name, "sort": None, **more}


def unit(name: str, title: str | None = None) -> dict[str, Any]:
    """Return a channel of numbers from 0 to 1."""
    return quantity(name, title, scale=_UNIT)


def layered(title: str, encoding: dict[str, Any], *layers: dict[str, Any]) -> dict[str, Any]:
    """Return a chart whose layers share channels."""
    return {
        "$schema": _SCHEMA,
        "title": title,
        "data": {"name": "table"},
        "width": "container",
        "encoding": encoding,
        "layer": list(layers),
    }


def mark(kind: str, **more: Any) -> dict[str, Any]:
    """Return a layer of marks that say what they stand for when pointed at."""
    return {"mark": {"type": kind, "tooltip": True, **more}}


def path() -> dict[str, Any]:
    """Return a layer that draws lines through the rows in their order."""
    return {"mark": {"type": "line", "tooltip": True}, "encoding": {"order": {"value": None}}}


def guide(start: tuple[float, float], end: tuple[float, float]) -> dict[str, Any]:
    """Return a layer with a dashed line between two points."""
    points = [{"x": x, "y": y} for x, y in (start, end)]
    encoding = {"x": {"field": "x", "type": "quantitative"}, "y": {"field": "y", "type": "quantitative"}}
    # Without a colour of its own, the line would be looked up in the legend of the others.
    return {"data": {"values": points}, "mark": _GUIDE, "encoding": encoding | {"color": {"value": "gray"}}}


def level(value: float, channel: str = "y") -> dict[str, Any]:
    """Return a layer with a dashed line at one height, or one place."""
    rule = {"type": "rule", "strokeDash": [4, 4], "color": "gray"}
    other = "x" if channel == "y" else "y"
    return {"data": {"values": [{}]}, "mark": rule, "encoding": {channel: {"datum": value}, other: None, "color": None}}
