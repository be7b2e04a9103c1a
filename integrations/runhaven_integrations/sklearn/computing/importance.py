"""How much a model makes of each feature."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.errors import UsageError
from runhaven_integrations.sklearn.computing.estimator import feature_names_of, unwrapped
from runhaven_integrations.sklearn.framework import np

if TYPE_CHECKING:
    from collections.abc import Sequence


class Importance(NamedTuple):
    """What a feature is worth to a model.

    Attributes:
        name: The feature.
        value: Its importance.
        spread: The standard deviation over the trees of a forest; 0 where there is only one value.
    """

    name: str
    value: float
    spread: float


def importances(
    model: Any, feature_names: Sequence[Any] | None = None, features: Any = None, *, most: int = 50
) -> list[Importance]:
    """Return the importances of the features, the greatest first.

    Those are `feature_importances_`, or the coefficients; of several classes or targets the mean of their magnitudes.

    Args:
        model: A fitted model, perhaps in a pipeline or a search.
        feature_names: The names of the features.
        features: What the model was given; a frame names its columns.
        most: How many to return at most.

    Raises:
        UsageError: If the model has neither, or the names do not fit.
    """
    _, last = unwrapped(model)
    values, spread = _values(last)
    if values is None:
        message = f"{type(last).__name__} has no feature_importances_ and no coef_; sklearn.inspection.permutation_importance works with any."
        raise UsageError(message)
    names = feature_names_of(model, len(values), feature_names, features)
    order = np.argsort(-np.abs(values), kind="stable")[:most]
    return [Importance(names[at], float(values[at]), float(spread[at])) for at in order]


def _values(model: Any) -> tuple[Any, Any]:
    found = getattr(model, "feature_importances_", None)
    if found is not None:
        trees = getattr(model, "estimators_", None)
        each = [tree.feature_importances_ for tree in np.ravel(trees)] if trees is not None else []
        alike = len(each) > 1 and all(len(one) == len(found) for one in each)
        return np.asarray(found, dtype=float), np.std(each, axis=0) if alike else np.zeros(len(found))
    coefficients = getattr(model, "coef_", None)
    if coefficients is None:
        return None, None
    dense = np.atleast_2d(
        coefficients.toarray() if hasattr(coefficients, "toarray") else np.asarray(coefficients, dtype=float)
    )
    values = dense[0] if len(dense) == 1 else np.abs(dense).mean(axis=0)
    return values, np.zeros(len(values))
