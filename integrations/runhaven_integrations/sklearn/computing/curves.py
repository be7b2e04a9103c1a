"""Curves of a classifier over its thresholds: ROC, precision and recall, detection errors, calibration.

One class against all others, for each class; the definitions are those of `sklearn.metrics`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.errors import UsageError
from runhaven_integrations.sklearn.computing.answers import class_names
from runhaven_integrations.sklearn.framework import calibration as sklearn_calibration
from runhaven_integrations.sklearn.framework import metrics, np

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAT = 1
_MOST_POINTS = 1000


class Curve(NamedTuple):
    """One line of a chart.

    Attributes:
        name: Its class, "micro" or "macro".
        x: From left to right as the curve runs.
        y: As many.
        area: The number that sums it up: the area under a ROC curve, the average precision, the Brier score; None if it has none.
    """

    name: str
    x: Any
    y: Any
    area: float | None = None


class Binary(NamedTuple):
    """One class against all others.

    Attributes:
        name: The class.
        is_class: Whether each example belongs to it, (n,).
        score: How much the model thinks so, (n,).
        weight: The weight of each example, (n,), or None.
    """

    name: str
    is_class: Any
    score: Any
    weight: Any


def one_against_others(
    y_true: Any,
    y_probas: Any,
    labels: Sequence[Any] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    sample_weight: Any = None,
) -> list[Binary]:
    """Split what a classifier answered into a question for each class.

    Args:
        y_true: The classes, (n,).
        y_probas: Scores, (n, classes) in the order of the sorted classes; (n,) or (n, 2) of two classes, where only the
            second one is asked for.
        labels: The names of the classes, in their order.
        classes_to_plot: Only these classes.
        sample_weight: The weight of each example, (n,).

    Raises:
        UsageError: If the shapes do not fit.
    """
    true, scores = np.asarray(y_true).ravel(), np.asarray(y_probas, dtype=float)
    classes = np.unique(true)
    if scores.ndim == _FLAT:
        scores = scores[:, None]
    if len(scores) != len(true) or not len(true):
        message = f"y_probas has {len(scores)} rows for {len(true)} classes in y_true; pass a row for each."
        raise UsageError(message)
    is_binary = scores.shape[1] <= 2 and len(classes) <= 2  # noqa: PLR2004 - two classes
    if not is_binary and scores.shape[1] < len(classes):
        message = f"y_probas has {scores.shape[1]} columns, and y_true {len(classes)} classes."
        raise UsageError(message)
    columns = [len(classes) - 1] if is_binary else range(len(classes))
    wanted = None if classes_to_plot is None else list(classes_to_plot)
    names = class_names(classes, labels)
    return [
        Binary(names[at], true == classes[at], scores[:, -1 if is_binary else at], _weights(sample_weight))
        for at in columns
        if wanted is None or classes[at] in wanted
    ]


def _weights(sample_weight: Any) -> Any:
    return None if sample_weight is None else np.asarray(sample_weight, dtype=float).ravel()


def _pooled(questions: Sequence[Binary]) -> Binary:
    """Return all questions as one: the micro average."""
    weights = None if questions[0].weight is None else np.concatenate([one.weight for one in questions])
    pooled = [np.concatenate(parts) for parts in ([q.is_class for q in questions], [q.score for q in questions])]
    return Binary("micro", pooled[0], pooled[1], weights)


def roc(questions: Sequence[Binary], *, has_micro: bool = True, has_macro: bool = True) -> list[Curve]:
    """Return the rate of true positives (y) over that of false ones (x), with the area under it.

    "micro" takes all questions together; "macro" is the mean of the curves at each rate of false positives.
    """
    found = [_roc(one) for one in questions]
    several = len(found) > 1
    if several and has_macro:
        found.append(_mean(found))
    if several and has_micro:
        found.append(_roc(_pooled(questions)))
    return [_thinned(curve) for curve in found]


def _mean(found: Sequence[Curve]) -> Curve:
    """Return the mean of curves at each x, before and after they rise there; its area is the mean of their areas."""
    grid = np.unique(np.concatenate([curve.x for curve in found]))
    heights = np.mean([_heights(curve, grid) for curve in found], axis=0)
    x, y = np.repeat(grid, 2), heights.ravel()
    return Curve("macro", x, y, float(metrics.auc(x, y)))


def _heights(curve: Curve, grid: Any) -> Any:
    """Return where a curve arrives at each x, and from where it goes on, (x, 2)."""
    knots, first = np.unique(curve.x, return_index=True)
    arrives, leaves = curve.y[first], curve.y[np.append(first[1:], len(curve.y)) - 1]
    place = np.searchsorted(knots, grid)
    before = np.maximum(place - 1, 0)
    width = np.where(place > before, knots[place] - knots[before], 1.0)
    between = leaves[before] + (arrives[place] - leaves[before]) * (grid - knots[before]) / width
    is_knot = knots[place] == grid
    return np.stack([np.where(is_knot, arrives[place], between), np.where(is_knot, leaves[place], between)], axis=1)


def _roc(one: Binary) -> Curve:
    _need_both(one, "a ROC curve")
    x, y, _ = metrics.roc_curve(one.is_class, one.score, sample_weight=one.weight)
    return Curve(one.name, x, y, float(metrics.auc(x, y)))


def precision_recall(questions: Sequence[Binary], *, has_micro: bool = True) -> list[Curve]:
    """Return the precision (y) over the recall (x), with the average precision; "micro" takes all questions together."""
    asked = [*questions, _pooled(questions)] if has_micro and len(questions) > 1 else questions
    return [_thinned(_precision_recall(one)) for one in asked]


def _precision_recall(one: Binary) -> Curve:
    precision, recall, _ = metrics.precision_recall_curve(one.is_class, one.score, sample_weight=one.weight)
    average = metrics.average_precision_score(one.is_class, one.score, sample_weight=one.weight)
    return Curve(one.name, recall[::-1], precision[::-1], float(average))


def detection_errors(questions: Sequence[Binary]) -> list[Curve]:
    """Return the rate of misses (y) over that of false alarms (x): detection error tradeoff."""
    found: list[Curve] = []
    for one in questions:
        _need_both(one, "a DET curve")
        alarms, misses, _ = metrics.det_curve(one.is_class, one.score, sample_weight=one.weight)
        found.append(_thinned(Curve(one.name, alarms[::-1], misses[::-1])))
    return found


def calibration(
    questions: Sequence[Binary], *, bins: int = 10, strategy: str = "uniform"
) -> list[tuple[Curve, list[int]]]:
    """Return how often a class was right (y) where the model gave it a probability (x), and how many examples each point has.

    Args:
        questions: One class against all others; the scores are probabilities.
        bins: Into how many parts the probabilities are put.
        strategy: "uniform" parts of one width, or "quantile" of one number of examples.

    Raises:
        UsageError: If a score is no probability.
    """
    found: list[tuple[Curve, list[int]]] = []
    for one in questions:
        if one.score.min() < 0 or one.score.max() > 1:
            message = "a calibration curve takes probabilities from 0 to 1; use a model that has predict_proba()."
            raise UsageError(message)
        share, mean = sklearn_calibration.calibration_curve(one.is_class, one.score, n_bins=bins, strategy=strategy)
        brier = metrics.brier_score_loss(one.is_class, one.score, sample_weight=one.weight)
        found.append((Curve(one.name, mean, share, float(brier)), _counts(one.score, bins, strategy)))
    return found


def _counts(score: Any, bins: int, strategy: str) -> list[int]:
    """Count the examples of each point of `calibration_curve`, which leaves out parts without any."""
    parts = np.linspace(0.0, 1.0, bins + 1)
    edges = np.percentile(score, parts * 100) if strategy == "quantile" else parts
    counts = np.bincount(np.searchsorted(edges[1:-1], score), minlength=bins)
    return counts[counts > 0].tolist()


def _need_both(one: Binary, what: str) -> None:
    if one.is_class.all() or not one.is_class.any():
        message = f"{what} needs examples in and outside of class {one.name}."
        raise UsageError(message)


def _thinned(curve: Curve) -> Curve:
    """Leave out points of a long curve that lie close together; its ends stay."""
    if len(curve.x) <= _MOST_POINTS:
        return curve
    length = np.append(0.0, np.cumsum(np.abs(np.diff(curve.x)) + np.abs(np.diff(curve.y))))
    places = np.unique(np.searchsorted(length, np.linspace(0, length[-1], _MOST_POINTS)))
    return curve._replace(x=curve.x[places], y=curve.y[places])
