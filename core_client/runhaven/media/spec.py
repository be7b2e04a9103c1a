"""Vega-Lite specifications of our charts, over data named "table"."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"


def _spec(title: str, mark: Any, encoding: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "$schema": _SCHEMA,
        "title": title,
        "data": {"name": "table"},
        "width": "container",
        "mark": mark,
        "encoding": encoding,
        **more,
    }


def _channel(name: str, kind: str, **more: Any) -> dict[str, Any]:
    # A dot or a bracket in a column's name would otherwise lead into the cell.
    escaped = name.replace("\\", "\\\\").replace(".", "\\.").replace("[", "\\[").replace("]", "\\]")
    return {"field": escaped, "type": kind, "title": name, **more}


def _bar(fields: Mapping[str, str], title: str) -> dict[str, Any]:
    label = _channel(fields["label"], "nominal", sort=None)
    return _spec(title, {"type": "bar", "tooltip": True}, {"y": label, "x": _channel(fields["value"], "quantitative")})


def _histogram(fields: Mapping[str, str], title: str) -> dict[str, Any]:
    bins = _channel(fields["value"], "quantitative", bin={"maxbins": 64})
    return _spec(title, {"type": "bar", "tooltip": True}, {"x": bins, "y": {"aggregate": "count"}})


def _line(fields: Mapping[str, str], title: str) -> dict[str, Any]:
    encoding = {"x": _channel(fields["x"], "quantitative"), "y": _channel(fields["y"], "quantitative")}
    if fields.get("stroke"):
        encoding["color"] = _channel(fields["stroke"], "nominal")
    return _spec(title, {"type": "line", "tooltip": True}, encoding)


def _line_series(fields: Mapping[str, str], title: str) -> dict[str, Any]:
    encoding = {
        "x": _channel(fields["step"], "quantitative"),
        "y": _channel(fields["lineVal"], "quantitative"),
        "color": _channel(fields["lineKey"], "nominal"),
    }
    return _spec(title, {"type": "line", "tooltip": True}, encoding)


def _scatter(fields: Mapping[str, str], title: str) -> dict[str, Any]:
    # Points show how two things go together, wherever they lie; Vega-Lite would begin both axes at zero.
    free = {"zero": False}
    encoding = {
        "x": _channel(fields["x"], "quantitative", scale=free),
        "y": _channel(fields["y"], "quantitative", scale=free),
    }
    return _spec(title, {"type": "point", "tooltip": True}, encoding)


def _curve(fields: Mapping[str, str], title: str) -> dict[str, Any]:
    """Draw a curve for each class over [0, 1] x [0, 1]; its points are in their order already."""
    unit = {"domain": [0, 1]}
    encoding = {
        "x": _channel(fields["x"], "quantitative", scale=unit),
        "y": _channel(fields["y"], "quantitative", scale=unit),
        "color": _channel(fields["class"], "nominal"),
        "order": {"value": None},
    }
    return _spec(title, {"type": "line", "tooltip": True}, encoding)


def _confusion_matrix(fields: Mapping[str, str], title: str) -> dict[str, Any]:
    count = _channel(fields["nPredictions"], "quantitative")
    encoding = {
        "x": _channel(fields["Predicted"], "nominal", sort=None),
        "y": _channel(fields["Actual"], "nominal", sort=None),
    }
    layers = [
        # The numbers stand in the cells, which need the room of a legend.
        {"mark": {"type": "rect", "tooltip": True}, "encoding": {"color": {**count, "legend": None}}},
        {"mark": "text", "encoding": {"text": count}},
    ]
    found = _spec(title, None, encoding, layer=layers)
    del found["mark"]
    return found


_SPECS: dict[str, Callable[[Mapping[str, str], str], dict[str, Any]]] = {
    "bar": _bar,
    "histogram": _histogram,
    "line": _line,
    "lineseries": _line_series,
    "scatter": _scatter,
    "curve": _curve,
    "confusion_matrix": _confusion_matrix,
}


def resolve(name: str, fields: Mapping[str, str], title: str) -> dict[str, Any] | None:
    """Return the specification that a name such as "runhaven/bar/v0", or W&B's "wandb/bar/v0", stands for; None for others."""
    owner, _, rest = name.partition("/")
    make = _SPECS.get(rest.partition("/")[0]) if owner in ("runhaven", "wandb") else None
    try:
        return None if make is None else make(fields, title)
    except KeyError:
        return None
