"""How a model's score changes with the number of examples, or with one of its settings; fits copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven_integrations.sklearn.framework import model_selection, np

if TYPE_CHECKING:
    from collections.abc import Sequence


class Scores(NamedTuple):
    """What cross-validation came to at one place.

    Attributes:
        x: The number of examples, or the value of the setting.
        part: "train" or "test".
        mean: The mean over the folds.
        spread: Their standard deviation.
    """

    x: Any
    part: str
    mean: float
    spread: float


def over_examples(  # noqa: PLR0913 - those of `sklearn.model_selection.learning_curve`
    model: Any,
    features: Any,
    target: Any,
    *,
    cv: Any = None,
    shuffle: bool = False,
    random_state: Any = None,
    train_sizes: Any = None,
    n_jobs: int | None = 1,
    scoring: Any = None,
) -> list[Scores]:
    """Return the scores of copies of a model trained on more and more examples; see `sklearn.model_selection.learning_curve`."""
    sizes = np.linspace(0.1, 1.0, 5) if train_sizes is None else train_sizes
    found = model_selection.learning_curve(
        model, features, target, cv=cv, shuffle=shuffle, random_state=random_state, train_sizes=sizes, n_jobs=n_jobs, scoring=scoring,
    )  # fmt: skip
    numbers, train, test = found[:3]
    return _rows(numbers.tolist(), train, test)


def over_setting(  # noqa: PLR0913 - those of `sklearn.model_selection.validation_curve`
    model: Any,
    features: Any,
    target: Any,
    *,
    param_name: str,
    param_range: Sequence[Any],
    cv: Any = None,
    n_jobs: int | None = 1,
    scoring: Any = None,
) -> list[Scores]:
    """Return the scores of copies of a model with several values of one setting; see `sklearn.model_selection.validation_curve`."""
    found = model_selection.validation_curve(
        model, features, target, param_name=param_name, param_range=param_range, cv=cv, n_jobs=n_jobs, scoring=scoring,
    )  # fmt: skip
    train, test = found
    values = [value if isinstance(value, int | float) else str(value) for value in np.asarray(param_range).tolist()]
    return _rows(values, train, test)


def _rows(places: Sequence[Any], train: Any, test: Any) -> list[Scores]:
    return [
        Scores(x, part, float(scores[at].mean()), float(scores[at].std()))
        for part, scores in (("train", train), ("test", test))
        for at, x in enumerate(places)
    ]
