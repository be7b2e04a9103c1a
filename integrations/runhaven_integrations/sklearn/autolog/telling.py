"""What there is to tell of a fitted estimator; nothing here logs."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

from runhaven_integrations.sklearn.computing.answers import classification_metrics, regression_metrics
from runhaven_integrations.sklearn.computing.estimator import kind_of
from runhaven_integrations.sklearn.framework import base, np

if TYPE_CHECKING:
    from collections.abc import Mapping

_FACTS = ("n_features_in_", "n_iter_", "oob_score_", "inertia_", "best_index_", "n_splits_", "lower_bound_")
"""Numbers that a fit leaves on an estimator and that are worth a column."""


def is_told(estimator: Any) -> bool:
    """Tell whether an estimator's fit is an event: of what predicts or finds clusters, not of what prepares data."""
    return hasattr(estimator, "predict") or hasattr(estimator, "fit_predict") or hasattr(estimator, "cv_results_")


def parameters(estimator: Any) -> dict[str, Any]:
    """Return the parameters of an estimator, and of those in it; of an estimator among them, its class."""
    # What a search was given to try stands in its results.
    is_search = hasattr(estimator, "refit") and hasattr(estimator, "cv")
    found = estimator.get_params(deep=not is_search)
    told = {key: _word(value) for key, value in found.items() if key not in ("steps", "transformer_list")}
    inner = getattr(estimator, "estimator", None)
    if is_search and inner is not None and hasattr(inner, "get_params"):
        told |= {
            f"estimator__{key}": _word(value) for key, value in inner.get_params(deep=True).items() if key != "steps"
        }
    return {"estimator_class": type(estimator).__name__, **told}


def _word(value: Any) -> Any:
    return type(value).__name__ if isinstance(value, base.BaseEstimator) else value


def data_of(data: tuple[Any, ...], options: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """Return features, target and weights of the arguments of a `fit`."""
    features = data[0] if data else options.get("X")
    target = data[1] if len(data) > 1 else options.get("y", options.get("Y"))
    return features, target, options.get("sample_weight")


def shape_of(features: Any) -> dict[str, int]:
    """Return how many rows and columns features have, as far as they tell."""
    shape = getattr(features, "shape", None) or (len(features),)
    return dict(zip(("rows", "columns"), (int(each) for each in shape), strict=False))


def measure(estimator: Any, features: Any, target: Any, weights: Any = None, *, most: int) -> dict[str, float]:
    """Return metrics of a fitted classifier or regressor on some data.

    Args:
        estimator: The model.
        features: (n, features).
        target: (n,) or (n, targets).
        weights: The weight of each row, (n,), or None.
        most: On how many rows, evenly chosen, at most.

    Returns:
        Of classifiers accuracy, precision, recall, F1, and, of what gives probabilities, log loss; of regressors mae, mse,
        rmse and r2; of others nothing.
    """
    kind = kind_of(estimator)
    if kind == "other" or target is None or not hasattr(estimator, "predict"):
        return {}
    count = shape_of(features)["rows"]
    if count > most:
        places = np.linspace(0, count - 1, most).astype(int)
        features, target = (_chosen(each, places) for each in (features, target))
        weights = None if weights is None else _chosen(weights, places)
    true = np.asarray(target)
    true = true.ravel() if true.ndim > 1 and true.shape[1] == 1 else true
    if kind == "regressor":
        return regression_metrics(true, estimator.predict(features), weights)
    return _of_classifier(estimator, features, true, weights)


def _of_classifier(estimator: Any, features: Any, true: Any, weights: Any) -> dict[str, float]:
    found = classification_metrics(true, np.asarray(estimator.predict(features)), weights)
    classes: Any = getattr(estimator, "classes_", None)
    if true.ndim > 1 or not hasattr(classes, "dtype") or not hasattr(estimator, "predict_proba"):
        return found
    probabilities = estimator.predict_proba(features)
    places = np.searchsorted(classes, true).clip(max=len(classes) - 1)
    likely = np.clip(probabilities[np.arange(len(true)), places], np.finfo(probabilities.dtype).eps, 1.0)
    found["log_loss"] = float(-np.average(np.log(likely), weights=weights))
    return found


def _chosen(values: Any, places: Any) -> Any:
    if hasattr(values, "iloc"):
        return values.iloc[places]
    return values[places] if hasattr(values, "shape") else [values[place] for place in places.tolist()]


def facts(estimator: Any) -> dict[str, Any]:
    """Return numbers that a fit left on an estimator; of a search, its best score and parameters."""
    found: dict[str, Any] = {}
    for name in _FACTS:
        value: Any = getattr(estimator, name, None)
        if isinstance(value, numbers.Number):
            found[name.rstrip("_")] = value
        elif getattr(value, "size", 0) == 1:
            found[name.rstrip("_")] = value.item()
    labels = getattr(estimator, "labels_", None)
    if labels is not None and hasattr(labels, "dtype"):
        found["clusters"] = len(np.unique(labels[labels >= 0]))
    if hasattr(estimator, "best_score_"):
        found["best_score"] = float(estimator.best_score_)
    return found


def search_table(estimator: Any) -> tuple[list[str], list[list[Any]]] | None:
    """Return columns and rows of a search's results, one row for each candidate, its parameters in columns of their own.

    The columns are those of `cv_results_`, in their order, without the dict `params`, whose entries the `param_...` columns have.
    """
    results = getattr(estimator, "cv_results_", None)
    if not results:
        return None
    columns = [name for name in results if name != "params"]
    values = [_plain(results[name]) for name in columns]
    return columns, [list(row) for row in zip(*values, strict=True)]


def _plain(column: Any) -> list[Any]:
    """Return a column's values as numbers, words and None, whatever they were."""
    masked = np.ma.getmaskarray(column)
    found: list[Any] = []
    for is_masked, value in zip(masked.tolist(), np.asarray(column, dtype=object).tolist(), strict=True):
        plain = value.item() if isinstance(value, np.generic) else value
        is_kept = plain is None or isinstance(plain, bool | int | float | str)
        found.append(None if is_masked else plain if is_kept else _spelled(plain))
    return found


def _spelled(value: Any) -> str:
    return type(value).__name__ if isinstance(value, base.BaseEstimator) else repr(value)
