"""What a model answers where: the dependence on single features, and the borders between classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.errors import UsageError
from runhaven_integrations.sklearn.computing.estimator import feature_names_of
from runhaven_integrations.sklearn.framework import inspection, np

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLANE = 2


class Dependence(NamedTuple):
    """What a model answers on average when a feature has some value.

    Attributes:
        feature: The feature.
        output: The class or target; "" if there is only one.
        x: The values of the feature.
        y: The mean answers.
    """

    feature: str
    output: str
    x: list[Any]
    y: list[float]


def dependence(
    model: Any, features: Any, wanted: Sequence[Any], *, feature_names: Sequence[Any] | None = None, points: int = 50
) -> list[Dependence]:
    """Return the partial dependence of a fitted model on single features; see `sklearn.inspection.partial_dependence`.

    Args:
        model: The model.
        features: What it is averaged over, (n, features).
        wanted: Features, by number or name.
        feature_names: The names of the features.
        points: How many values of each feature are tried.
    """
    count = np.shape(features)[1]
    names = [
        str(name)
        for name in (feature_names if feature_names is not None else getattr(features, "columns", range(count)))
    ]
    found: list[Dependence] = []
    for one in wanted:
        place = one if isinstance(one, int) else names.index(str(one))
        result = inspection.partial_dependence(model, features, [place], grid_resolution=points, kind="average")
        grid, averages = result["grid_values"][0], result["average"]
        outputs = _outputs(model, len(averages))
        name = names[place] if feature_names is not None or hasattr(features, "columns") else f"feature_{place}"
        found += [
            Dependence(name, output, grid.tolist(), average.tolist())
            for output, average in zip(outputs, averages, strict=True)
        ]
    return found


def _outputs(model: Any, count: int) -> list[str]:
    if count == 1:
        return [""]
    classes = getattr(model, "classes_", None)
    return [str(one) for one in (classes if classes is not None and len(classes) == count else range(count))]


class Plane(NamedTuple):
    """What a model answers over two features.

    Attributes:
        names: The two features.
        x: The centre of each cell.
        y: The centre of each cell.
        answer: What the model says there.
        step: Width and height of a cell.
    """

    names: tuple[str, str]
    x: Any
    y: Any
    answer: list[Any]
    step: tuple[float, float]


def decision_boundary(
    model: Any, features: Any, *, feature_names: Sequence[Any] | None = None, points: int = 60
) -> Plane:
    """Return what a model that was fitted on two features answers around some data.

    Raises:
        UsageError: If there are not exactly two features.
    """
    table: Any = np.asarray(features, dtype=float)
    if table.ndim != _PLANE or table.shape[1] != _PLANE:
        message = f"a decision boundary is drawn over two features, and X has the shape {table.shape}; fit the model on two columns."
        raise UsageError(message)
    low, high = table.min(axis=0), table.max(axis=0)
    margin = np.where(high > low, (high - low) * 0.05, 0.5)
    axes: Any = np.linspace(low - margin, high + margin, points)
    xs, ys = axes[:, 0], axes[:, 1]
    grid: Any = np.stack([each.ravel() for each in np.meshgrid(xs, ys)], axis=1)
    names = feature_names_of(model, _PLANE, feature_names, features)
    frame = _like(features, grid)
    answer = np.asarray(model.predict(frame)).tolist()
    return Plane((names[0], names[1]), grid[:, 0], grid[:, 1], answer, (float(xs[1] - xs[0]), float(ys[1] - ys[0])))


def _like(features: Any, grid: Any) -> Any:
    """Return the grid as the kind of thing that the features are."""
    return type(features)(grid, columns=features.columns) if hasattr(features, "columns") else grid
