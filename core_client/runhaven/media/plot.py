"""Charts from tables and from what a classifier answered, under W&B's names: `runhaven.plot.roc_curve(...)` and so on."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from runhaven.errors import UsageError
from runhaven.media import scoring
from runhaven.media.chart import OWN_SPEC, CustomChart, CustomChartSpec
from runhaven.media.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = [
    "CustomChart", "CustomChartSpec", "bar", "confusion_matrix", "histogram", "line", "line_series", "plot_table", "pr_curve",
    "roc_curve", "scatter", "visualize",
]  # fmt: skip

_Arguments = ParamSpec("_Arguments")


def _lenient(make: Callable[_Arguments, CustomChart]) -> Callable[_Arguments, CustomChart]:
    """Let data that cannot be drawn be told where the chart is logged: what makes it may stand in a training loop."""

    @wraps(make)
    def attempt(*arguments: _Arguments.args, **named: _Arguments.kwargs) -> CustomChart:
        try:
            return make(*arguments, **named)
        except Exception as error:  # noqa: BLE001 - whatever it was, `verify` raises it
            chart = CustomChart(Table(columns=[]), CustomChartSpec(make.__name__, {}))
            chart.problem = error
            return chart

    return attempt


@_lenient
def plot_table(
    vega_spec_name: str | Mapping[str, Any],
    data_table: Table,
    fields: Mapping[str, Any],
    string_fields: Mapping[str, Any] | None = None,
    split_table: bool = False,
) -> CustomChart:
    """Draw a table.

    Args:
        vega_spec_name: "runhaven/bar/v0" or another of our specifications, or a Vega-Lite specification over data named "table".
        data_table: The table.
        fields: Which column stands for what.
        string_fields: Texts of the chart, such as "title".
        split_table: Whether the table belongs into a section of its own.
    """
    own = None if isinstance(vega_spec_name, str) else dict(vega_spec_name)
    name = vega_spec_name if isinstance(vega_spec_name, str) else OWN_SPEC
    spec = CustomChartSpec(name, dict(fields), dict(string_fields or {}), split_table=split_table)
    return CustomChart(data_table, spec, vega_lite=own)


def _draw(kind: str, table: Table, fields: Mapping[str, Any], title: str, *, split: bool) -> CustomChart:
    return plot_table(f"runhaven/{kind}/v0", table, fields, {"title": title}, split)


def bar(table: Table, label: str, value: str, title: str = "", split_table: bool = False) -> CustomChart:
    """Draw a bar for each row."""
    return _draw("bar", table, {"label": label, "value": value}, title, split=split_table)


def histogram(table: Table, value: str, title: str = "", split_table: bool = False) -> CustomChart:
    """Draw how often the values of a column occur."""
    return _draw("histogram", table, {"value": value}, title, split=split_table)


def line(
    table: Table, x: str, y: str, stroke: str | None = None, title: str = "", split_table: bool = False
) -> CustomChart:
    """Draw a line through the rows; one for each value of the column `stroke`, if given."""
    fields = {"x": x, "y": y} | ({"stroke": stroke} if stroke else {})
    return _draw("line", table, fields, title, split=split_table)


def scatter(table: Table, x: str, y: str, title: str = "", split_table: bool = False) -> CustomChart:
    """Draw a point for each row."""
    return _draw("scatter", table, {"x": x, "y": y}, title, split=split_table)


@_lenient
def line_series(
    xs: Iterable[Any],
    ys: Iterable[Iterable[Any]],
    keys: Iterable[str] | None = None,
    title: str = "",
    xname: str = "x",
    split_table: bool = False,
) -> CustomChart:
    """Draw several lines.

    Args:
        xs: The x of all lines, or one list for each.
        ys: The y of each line.
        keys: The names of the lines.
        title: What stands above them.
        xname: What x is.
        split_table: Whether the table belongs into a section of its own.
    """
    rows = line_rows(xs, ys, keys)
    table = Table(columns=[xname, "lineKey", "lineVal"], data=rows)
    fields = {"step": xname, "lineKey": "lineKey", "lineVal": "lineVal"}
    return _draw("lineseries", table, fields, title, split=split_table)


def line_rows(xs: Iterable[Any], ys: Iterable[Iterable[Any]], keys: Iterable[str] | None) -> list[list[Any]]:
    """Return rows of x, name and y.

    Raises:
        UsageError: If the numbers of lists, points and names do not fit.
    """
    lines = [_listed(one) for one in ys]
    given = _listed(xs)
    axes = [_listed(one) for one in given] if given and _is_many(given[0]) else [given] * len(lines)
    names = [f"line_{index}" for index in range(len(lines))] if keys is None else [str(key) for key in keys]
    lengths = [(len(x), len(y)) for x, y in zip(axes, lines, strict=False)]
    if not len(axes) == len(lines) == len(names) or any(one != other for one, other in lengths):
        message = f"{len(axes)} lists of x, {len(lines)} of y and {len(names)} keys with {lengths} points do not fit together."
        raise UsageError(message)
    return [[x, name, y] for name, xx, yy in zip(names, axes, lines, strict=True) for x, y in zip(xx, yy, strict=True)]


def _is_many(value: Any) -> bool:
    return not isinstance(value, str) and hasattr(value, "__iter__") and getattr(value, "ndim", 1) > 0


def _listed(values: Any) -> list[Any]:
    return values.tolist() if hasattr(values, "tolist") else list(values)


@_lenient
def confusion_matrix(
    probs: Any = None,
    y_true: Any = None,
    preds: Any = None,
    class_names: Sequence[str] | None = None,
    title: str = "Confusion Matrix Curve",
    split_table: bool = False,
) -> CustomChart:
    """Draw how often each class was taken for each.

    Args:
        probs: A row of probabilities for each example; this or `preds`.
        y_true: The classes.
        preds: What they were taken for.
        class_names: The names of the classes.
        title: What stands above it.
        split_table: Whether the table belongs into a section of its own.
    """
    if (probs is None) == (preds is None):
        message = "confusion_matrix() takes either probs= or preds=."
        raise UsageError(message)
    guessed = scoring.array_of(probs, "probs").argmax(axis=1) if preds is None else preds
    rows = scoring.confusion(y_true, guessed, class_names)
    columns = ["Actual", "Predicted", "nPredictions"]
    table = Table(columns=columns, data=rows)
    return _draw("confusion_matrix", table, {name: name for name in columns}, title, split=split_table)


@_lenient
def pr_curve(  # noqa: PLR0913, PLR0917 - W&B's signature
    y_true: Any = None,
    y_probas: Any = None,
    labels: Sequence[str] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    interp_size: int = 21,
    title: str = "Precision-Recall Curve",
    split_table: bool = False,
) -> CustomChart:
    """Draw precision over recall, a curve for each class.

    Args:
        y_true: The classes.
        y_probas: A row of scores for each example; of two classes, those of the second one alone will do.
        labels: The names of the classes.
        classes_to_plot: Only these.
        interp_size: At how many recalls, evenly from 0 to 1, the precision is taken.
        title: What stands above it.
        split_table: Whether the table belongs into a section of its own.
    """
    curves = scoring.precision_recall(y_true, y_probas, labels, classes_to_plot, points=interp_size)
    return _draw_curves(curves, ("recall", "precision"), title, split=split_table)


@_lenient
def roc_curve(
    y_true: Any,
    y_probas: Any = None,
    labels: Sequence[str] | None = None,
    classes_to_plot: Sequence[Any] | None = None,
    title: str = "ROC Curve",
    split_table: bool = False,
) -> CustomChart:
    """Draw the rate of true over that of false positives, a curve for each class; arguments as `pr_curve`."""
    curves = scoring.roc(y_true, y_probas, labels, classes_to_plot)
    return _draw_curves(curves, ("fpr", "tpr"), title, split=split_table)


def _draw_curves(curves: Sequence[scoring.Curve], names: tuple[str, str], title: str, *, split: bool) -> CustomChart:
    rows = [[curve.name, x, y] for curve in curves for x, y in zip(curve.x, curve.y, strict=True)]
    table = Table(columns=["class", *names], data=rows)
    return _draw("curve", table, {"class": "class", "x": names[0], "y": names[1]}, title, split=split)


def visualize(id: str, value: Table) -> CustomChart:  # noqa: A002 - W&B's name
    """Draw a table by a specification's name alone."""
    return plot_table(id, value, {})
