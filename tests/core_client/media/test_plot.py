"""Charts are a table, whose numbers are right, and a Vega-Lite specification over it."""

from __future__ import annotations

import json
from typing import Any, cast

import numpy as np
import pytest
import torch
from sklearn import metrics

import runhaven
from runhaven.media import load, scoring

RNG = np.random.default_rng(0)
TRUE = RNG.integers(0, 3, 300)
SCORES = RNG.dirichlet(np.ones(3), 300) + np.eye(3)[TRUE] * 0.3


def test_a_confusion_matrix_counts_like_scikit_learn():
    """Numbers, tensors and names are counted the same way, in the order of the names."""
    guessed = SCORES.argmax(axis=1)
    expected = metrics.confusion_matrix(TRUE, guessed)
    names = ["boat", "car", "ant"]
    by_number = runhaven.plot.confusion_matrix(y_true=TRUE, preds=torch.from_numpy(guessed), class_names=names)
    by_scores = runhaven.plot.confusion_matrix(SCORES, list(TRUE), None, names)
    by_name = runhaven.plot.confusion_matrix(
        y_true=[names[one] for one in TRUE], preds=[names[one] for one in guessed], class_names=names
    )
    unnamed = runhaven.plot.confusion_matrix(y_true=[2, 2], preds=[2, 0])

    assert [row[2] for row in by_number.table.data] == expected.ravel().tolist()
    assert by_number.table.data[1][:2] == ["boat", "car"]
    assert by_number.table.data == by_scores.table.data == by_name.table.data
    assert [row[0] for row in unnamed.table.data[::3]] == ["Class_0", "Class_1", "Class_2"]


def test_roc_curves_have_the_area_of_scikit_learn():
    """Each class against the rest; dropping points on straight lines leaves the curve as it is."""
    curves = scoring.roc(TRUE, SCORES, None, None)

    for number, curve in enumerate(curves):
        fpr, tpr, _ = metrics.roc_curve(number == TRUE, SCORES[:, number])
        assert metrics.auc(curve.x, curve.y) == pytest.approx(metrics.auc(fpr, tpr))
        assert np.interp(0.5, curve.x, curve.y) == pytest.approx(np.interp(0.5, fpr, tpr))
        assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)


def test_precision_is_the_best_at_that_recall():
    """At each of 21 recalls stands the greatest precision that scikit-learn finds at that recall or beyond."""
    curves = scoring.precision_recall(TRUE, SCORES, None, None, points=21)

    for number, curve in enumerate(curves):
        precision, recall, _ = metrics.precision_recall_curve(number == TRUE, SCORES[:, number])
        expected = [precision[recall >= at - 1e-9].max() if at > 0 else precision[:-1].max() for at in curve.x]
        assert curve.y == pytest.approx(expected)


def test_classes_are_chosen_and_named():
    """`labels` names columns, `classes_to_plot` chooses, and of two classes one column of scores is enough."""
    chosen = runhaven.plot.roc_curve(TRUE, SCORES, labels=["a", "b", "c"], classes_to_plot=[2])
    binary = runhaven.plot.pr_curve(np.array([0, 1, 1]), np.array([0.2, 0.8, 0.6]), ["no", "yes"])
    absent = scoring.roc([0, 2, 2], np.eye(3)[[0, 2, 2]], ["a", "b", "c"], None)

    assert {row[0] for row in chosen.table.data} == {"c"}
    assert {row[0] for row in binary.table.data} == {"no", "yes"}
    assert [curve.name for curve in absent] == ["a", "c"]
    assert absent[1].y == [0.0, 1.0, 1.0]


def test_lines_share_x_or_have_their_own():
    """`line_series` pairs each point with its line's name."""
    shared = runhaven.plot.line_series(xs=[0, 1], ys=[[1, 2], [3, 4]], keys=["a", "b"], xname="step")
    own = runhaven.plot.line_series(xs=np.array([[0, 1], [5, 6]]), ys=torch.tensor([[1, 2], [3, 4]]))

    assert shared.table.data == [[0, "a", 1], [1, "a", 2], [0, "b", 3], [1, "b", 4]]
    assert shared.table.columns == ["step", "lineKey", "lineVal"]
    assert own.table.data == [[0, "line_0", 1], [1, "line_0", 2], [5, "line_1", 3], [6, "line_1", 4]]
    assert runhaven.plot.line_series(xs=[0], ys=[[1, 2]]).problem is not None


def test_every_chart_is_kept_with_table_and_specification(keep):
    """The row has the chart, and its table once more under a key of its own; the specification names existing columns."""
    table = runhaven.Table(columns=["label.x", "y", "who"], data=[[1, 2.0, "a"], [2, 3.0, "b"]])
    plot = runhaven.plot
    charts = {
        "bar": plot.bar(table, "who", "y", title="Bars"),
        "line": plot.line(table, "label.x", "y", stroke="who"),
        "scatter": plot.scatter(table, "label.x", "y"),
        "histogram": plot.histogram(table, "y"),
        "series": plot.line_series([0, 1], [[1, 2]]),
        "confusion": plot.confusion_matrix(y_true=[0, 1], preds=[1, 1]),
        "roc": plot.roc_curve(TRUE, SCORES),
        "pr": plot.pr_curve(TRUE, SCORES),
        "preset": plot.plot_table("wandb/bar/v0", table, {"label": "who", "value": "y"}),
        "own": plot.plot_table({"mark": "bar", "data": {"name": "table"}}, table, {}),
        "foreign": plot.plot_table("someone/chart", table, {"x": "y"}, {"title": "T"}, split_table=True),
    }
    kept = keep(**charts)

    for key, chart in charts.items():
        chart.set_key(key)
        reference = kept[key]
        assert reference["_type"] == "custom-chart", reference
        assert kept[chart.spec.table_key] == reference["table"]
        columns = load(reference["table"], kept.store).columns
        if key == "foreign":
            assert "spec" not in reference
            continue
        spec = json.loads(kept.bytes(reference["spec"]))
        fields = [
            channel["field"].replace("\\", "") for channel in spec.get("encoding", {}).values() if "field" in channel
        ]
        assert spec["data"] == {"name": "table"}
        assert set(fields) <= set(columns)
    assert json.loads(kept.bytes(kept["bar"]["spec"]))["title"] == "Bars"
    assert json.loads(kept.bytes(kept["line"]["spec"]))["encoding"]["x"]["field"] == "label\\.x"
    assert "Custom Chart Tables/foreign_table" in kept.row


def test_the_specification_is_stored_once(store):
    """A chart that is logged at each epoch stores its specification once."""
    run = runhaven.init(project="p")
    for epoch in range(5):
        run.log({"matrix": runhaven.plot.confusion_matrix(y_true=[0, 1], preds=[epoch % 2, 1])})
    run.finish()
    rows = list(runhaven.Api().run(run.path).scan_history())

    assert len({row["matrix"]["spec"]["sha256"] for row in rows}) == 1
    assert len({row["matrix_table"]["sha256"] for row in rows}) == 2


@pytest.mark.parametrize(
    "make",
    [
        runhaven.plot.confusion_matrix,
        lambda: runhaven.plot.confusion_matrix(probs=[[1]], preds=[0], y_true=[0]),
        lambda: runhaven.plot.confusion_matrix(y_true=["a"], preds=["b"], class_names=["a"]),
        lambda: runhaven.plot.roc_curve([0, 1], [[0.1, float("nan")], [0, 1]]),
        lambda: runhaven.plot.pr_curve([0, 1], [[0.1, 0.9]]),
        lambda: runhaven.plot.bar(runhaven.Table(columns=["a"], data=[[1]]), "a", "b"),
        lambda: runhaven.plot.bar(cast("Any", "no table"), "a", "b"),
    ],
)
def test_bad_data_is_a_placeholder(keep, make):
    """Making a chart of it does not raise; the row says what was wrong."""
    kept = keep(chart=make(), loss=1.0)

    assert kept["chart"]["_type"] == "error"
    assert kept["loss"] == 1.0
