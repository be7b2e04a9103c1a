"""Charts of classifiers: each computes its table and says how it is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven.media import plot
from runhaven.media.table import Table
from runhaven_integrations.sklearn.computing import answers, curves
from runhaven_integrations.sklearn.computing.estimator import fitted, scores_of, unwrapped
from runhaven_integrations.sklearn.computing.importance import importances as importances_of
from runhaven_integrations.sklearn.plots import spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from runhaven.media.chart import CustomChart
    from runhaven_integrations.sklearn.computing.answers import Normalize
    from runhaven_integrations.sklearn.computing.curves import Binary, Curve


def chart(columns: Sequence[str], rows: Iterable[Sequence[Any]], drawn: dict[str, Any]) -> CustomChart:
    """Return a chart of some rows."""
    table = Table(columns=list(columns), data=[list(row) for row in rows])
    return plot.plot_table(drawn, table, {name: name for name in columns})


def _curves(
    found: Sequence[Curve], names: tuple[str, str], title: str, word: str, *guides: dict[str, Any]
) -> CustomChart:
    """Draw curves over [0, 1] x [0, 1], whose areas stand in the legend."""
    rows = [
        (legend(curve, word), x, y) for curve in found for x, y in zip(curve.x.tolist(), curve.y.tolist(), strict=True)
    ]
    encoding = {"x": spec.unit(names[0]), "y": spec.unit(names[1]), "color": spec.category("class")}
    return chart(("class", *names), rows, spec.layered(title, encoding, spec.path(), *guides))


def legend(curve: Curve, word: str) -> str:
    """Return what stands for a curve in the legend."""
    return curve.name if curve.area is None else f"{curve.name} ({word} {curve.area:.3f})"


def roc(questions: Sequence[Binary], *, has_micro: bool, has_macro: bool) -> CustomChart:
    """Draw the rate of true positives over that of false ones."""
    found = curves.roc(questions, has_micro=has_micro, has_macro=has_macro)
    names = "false positive rate", "true positive rate"
    return _curves(found, names, "ROC", "AUC", spec.guide((0, 0), (1, 1)))


def precision_recall(questions: Sequence[Binary], *, has_micro: bool) -> CustomChart:
    """Draw the precision over the recall."""
    found = curves.precision_recall(questions, has_micro=has_micro)
    return _curves(found, ("recall", "precision"), "Precision and recall", "AP")


def detection_errors(questions: Sequence[Binary]) -> CustomChart:
    """Draw the rate of misses over that of false alarms."""
    names = "false positive rate", "false negative rate"
    return _curves(curves.detection_errors(questions), names, "Detection error tradeoff", "")


def calibration(
    model: Any, features: Any, target: Any, name: str, *, bins: int = 10, sample_weight: Any = None
) -> CustomChart:
    """Draw how often a class was right over the probability that a fitted model gave it."""
    model = fitted(model, "a calibration curve")
    questions = curves.one_against_others(target, scores_of(model, features), sample_weight=sample_weight)
    columns = "model", "mean predicted probability", "share of the class", "examples"
    rows = [
        (f"{name} {legend(curve, 'Brier')}", x, y, count)
        for curve, counts in curves.calibration(questions, bins=bins)
        for x, y, count in zip(curve.x.tolist(), curve.y.tolist(), counts, strict=True)
    ]
    encoding = {"x": spec.unit(columns[1]), "y": spec.unit(columns[2]), "color": spec.category("model")}
    points = spec.mark("point", filled=True)
    points["encoding"] = {"size": spec.quantity("examples", legend=None)}
    return chart(columns, rows, spec.layered("Calibration", encoding, spec.path(), points, spec.guide((0, 0), (1, 1))))


def confusion(  # noqa: PLR0913 - those of the computation
    y_true: Any,
    y_pred: Any,
    labels: Sequence[Any] | None,
    *,
    true_labels: Sequence[Any] | None,
    pred_labels: Sequence[Any] | None,
    normalize: Normalize | bool,
    sample_weight: Any,
) -> CustomChart:
    """Draw how often each class was taken for each."""
    rows = answers.confusion(
        y_true, y_pred, labels, true_labels=true_labels, pred_labels=pred_labels, normalize=normalize, sample_weight=sample_weight,
    )  # fmt: skip
    table = Table(columns=["Actual", "Predicted", "nPredictions"], data=[list(row) for row in rows])
    fields = {name: name for name in ("Actual", "Predicted", "nPredictions")}
    return plot.plot_table("runhaven/confusion_matrix/v0", table, fields, {"title": "Confusion matrix"})


def proportions(y_train: Any, y_test: Any, labels: Sequence[Any] | None) -> CustomChart:
    """Draw how many examples each class has."""
    columns = "class", "dataset", "count"
    encoding = {
        "x": spec.category("class"),
        "y": spec.quantity("count"),
        "color": spec.category("dataset"),
        "xOffset": spec.category("dataset"),
    }
    rows = answers.proportions(y_train, y_test, labels)
    return chart(columns, rows, spec.layered("Class proportions", encoding, spec.mark("bar")))


def has_importances(model: Any) -> bool:
    """Tell whether a fitted model says what it makes of each feature."""
    _, last = unwrapped(model)
    return hasattr(last, "feature_importances_") or hasattr(last, "coef_")


def importances(
    model: Any, feature_names: Sequence[Any] | None, title: str, most: int, features: Any = None
) -> CustomChart:
    """Draw how much a fitted model makes of each feature."""
    _, last = unwrapped(fitted(model, "feature importances"))
    what = "importance" if hasattr(last, "feature_importances_") else "coefficient"
    found = importances_of(model, feature_names, features, most=most)
    columns = "feature", what, "low", "high"
    rows = [(one.name, one.value, one.value - one.spread, one.value + one.spread) for one in found]
    spread = {
        "mark": {"type": "rule"},
        "encoding": {"x": spec.quantity("low", what), "x2": {"field": "high"}},
    }
    bars = {"mark": {"type": "bar", "tooltip": True}, "encoding": {"x": spec.quantity(what)}}
    layers = (bars, spread) if any(one.spread for one in found) else (bars,)
    return chart(
        columns, rows, spec.layered(title, {"y": spec.category("feature", axis={"labelOverlap": True})}, *layers)
    )


def summary(found: dict[str, dict[str, float]]) -> CustomChart:
    """Draw the numbers that sum up a model, by the data that they are of."""
    rows = [(name, part, value) for part, values in found.items() for name, value in values.items()]
    encoding = {
        "x": spec.quantity("value"),
        "y": spec.category("metric"),
        "color": spec.category("dataset"),
        "yOffset": spec.category("dataset"),
    }
    return chart(("metric", "dataset", "value"), rows, spec.layered("Summary metrics", encoding, spec.mark("bar")))
