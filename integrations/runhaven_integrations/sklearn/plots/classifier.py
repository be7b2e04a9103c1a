"""Plots of classifiers."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runhaven_integrations.sklearn.computing.curves import one_against_others
from runhaven_integrations.sklearn.plots import model as of_models
from runhaven_integrations.sklearn.plots import of_classifiers as draw
from runhaven_integrations.sklearn.plots.showing import show, show_all

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runhaven import Run
    from runhaven.media.chart import CustomChart
    from runhaven_integrations.sklearn.computing.answers import Normalize


def plot_classifier(  # noqa: PLR0913, PLR0917 - W&B's signature
    model: Any,
    X_train: Any,
    X_test: Any,
    y_train: Any,
    y_test: Any,
    y_pred: Any,
    y_probas: Any,
    labels: Sequence[Any] | None = None,
    is_binary: bool = False,  # noqa: ARG001 - W&B's argument; the data tell
    model_name: str = "Classifier",
    feature_names: Sequence[Any] | None = None,
    log_learning_curve: bool = False,
    *,
    run: Run | None = None,
) -> dict[str, CustomChart]:
    """Draw what there is to see of a fitted classifier: importances, confusion, classes, calibration, ROC, precision and recall.

    Args:
        model: The classifier.
        X_train: What it was fitted on, (n, features).
        X_test: What it is judged by.
        y_train: The classes of `X_train`, (n,).
        y_test: The classes of `X_test`.
        y_pred: What the model says to `X_test`.
        y_probas: Its probabilities, (n, classes).
        labels: The names of the classes, in their order.
        is_binary: Accepted: the classes tell.
        model_name: What stands for the model in the legend.
        feature_names: The names of the features.
        log_learning_curve: Whether copies are fitted for a learning curve, too.
        run: The run; the active one by default.

    Returns:
        The charts that could be drawn, by key.
    """
    drawing: dict[str, Callable[[], CustomChart]] = {
        "feature_importances": partial(
            draw.importances, model, feature_names, f"Feature importance, {model_name}", 50, X_train
        ),
        "confusion_matrix": partial(_confusion, y_test, y_pred, labels),
        "summary_metrics": partial(of_models.summarize, model, X_train, y_train, X_test, y_test, run),
        "class_proportions": partial(draw.proportions, y_train, y_test, labels),
        "calibration_curve": partial(draw.calibration, model, X_test, y_test, model_name),
        "roc": partial(_roc, y_test, y_probas, labels),
        "precision_recall": partial(_precision_recall, y_test, y_probas, labels),
    }
    # Not every model has importances; it is no fault of the caller's.
    if not draw.has_importances(model):
        del drawing["feature_importances"]
    if not hasattr(model, "predict_proba"):
        del drawing["calibration_curve"]
    if log_learning_curve:
        drawing["learning_curve"] = partial(of_models.draw_learning_curve, model, X_train, y_train)
    return show_all(drawing, run)


def plot_roc(  # noqa: PLR0913 - W&B's signature
    y_true: Any = None,
    y_probas: Any = None,
    labels: Sequence[Any] | None = None,
    plot_micro: bool = True,
    plot_macro: bool = True,
    classes_to_plot: Sequence[Any] | None = None,
    *,
    sample_weight: Any = None,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw the rate of true over that of false positives, with the area under it; logged as "roc".

    Args:
        y_true: The classes, (n,).
        y_probas: Probabilities or scores, (n, classes), or (n,) of two classes.
        labels: The names of the classes, in their order.
        plot_micro: Of several classes, draw the curve of all together.
        plot_macro: Of several classes, draw their mean.
        classes_to_plot: Only these classes.
        sample_weight: The weight of each example, (n,).
        run: The run; the active one by default.
    """
    drawing = partial(
        _roc, y_true, y_probas, labels, classes_to_plot, sample_weight, has_micro=plot_micro, has_macro=plot_macro
    )
    return show("roc", drawing, run)


def _roc(  # noqa: PLR0913 - those of the plot
    y_true: Any,
    y_probas: Any,
    labels: Sequence[Any] | None,
    wanted: Sequence[Any] | None = None,
    weights: Any = None,
    *,
    has_micro: bool = True,
    has_macro: bool = True,
) -> CustomChart:
    questions = one_against_others(y_true, y_probas, labels, wanted, weights)
    return draw.roc(questions, has_micro=has_micro, has_macro=has_macro)


def plot_precision_recall(  # noqa: PLR0913 - W&B's signature
    y_true: Any = None,
    y_probas: Any = None,
    labels: Sequence[Any] | None = None,
    plot_micro: bool = True,
    classes_to_plot: Sequence[Any] | None = None,
    *,
    sample_weight: Any = None,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw the precision over the recall, with the average precision; logged as "precision_recall". Arguments as `plot_roc`."""
    drawing = partial(_precision_recall, y_true, y_probas, labels, classes_to_plot, sample_weight, has_micro=plot_micro)
    return show("precision_recall", drawing, run)


def _precision_recall(
    y_true: Any,
    y_probas: Any,
    labels: Sequence[Any] | None,
    wanted: Sequence[Any] | None = None,
    weights: Any = None,
    *,
    has_micro: bool = True,
) -> CustomChart:
    return draw.precision_recall(one_against_others(y_true, y_probas, labels, wanted, weights), has_micro=has_micro)


def plot_det_curve(
    y_true: Any,
    y_probas: Any,
    labels: Sequence[Any] | None = None,
    *,
    classes_to_plot: Sequence[Any] | None = None,
    sample_weight: Any = None,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw the rate of misses over that of false alarms; logged as "det_curve". Arguments as `plot_roc`."""
    return show(
        "det_curve",
        lambda: draw.detection_errors(one_against_others(y_true, y_probas, labels, classes_to_plot, sample_weight)),
        run,
    )


def plot_confusion_matrix(  # noqa: PLR0913 - W&B's signature
    y_true: Any = None,
    y_pred: Any = None,
    labels: Sequence[Any] | None = None,
    true_labels: Sequence[Any] | None = None,
    pred_labels: Sequence[Any] | None = None,
    normalize: Normalize | bool = False,
    *,
    sample_weight: Any = None,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw how often each class was taken for each; logged as "confusion_matrix".

    Args:
        y_true: The classes, (n,).
        y_pred: What they were taken for, (n,).
        labels: The names of the classes, in their order.
        true_labels: Only these classes as rows.
        pred_labels: Only these classes as columns.
        normalize: Give shares: of each class ("true" or True), of each prediction ("pred") or of all ("all").
        sample_weight: The weight of each example, (n,).
        run: The run; the active one by default.
    """
    drawing = partial(_confusion, y_true, y_pred, labels, true_labels, pred_labels, normalize, sample_weight)
    return show("confusion_matrix", drawing, run)


def _confusion(  # noqa: PLR0913, PLR0917 - those of the computation
    y_true: Any,
    y_pred: Any,
    labels: Sequence[Any] | None,
    true_labels: Sequence[Any] | None = None,
    pred_labels: Sequence[Any] | None = None,
    normalize: Normalize | bool = False,
    sample_weight: Any = None,
) -> CustomChart:
    return draw.confusion(
        y_true, y_pred, labels, true_labels=true_labels, pred_labels=pred_labels, normalize=normalize, sample_weight=sample_weight,
    )  # fmt: skip


def plot_feature_importances(
    model: Any = None,
    feature_names: Sequence[Any] | None = None,
    title: str = "Feature Importance",
    max_num_features: int = 50,
    *,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw how much a fitted model makes of each feature; logged as "feature_importances".

    Of a pipeline, the names are those that come out of its last step but one.

    Args:
        model: The model, a pipeline or a search.
        feature_names: The names of the features; those of the frame that it was fitted on by default.
        title: What stands above it.
        max_num_features: The greatest this many.
        run: The run; the active one by default.
    """
    return show("feature_importances", partial(draw.importances, model, feature_names, title, max_num_features), run)


def plot_class_proportions(
    y_train: Any = None, y_test: Any = None, labels: Sequence[Any] | None = None, *, run: Run | None = None
) -> CustomChart | None:
    """Draw how many examples each class has in the data for training and testing; logged as "class_proportions".

    Args:
        y_train: Classes, (n,).
        y_test: Classes of the test data.
        labels: The names of the classes, in their order.
        run: The run; the active one by default.
    """
    return show("class_proportions", partial(draw.proportions, y_train, y_test, labels), run)


def plot_calibration_curve(  # noqa: PLR0913 - W&B's signature
    clf: Any = None,
    X: Any = None,
    y: Any = None,
    clf_name: str = "Classifier",
    *,
    bins: int = 10,
    sample_weight: Any = None,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw how often a class was right over the probability that a fitted model gave it; logged as "calibration_curve".

    The model itself is judged; no other is fitted.

    Args:
        clf: The classifier.
        X: Data that it was not fitted on, (n, features).
        y: Their classes, (n,).
        clf_name: What stands for it in the legend.
        bins: Into how many parts the probabilities are put.
        sample_weight: The weight of each example, (n,).
        run: The run; the active one by default.
    """
    drawing = partial(draw.calibration, clf, X, y, clf_name, bins=bins, sample_weight=sample_weight)
    return show("calibration_curve", drawing, run)
