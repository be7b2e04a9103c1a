"""Plots of regressors."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from runhaven_integrations.sklearn.plots import model as of_models
from runhaven_integrations.sklearn.plots import of_regressors as draw
from runhaven_integrations.sklearn.plots.showing import show, show_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from runhaven import Run
    from runhaven.media.chart import CustomChart


def plot_regressor(  # noqa: PLR0913 - W&B's signature
    model: Any,
    X_train: Any,
    X_test: Any,
    y_train: Any,
    y_test: Any,
    model_name: str = "Regressor",  # noqa: ARG001 - W&B's argument, unused there too
    *,
    log_learning_curve: bool = True,
    run: Run | None = None,
) -> dict[str, CustomChart]:
    """Draw what there is to see of a fitted regressor: summary, learning curve, outlier candidates, residuals, errors.

    Args:
        model: The regressor.
        X_train: What it was fitted on, (n, features).
        X_test: What it is judged by.
        y_train: The target of `X_train`, (n,).
        y_test: The target of `X_test`.
        model_name: Accepted.
        log_learning_curve: Whether copies are fitted for a learning curve.
        run: The run; the active one by default.

    Returns:
        The charts that could be drawn, by key.
    """
    drawing: dict[str, Callable[[], CustomChart]] = {
        "summary_metrics": partial(of_models.summarize, model, X_train, y_train, X_test, y_test, run),
        "outlier_candidates": partial(draw.outliers, model, X_train, y_train),
        "residuals": partial(draw.residuals, model, X_train, y_train, (X_test, y_test)),
        "prediction_error": partial(draw.prediction_error, model, X_train, y_train, (X_test, y_test)),
    }
    if log_learning_curve:
        drawing["learning_curve"] = partial(of_models.draw_learning_curve, model, X_train, y_train)
    return show_all(drawing, run)


def plot_residuals(
    regressor: Any = None,
    X: Any = None,
    y: Any = None,
    *,
    X_test: Any = None,
    y_test: Any = None,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw how far off a fitted regressor is over what it says; logged as "residuals".

    Args:
        regressor: The model.
        X: What it was fitted on, (n, features).
        y: The target, (n,).
        X_test: Data that it was not fitted on.
        y_test: Their target.
        run: The run; the active one by default.
    """
    test = None if X_test is None else (X_test, y_test)
    return show("residuals", partial(draw.residuals, regressor, X, y, test), run)


def plot_prediction_error(
    regressor: Any,
    X: Any,
    y: Any,
    *,
    X_test: Any = None,
    y_test: Any = None,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw what a fitted regressor says over what is true; logged as "prediction_error". Arguments as `plot_residuals`."""
    test = None if X_test is None else (X_test, y_test)
    return show("prediction_error", partial(draw.prediction_error, regressor, X, y, test), run)


def plot_outlier_candidates(
    regressor: Any = None,
    X: Any = None,
    y: Any = None,
    *,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw Cook's distance of each example, which says how much it bends a linear fit; logged as "outlier_candidates".

    Args:
        regressor: A fitted model.
        X: What it was fitted on, (n, features), numbers.
        y: The target, (n,).
        run: The run; the active one by default.
    """
    return show("outlier_candidates", partial(draw.outliers, regressor, X, y), run)
