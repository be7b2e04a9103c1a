"""What a classifier's answers come to: confusion counts, the shares of classes, numbers that sum a model up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from runhaven.errors import UsageError
from runhaven_integrations.sklearn.computing.estimator import kind_of
from runhaven_integrations.sklearn.framework import metrics, np

if TYPE_CHECKING:
    from collections.abc import Sequence

Normalize = Literal["true", "pred", "all"]
Row = tuple[str, str, float]


def confusion(  # noqa: PLR0913 - W&B's arguments, and weights
    y_true: Any,
    y_pred: Any,
    labels: Sequence[Any] | None = None,
    *,
    true_labels: Sequence[Any] | None = None,
    pred_labels: Sequence[Any] | None = None,
    normalize: Normalize | bool = False,
    sample_weight: Any = None,
) -> list[Row]:
    """Count how often each class was taken for each.

    Args:
        y_true: The classes, (n,).
        y_pred: What they were taken for, (n,).
        labels: The names of the classes, in their order.
        true_labels: Only these classes as rows.
        pred_labels: Only these classes as columns.
        normalize: Give shares: of each class ("true" or True), of each prediction ("pred") or of all ("all").
        sample_weight: The weight of each example, (n,).

    Returns:
        True class, predicted class, and count or share, for each pair.

    Raises:
        UsageError: If there are not as many predictions as classes, or a class is not there.
    """
    true, predicted = np.asarray(y_true).ravel(), np.asarray(y_pred).ravel()
    if len(true) != len(predicted):
        message = f"y_true has {len(true)} classes and y_pred {len(predicted)}; they must be as many."
        raise UsageError(message)
    classes = np.unique(np.concatenate([true, predicted]))
    names = class_names(classes, labels)
    how = "true" if normalize is True else normalize or None
    counts = metrics.confusion_matrix(true, predicted, labels=classes, sample_weight=sample_weight, normalize=how)
    rows = _places(classes, names, true_labels, "true_labels")
    columns = _places(classes, names, pred_labels, "pred_labels")
    return [(names[i], names[j], counts[i, j].item()) for i in rows for j in columns]


def class_names(classes: Any, labels: Sequence[Any] | None) -> list[str]:
    """Return the names of sorted classes: their own, or those that the user gave them.

    Raises:
        UsageError: If there are too few.
    """
    if labels is None or len(labels) == 0:
        return [str(one) for one in classes.tolist()]
    if len(labels) < len(classes):
        message = f"labels has {len(labels)} names, and there are {len(classes)} classes."
        raise UsageError(message)
    # Of more names than classes, integers say which ones are meant.
    if len(labels) > len(classes) and classes.dtype.kind in "iu" and classes.min() >= 0 and classes.max() < len(labels):
        return [str(labels[int(one)]) for one in classes.tolist()]
    return [str(labels[place]) for place in range(len(classes))]


def _places(classes: Any, names: Sequence[str], wanted: Sequence[Any] | None, argument: str) -> list[int]:
    if wanted is None:
        return list(range(len(names)))
    known = {str(one): place for place, one in enumerate(classes.tolist())} | {
        n: place for place, n in enumerate(names)
    }
    if unknown := [str(one) for one in wanted if str(one) not in known]:
        message = f"{argument} has {', '.join(unknown)}, which is no class here; there are {', '.join(names)}."
        raise UsageError(message)
    return [known[str(one)] for one in wanted]


def proportions(y_train: Any, y_test: Any = None, labels: Sequence[Any] | None = None) -> list[Row]:
    """Count the examples of each class.

    Returns:
        Class, "train" or "test", and count.

    Raises:
        UsageError: If the targets are continuous.
    """
    parts = {"train": np.asarray(y_train).ravel()}
    if y_test is not None:
        parts["test"] = np.asarray(y_test).ravel()
    for name, values in parts.items():
        if values.dtype.kind == "f" and not np.array_equal(values, values.round()):
            message = f"y_{name} holds continuous numbers; class proportions are of classes."
            raise UsageError(message)
    classes = np.unique(np.concatenate(list(parts.values())))
    names = class_names(classes, labels)
    return [
        (name, part, int((values == one).sum()))
        for part, values in parts.items()
        for name, one in zip(names, classes, strict=True)
    ]


def summary(model: Any, features: Any, target: Any, sample_weight: Any = None) -> dict[str, float]:
    """Return numbers that sum up a fitted model on some data.

    Of a classifier accuracy, and precision, recall and F1 weighted by the classes' sizes; of a regressor the mean absolute
    and squared errors, the root of the latter, and R2.

    Raises:
        UsageError: If the model is neither.
    """
    kind = kind_of(model)
    if kind == "other":
        message = f"summary metrics are for classifiers and regressors, and {type(model).__name__} is neither."
        raise UsageError(message)
    true, predicted = np.asarray(target), np.asarray(model.predict(features))
    measure = classification_metrics if kind == "classifier" else regression_metrics
    return measure(true, predicted, sample_weight)


def classification_metrics(true: Any, predicted: Any, sample_weight: Any = None) -> dict[str, float]:
    """Return accuracy, and precision, recall and F1 weighted by the classes' sizes.

    The same numbers as `sklearn.metrics.precision_recall_fscore_support(average="weighted", zero_division=0)`, from one table
    of counts, which takes a tenth of its time on small data.

    Args:
        true: Classes, (n,) or, of several labels, (n, labels) of 0 and 1.
        predicted: As many.
        sample_weight: The weight of each example, (n,).
    """
    if true.ndim > 1:
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            true, predicted, average="weighted", zero_division=0, sample_weight=sample_weight
        )
        accuracy = metrics.accuracy_score(true, predicted, sample_weight=sample_weight)
        return {"accuracy": float(accuracy), "precision": float(precision), "recall": float(recall), "f1": float(f1)}
    classes, codes = np.unique(np.concatenate([true, predicted.ravel()]), return_inverse=True)
    count, n = len(classes), len(true)
    weights = None if sample_weight is None else np.asarray(sample_weight, dtype=float).ravel()
    table = np.bincount(codes[:n] * count + codes[n:], weights, minlength=count * count).reshape(count, count)
    hits, actual, guessed = np.diag(table), table.sum(1), table.sum(0)
    precision, recall = _share(hits, guessed), _share(hits, actual)
    f1 = _share(2 * hits, actual + guessed)
    total = max(float(actual.sum()), np.finfo(float).tiny)
    return {
        "accuracy": float(hits.sum() / total),
        "precision": float(precision @ actual / total),
        "recall": float(recall @ actual / total),
        "f1": float(f1 @ actual / total),
    }


def _share(part: Any, whole: Any) -> Any:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def regression_metrics(true: Any, predicted: Any, sample_weight: Any = None) -> dict[str, float]:
    """Return mean absolute error, mean squared error, its root, and the coefficient of determination.

    Several targets count alike, as in `sklearn.metrics`.
    """
    true, predicted = np.asarray(true, dtype=float), np.asarray(predicted, dtype=float).reshape(np.shape(true))
    weights = None if sample_weight is None else np.asarray(sample_weight, dtype=float).ravel()
    error = predicted - true
    squared = np.average(error**2, axis=0, weights=weights)
    spread = np.average((true - np.average(true, axis=0, weights=weights)) ** 2, axis=0, weights=weights)
    constant = np.where(squared == 0, 1.0, 0.0)
    r2 = np.where(spread > 0, 1 - squared / np.where(spread > 0, spread, 1.0), constant)
    mse = float(np.mean(squared))
    return {
        "mae": float(np.mean(np.average(np.abs(error), axis=0, weights=weights))),
        "mse": mse,
        "rmse": mse**0.5,
        "r2": float(np.mean(r2)),
    }
