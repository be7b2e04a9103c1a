"""Charts of regressors, of clusterings, and of what models of any kind depend on."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from runhaven_integrations.sklearn.computing import errors
from runhaven_integrations.sklearn.computing.estimator import fitted
from runhaven_integrations.sklearn.framework import np
from runhaven_integrations.sklearn.plots import spec
from runhaven_integrations.sklearn.plots.of_classifiers import chart

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven.media.chart import CustomChart
    from runhaven_integrations.sklearn.computing import clusters, inspection
    from runhaven_integrations.sklearn.computing.learning import Scores

_MOST_POINTS = 5000
"""A chart of more points is a cloud in which none can be told from the next, and slow."""


def _parts(model: Any, features: Any, target: Any, test: tuple[Any, Any] | None, doing: str) -> list[errors.Residuals]:
    model = fitted(model, doing)
    found = [errors.residuals(model, features, target)]
    return found if test is None else [*found, errors.residuals(model, *test, part="test")]


def _thinned(found: errors.Residuals) -> errors.Residuals:
    """Keep an even choice of many examples, in their order."""
    if len(found.actual) <= _MOST_POINTS:
        return found
    places = np.linspace(0, len(found.actual) - 1, _MOST_POINTS).astype(int)
    return found._replace(predicted=found.predicted[places], actual=found.actual[places])


def _named(found: errors.Residuals) -> str:
    return f"{found.part} (R² {found.r2:.3f})"


def residuals(model: Any, features: Any, target: Any, test: tuple[Any, Any] | None = None) -> CustomChart:
    """Draw how far off a fitted regressor is over what it says."""
    found = [_thinned(one) for one in _parts(model, features, target, test, "residuals")]
    rows = chain.from_iterable(
        ((_named(one), x, y) for x, y in zip(one.predicted.tolist(), one.values.tolist(), strict=True)) for one in found
    )
    encoding = {
        "x": spec.quantity("predicted", scale={"zero": False}),
        "y": spec.quantity("residual", "actual - predicted"),
        "color": spec.category("dataset"),
    }
    drawn = spec.layered("Residuals", encoding, spec.mark("point"), spec.level(0))
    return chart(("dataset", "predicted", "residual"), rows, drawn)


def prediction_error(model: Any, features: Any, target: Any, test: tuple[Any, Any] | None = None) -> CustomChart:
    """Draw what a fitted regressor says over what is true."""
    found = [_thinned(one) for one in _parts(model, features, target, test, "prediction errors")]
    rows = chain.from_iterable(
        ((_named(one), x, y) for x, y in zip(one.actual.tolist(), one.predicted.tolist(), strict=True)) for one in found
    )
    ends = [float(end(np.concatenate([one.actual for one in found]))) for end in (np.min, np.max)]
    encoding = {
        "x": spec.quantity("actual", scale={"zero": False}),
        "y": spec.quantity("predicted", scale={"zero": False}),
        "color": spec.category("dataset"),
    }
    line = spec.guide((ends[0], ends[0]), (ends[1], ends[1]))
    drawn = spec.layered("Prediction error", encoding, spec.mark("point"), line)
    return chart(("dataset", "actual", "predicted"), rows, drawn)


def outliers(model: Any, features: Any, target: Any) -> CustomChart:
    """Draw how much each example bends a linear fit, and above which line that is much."""
    found = errors.influence(fitted(model, "outlier candidates"), features, target)
    many = int((found.distance > found.threshold).sum())
    encoding = {
        "x": spec.quantity("example"),
        "y": spec.quantity("Cook's distance"),
        "color": {**spec.category("candidate"), "legend": None},
    }
    bars = {"mark": {"type": "rule", "tooltip": True}}
    title = f"Outlier candidates: {many} of {len(found.distance)}"
    rows = (
        (place, distance, "yes" if distance > found.threshold else "no")
        for place, distance in enumerate(found.distance.tolist())
    )
    drawn = spec.layered(title, encoding, bars, spec.level(found.threshold))
    return chart(("example", "Cook's distance", "candidate"), rows, drawn)


def scores(found: Sequence[Scores], x: str, title: str) -> CustomChart:
    """Draw mean scores with a band of one standard deviation."""
    columns = (x, "dataset", "score", "low", "high")
    rows = [(one.x, one.part, one.mean, one.mean - one.spread, one.mean + one.spread) for one in found]
    is_number = all(isinstance(one.x, int | float) for one in found)
    encoding = {"x": (spec.quantity if is_number else spec.category)(x), "color": spec.category("dataset")}
    band = {
        "mark": {"type": "area", "opacity": 0.2},
        "encoding": {"y": spec.quantity("low", "score", scale={"zero": False}), "y2": {"field": "high"}},
    }
    line = spec.mark("line", point=True)
    line["encoding"] = {"y": spec.quantity("score", scale={"zero": False})}
    return chart(columns, rows, spec.layered(title, encoding, band, line))


def elbow(found: Sequence[clusters.Elbow], *, has_time: bool) -> CustomChart:
    """Draw how compact clusters are over their number."""
    encoding = {"x": spec.quantity("clusters", axis={"tickMinStep": 1})}
    inertia = spec.mark("line", point=True)
    inertia["encoding"] = {"y": spec.quantity("inertia", scale={"zero": False})}
    layers = [inertia]
    if has_time:
        took = spec.mark("line", strokeDash=[4, 4], opacity=0.6, color="gray")
        took["encoding"] = {"y": spec.quantity("seconds", "seconds of a fit", axis={"orient": "right"})}
        layers.append(took)
    drawn = spec.layered("Elbow", encoding, *layers) | {"resolve": {"scale": {"y": "independent"}}}
    return chart(("clusters", "inertia", "seconds"), found, drawn)


def silhouette(found: Sequence[clusters.Silhouette], mean: float) -> CustomChart:
    """Draw how much closer each example is to its own cluster than to the next one."""
    bars = {"mark": {"type": "bar", "tooltip": True}}
    encoding = {
        "x": spec.quantity("silhouette"),
        "y": {"field": "place", "type": "ordinal", "axis": None},
        "color": spec.category("cluster"),
    }
    drawn = spec.layered(f"Silhouette, mean {mean:.3f}", encoding, bars, spec.level(mean, "x"))
    return chart(("place", "cluster", "silhouette"), found, drawn)


def dependence(found: Sequence[inspection.Dependence]) -> CustomChart:
    """Draw what a model answers on average over each feature, side by side."""
    rows = [(one.feature, one.output or "mean", x, y) for one in found for x, y in zip(one.x, one.y, strict=True)]
    drawn = {
        **spec.layered("Partial dependence", {}),
        "mark": {"type": "line", "tooltip": True},
        "encoding": {
            "x": spec.quantity("value", scale={"zero": False}),
            "y": spec.quantity("answer", "mean answer", scale={"zero": False}),
            "color": spec.category("output"),
            "facet": {**spec.category("feature"), "columns": 3},
        },
        "resolve": {"scale": {"x": "independent"}},
    }
    del drawn["layer"], drawn["width"]
    return chart(("feature", "output", "value", "answer"), rows, drawn)


def boundary(found: inspection.Plane, features: Any, target: Any) -> CustomChart:
    """Draw what a model answers over two features, with the data on it."""
    across, up = found.step
    table = np.asarray(features, dtype=float)
    cells = zip(found.x.tolist(), found.y.tolist(), found.answer, strict=True)
    rows: list[Any] = [
        ("answer", x - across / 2, x + across / 2, y - up / 2, y + up / 2, str(one)) for x, y, one in cells
    ]
    points = zip(table[:, 0].tolist(), table[:, 1].tolist(), np.asarray(target).ravel().tolist(), strict=True)
    rows += [("example", x, x, y, y, str(one)) for x, y, one in points]
    columns = ("kind", "x", "x2", "y", "y2", "class")
    x, y = (
        spec.quantity(name, title, scale={"zero": False}) for name, title in zip(("x", "y"), found.names, strict=True)
    )
    encoding = {"x": x, "y": y, "color": spec.category("class")}
    tiles = {
        "transform": [{"filter": "datum.kind == 'answer'"}],
        "mark": {"type": "rect", "opacity": 0.35},
        "encoding": {"x2": {"field": "x2"}, "y2": {"field": "y2"}},
    }
    dots = {
        "transform": [{"filter": "datum.kind == 'example'"}],
        "mark": {"type": "point", "filled": True, "tooltip": True, "stroke": "white", "strokeWidth": 0.5},
    }
    return chart(columns, rows, spec.layered("Decision boundary", encoding, tiles, dots))
