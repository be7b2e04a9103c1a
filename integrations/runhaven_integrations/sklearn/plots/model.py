"""Plots of models of any kind."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import runhaven
from runhaven_integrations.sklearn.computing import answers, inspection, learning
from runhaven_integrations.sklearn.computing.estimator import fitted
from runhaven_integrations.sklearn.plots import of_classifiers, of_regressors
from runhaven_integrations.sklearn.plots.showing import show

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven import Run
    from runhaven.media.chart import CustomChart


def plot_summary_metrics(
    model: Any = None,
    X: Any = None,
    y: Any = None,
    X_test: Any = None,
    y_test: Any = None,
    *,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw numbers that sum up a fitted model, and put them into the run's summary; logged as "summary_metrics".

    Of a classifier accuracy and weighted precision, recall and F1; of a regressor mean absolute and squared errors and R2.
    The summary has them as "train/accuracy", "test/accuracy" and so on.

    Args:
        model: The model.
        X: What it was fitted on, (n, features).
        y: The target, (n,).
        X_test: Data that it was not fitted on.
        y_test: Their target.
        run: The run; the active one by default.
    """
    return show("summary_metrics", partial(summarize, model, X, y, X_test, y_test, run), run)


def summarize(
    model: Any, features: Any, target: Any, test_features: Any, test_target: Any, run: Run | None
) -> CustomChart:
    """Return the chart of `plot_summary_metrics`, and put its numbers into the summary."""
    model = fitted(model, "summary metrics")
    found = {"train": answers.summary(model, features, target)} if features is not None else {}
    if test_features is not None:
        found["test"] = answers.summary(model, test_features, test_target)
    active = run or runhaven.run
    if active is not None:
        active.summary.update({f"{part}/{name}": value for part, them in found.items() for name, value in them.items()})
    return of_classifiers.summary(found)


def plot_learning_curve(  # noqa: PLR0913, PLR0917 - W&B's signature
    model: Any = None,
    X: Any = None,
    y: Any = None,
    cv: Any = None,
    shuffle: bool = False,
    random_state: Any = None,
    train_sizes: Any = None,
    n_jobs: int | None = 1,
    scoring: Any = None,
    *,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw the score over the number of examples that copies of a model were fitted on; logged as "learning_curve".

    Args:
        model: The model; it is not touched.
        X: (n, features).
        y: The target, (n,).
        cv: How the data are split; 5 folds by default.
        shuffle: Whether the examples are shuffled before.
        random_state: The seed of that.
        train_sizes: Shares or numbers of examples; 10 to 100 % in five steps by default.
        n_jobs: How many fits run at once.
        scoring: A scorer or its name; the model's own score by default.
        run: The run; the active one by default.
    """
    drawing = partial(
        draw_learning_curve, model, X, y, cv=cv, shuffle=shuffle, random_state=random_state, train_sizes=train_sizes, n_jobs=n_jobs,
        scoring=scoring,
    )  # fmt: skip
    return show("learning_curve", drawing, run)


def draw_learning_curve(model: Any, features: Any, target: Any, **options: Any) -> CustomChart:
    """Return the chart of `plot_learning_curve`."""
    found = learning.over_examples(model, features, target, **options)
    return of_regressors.scores(found, "examples", "Learning curve")


def plot_validation_curve(  # noqa: PLR0913 - those of `sklearn.model_selection.validation_curve`
    model: Any,
    X: Any,
    y: Any,
    *,
    param_name: str,
    param_range: Sequence[Any],
    cv: Any = None,
    n_jobs: int | None = 1,
    scoring: Any = None,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw the score over the values of one setting, for copies of a model; logged as "validation_curve".

    Args:
        model: The model; it is not touched.
        X: (n, features).
        y: The target, (n,).
        param_name: The setting.
        param_range: Its values.
        cv: How the data are split; 5 folds by default.
        n_jobs: How many fits run at once.
        scoring: A scorer or its name; the model's own score by default.
        run: The run; the active one by default.
    """

    def drawing() -> CustomChart:
        found = learning.over_setting(
            model, X, y, param_name=param_name, param_range=param_range, cv=cv, n_jobs=n_jobs, scoring=scoring
        )
        return of_regressors.scores(found, param_name, "Validation curve")

    return show("validation_curve", drawing, run)


def plot_partial_dependence(
    model: Any,
    X: Any,
    features: Sequence[Any],
    *,
    feature_names: Sequence[Any] | None = None,
    points: int = 50,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw what a fitted model answers on average over each of some features; logged as "partial_dependence".

    Args:
        model: The model.
        X: What it is averaged over, (n, features).
        features: The features, by number or name.
        feature_names: The names of the features; those of a frame by default.
        points: How many values of each feature are tried.
        run: The run; the active one by default.
    """

    def drawing() -> CustomChart:
        known = fitted(model, "partial dependence")
        return of_regressors.dependence(
            inspection.dependence(known, X, features, feature_names=feature_names, points=points)
        )

    return show("partial_dependence", drawing, run)


def plot_decision_boundary(
    model: Any,
    X: Any,
    y: Any,
    *,
    feature_names: Sequence[Any] | None = None,
    points: int = 60,
    run: Run | None = None,
) -> CustomChart | None:
    """Draw what a model that was fitted on two features answers around the data; logged as "decision_boundary".

    Args:
        model: The model.
        X: The data, (n, 2).
        y: Their classes, (n,).
        feature_names: The names of both features; those of a frame by default.
        points: Over how many places each way.
        run: The run; the active one by default.
    """

    def drawing() -> CustomChart:
        known = fitted(model, "a decision boundary")
        found = inspection.decision_boundary(known, X, feature_names=feature_names, points=points)
        return of_regressors.boundary(found, X, y)

    return show("decision_boundary", drawing, run)
