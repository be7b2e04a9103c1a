"""Where a regressor errs: residuals, and examples that bend it."""

from __future__ import annotations

from typing import Any, NamedTuple

from runhaven.errors import UsageError
from runhaven_integrations.sklearn.framework import np


class Residuals(NamedTuple):
    """How far off a model is on some data.

    Attributes:
        part: "train" or "test".
        predicted: What it says, (n,).
        actual: What is true, (n,).
        r2: The coefficient of determination.
    """

    part: str
    predicted: Any
    actual: Any
    r2: float

    @property
    def values(self) -> Any:
        """Actual minus predicted, (n,)."""
        return self.actual - self.predicted


def residuals(model: Any, features: Any, target: Any, part: str = "train") -> Residuals:
    """Return how far off a fitted regressor is.

    Raises:
        UsageError: If there are several targets.
    """
    actual, predicted = _flat(target), _flat(model.predict(features))
    spread = ((actual - actual.mean()) ** 2).sum()
    r2 = 1 - ((actual - predicted) ** 2).sum() / spread if spread else float("nan")
    return Residuals(part, predicted, actual, float(r2))


def _flat(values: Any) -> Any:
    array = np.asarray(values, dtype=float)
    if array.ndim > 1 and array.shape[1] != 1:
        message = f"residuals are of one target, and y has {array.shape[1]}; plot them one by one."
        raise UsageError(message)
    return array.ravel()


class Influence(NamedTuple):
    """How much each example bends a linear fit.

    Attributes:
        distance: Cook's distance of each example, (n,).
        threshold: 4 / n; what lies above it deserves a look.
    """

    distance: Any
    threshold: float


def influence(model: Any, features: Any, target: Any) -> Influence:
    """Return Cook's distances: r^2 / (p s^2) * h / (1 - h)^2.

    r is the residual, s^2 the residuals' variance over the degrees of freedom, p the rank of the features with a constant,
    and h the leverage of an example in them. R. D. Cook, "Detection of Influential Observation in Linear Regression",
    Technometrics 19 (1977).

    Args:
        model: A fitted regressor.
        features: (n, features), numbers.
        target: (n,).

    Raises:
        UsageError: If there are not more examples than features.
    """
    table = np.asarray(features, dtype=float)
    design = np.column_stack([np.ones(len(table)), table])
    rank = int(np.linalg.matrix_rank(design))
    if len(table) <= rank:
        message = f"outlier candidates need more examples than features; there are {len(table)} of {table.shape[1]}."
        raise UsageError(message)
    found = residuals(model, features, target).values
    # The columns of q span what the design spans, so that their squares sum up to the leverage.
    q = np.linalg.svd(design, full_matrices=False)[0][:, :rank]
    leverage = np.clip((q**2).sum(axis=1), 0.0, 1 - 1e-12)
    variance = float(found @ found) / (len(table) - rank)
    if variance == 0:
        return Influence(np.zeros(len(table)), 4 / len(table))
    distance = found**2 / (rank * variance) * leverage / (1 - leverage) ** 2
    return Influence(distance, 4 / len(table))
