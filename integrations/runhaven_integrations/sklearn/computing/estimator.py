"""Looks through pipelines and searches for the model in them, and finds the names of what it was given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven.errors import UsageError
from runhaven_integrations.sklearn.framework import base, validation

if TYPE_CHECKING:
    from collections.abc import Sequence


def fitted(model: Any, doing: str) -> Any:
    """Return a model that was fitted.

    Args:
        model: An estimator; of a search, its best one.
        doing: What needs it, for the message.

    Raises:
        UsageError: If it is no estimator, or was not fitted.
    """
    if not hasattr(model, "fit"):
        message = f"{doing} takes a scikit-learn estimator, not {type(model).__name__}."
        raise UsageError(message)
    try:
        validation.check_is_fitted(model)
    except Exception as error:
        message = f"{doing} needs a fitted model; call {type(model).__name__}.fit(X, y) first."
        raise UsageError(message) from error
    return getattr(model, "best_estimator_", model)


def unwrapped(model: Any) -> tuple[Any, Any]:
    """Return what prepares the features of a fitted model (None if nothing does), and the model behind it."""
    model = getattr(model, "best_estimator_", model)
    steps = getattr(model, "steps", None)
    if not steps:
        return None, model
    before = model[:-1] if len(steps) > 1 else None
    return before, steps[-1][1]


def feature_names_of(model: Any, count: int, given: Sequence[Any] | None = None, features: Any = None) -> list[str]:
    """Return the names of the features that the model at the end of a pipeline sees.

    Args:
        model: A fitted model, perhaps a pipeline or a search.
        count: How many features there are.
        given: Names that the user chose.
        features: What the model was given; a frame names its columns.

    Raises:
        UsageError: If there are not as many names as features.
    """
    names: Any = given
    if names is None:
        names = _known_names(model, features)
    if names is None:
        return [f"feature_{place}" for place in range(count)]
    found = [str(name) for name in names]
    if len(found) != count:
        message = f"feature_names has {len(found)} names, and the model sees {count} features."
        raise UsageError(message)
    return found


def _known_names(model: Any, features: Any) -> Any:
    before, last = unwrapped(model)
    if before is not None:
        try:
            return before.get_feature_names_out()
        except (AttributeError, ValueError):
            return getattr(last, "feature_names_in_", None)
    names = getattr(last, "feature_names_in_", None)
    return names if names is not None else getattr(features, "columns", None)


def kind_of(model: Any) -> str:
    """Return "classifier", "regressor" or "other"."""
    return "classifier" if base.is_classifier(model) else "regressor" if base.is_regressor(model) else "other"


def scores_of(model: Any, features: Any) -> Any:
    """Return a row of probabilities for each example, or what the decision function says where there are none.

    Raises:
        UsageError: If the model has neither.
    """
    for name in ("predict_proba", "decision_function"):
        if hasattr(model, name):
            return getattr(model, name)(features)
    message = f"{type(model).__name__} has neither predict_proba() nor decision_function(); pass y_probas."
    raise UsageError(message)
