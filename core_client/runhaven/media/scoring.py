"""What a classifier's answers come to: confusion counts, precision and recall, true and false positives. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.errors import UsageError
from runhaven.media.source import hold
from runhaven.missing import require

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAT = 2


class Curve(NamedTuple):
    """A curve of one class.

    Attributes:
        name: The class.
        x: From left to right.
        y: As many.
    """

    name: str
    x: list[float]
    y: list[float]


def array_of(values: Any, name: str) -> Any:
    """Return values as an array of NumPy's.

    Raises:
        UsageError: If they are none.
    """
    held = None if values is None else hold(values)
    if held is None:
        message = f"{name} takes a list, an array or a tensor, not {type(values).__name__}."
        raise UsageError(message)
    return held.array()


def confusion(true: Any, predicted: Any, class_names: Sequence[str] | None) -> list[list[Any]]:
    """Count how often each class was taken for each.

    Args:
        true: The classes, as numbers or names.
        predicted: What they were taken for.
        class_names: The names, by number or in the order wanted.

    Returns:
        Rows of actual class, predicted class and count, for every pair.

    Raises:
        UsageError: If the two differ in length, or a class has no name.
    """
    actual, guessed = [array_of(one, name).ravel().tolist() for one, name in ((true, "y_true"), (predicted, "preds"))]
    if len(actual) != len(guessed):
        message = f"y_true has {len(actual)} classes and the predictions {len(guessed)}; they must be as many."
        raise UsageError(message)
    places, names = _places({*actual, *guessed}, class_names)
    counts = [[0] * len(names) for _ in names]
    for one, other in zip(actual, guessed, strict=True):
        counts[places[one]][places[other]] += 1
    return [[names[i], names[j], counts[i][j]] for i in range(len(names)) for j in range(len(names))]


def _places(classes: set[Any], class_names: Sequence[str] | None) -> tuple[dict[Any, int], list[str]]:
    """Return the place of each class, and the names by place."""
    if all(isinstance(one, int | float) and one >= 0 and one == int(one) for one in classes):
        names = _names(class_names, int(max(classes, default=-1)) + 1)
        return {one: int(one) for one in classes}, names
    if class_names is not None:
        names = [str(name) for name in class_names]
        if unknown := {str(one) for one in classes} - set(names):
            message = f"class_names lacks {', '.join(sorted(unknown))}."
            raise UsageError(message)
        return {one: names.index(str(one)) for one in classes}, names
    ordered = sorted(classes, key=str)
    return {one: place for place, one in enumerate(ordered)}, [str(one) for one in ordered]


def _names(class_names: Sequence[str] | None, count: int) -> list[str]:
    if class_names is None:
        return [f"Class_{place}" for place in range(count)]
    if len(class_names) < count:
        message = f"class_names has {len(class_names)} names, and there are {count} classes."
        raise UsageError(message)
    return [str(name) for name in class_names]


def roc(true: Any, scores: Any, labels: Sequence[str] | None, wanted: Sequence[Any] | None) -> list[Curve]:
    """Return the rate of false (x) and true (y) positives of each class."""
    np = require("numpy", feature="roc_curve")
    curves: list[Curve] = []
    for name, is_class, score in _each_class(true, scores, labels, wanted):
        hits, false = _cumulated(is_class, score)
        x, y = false / max(1, int((~is_class).sum())), hits / max(1, int(is_class.sum()))
        keep = np.ones(len(x), bool)
        # What lies on a straight line between its neighbours adds nothing.
        keep[1:-1] = (np.diff(x, 2) != 0) | (np.diff(y, 2) != 0)
        curves.append(Curve(name, [0.0, *x[keep].tolist()], [0.0, *y[keep].tolist()]))
    return curves


def precision_recall(
    true: Any, scores: Any, labels: Sequence[str] | None, wanted: Sequence[Any] | None, *, points: int
) -> list[Curve]:
    """Return the best precision (y) of each class at a recall (x) of at least so much."""
    np = require("numpy", feature="pr_curve")
    recalls = np.linspace(0, 1, points)
    curves: list[Curve] = []
    for name, is_class, score in _each_class(true, scores, labels, wanted):
        hits, false = _cumulated(is_class, score)
        recall, precision = hits / max(1, int(is_class.sum())), hits / (hits + false)
        best = np.maximum.accumulate(precision[::-1])[::-1]
        at = np.searchsorted(recall, recalls - 1e-12)
        curves.append(
            Curve(name, recalls.tolist(), np.where(at < len(best), best[at.clip(max=len(best) - 1)], 0.0).tolist())
        )
    return curves


def _cumulated(is_class: Any, score: Any) -> tuple[Any, Any]:
    """Return how many of the class, and how many others, reach each distinct score, the greatest first."""
    np = require("numpy", feature="a curve")
    order = np.argsort(-score, kind="stable")
    ordered, found = score[order], is_class[order]
    ends = np.append(np.nonzero(np.diff(ordered))[0], len(ordered) - 1)
    hits = np.cumsum(found)[ends]
    return hits, ends + 1 - hits


def _each_class(
    true: Any, scores: Any, labels: Sequence[str] | None, wanted: Sequence[Any] | None
) -> list[tuple[str, Any, Any]]:
    """Return name, members and scores of each class.

    Raises:
        UsageError: If shapes do not fit, or a score is no number.
    """
    np = require("numpy", feature="a curve")
    classes, table = array_of(true, "y_true").ravel(), np.asarray(array_of(scores, "y_probas"), dtype=float)
    if table.ndim == 1:
        table = np.stack([1 - table, table], axis=1)
    if table.ndim != _FLAT or len(table) != len(classes) or not len(classes) or np.isnan(table).any():
        message = (
            f"y_probas of shape {table.shape} does not fit {len(classes)} classes; pass a row of numbers for each."
        )
        raise UsageError(message)
    present = np.unique(classes)
    is_index = classes.dtype.kind in "iu" and present.min() >= 0 and present.max() < table.shape[1]
    found: list[tuple[str, Any, Any]] = []
    for place, one in enumerate(present.tolist()):
        column = int(one) if is_index else place
        if column >= table.shape[1] or (wanted is not None and one not in list(wanted)):
            continue
        name = str(labels[column]) if labels is not None and column < len(labels) else str(one)
        found.append((name, classes == one, table[:, column]))
    return found
