"""A classifier of digits that shows every kind of media that a run can keep."""

from __future__ import annotations

from typing import Any, cast

import matplotlib as mpl
import numpy as np
import plotly.express as px
from matplotlib.figure import Figure
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neural_network import MLPClassifier

import runhaven

EPOCHS = 10
NAMES = [f"digit {number}" for number in range(10)]
COLORS: Any = mpl.colormaps["tab10"](np.arange(10), bytes=True)[:, :3].astype(int)


def main() -> None:
    """Train, and log after each epoch what a person would look at."""
    digits, targets = cast("tuple[Any, Any]", load_digits(return_X_y=True))
    order = np.random.default_rng(0).permutation(len(digits))
    digits, targets = digits[order] / 16, targets[order]
    x, y, held_out, labels = digits[540:], targets[540:], digits[:540], targets[:540]
    model: Any = MLPClassifier((32,), learning_rate_init=0.01, random_state=0)
    weights: list[Any] = []
    scores: Any = None
    mistakes = runhaven.Table(columns=["epoch", "image", "is", "taken for"], log_mode="INCREMENTAL")
    with runhaven.init(project="media", config={"hidden": 32, "epochs": EPOCHS}) as run:
        for epoch in range(EPOCHS):
            model.partial_fit(x, y, classes=np.arange(10))
            scores = model.predict_proba(held_out)
            weights.append(model.coefs_[0])
            run.log({"loss": model.loss_, "accuracy": model.score(held_out, labels)}, step=epoch)
            run.log(pictures(held_out, labels, scores) | charts(labels, scores), step=epoch)
            run.log({"weights": runhaven.Histogram(model.coefs_[0]), "first layer": heat(model.coefs_[0])}, step=epoch)
            add_mistakes(mistakes, epoch, held_out, labels, scores)
            run.log({"mistakes": mistakes}, step=epoch)
        run.log(scenes(digits, targets) | {"training": film(weights), "model": graph(model)})
        run.log(documents(labels, scores))
        keep_predictions(run, held_out, labels, scores)


def enlarged(digit: Any, times: int = 8) -> Any:
    """Return a digit as a square of values from 0 to 1."""
    return digit.reshape(8, 8).repeat(times, 0).repeat(times, 1)


def pictures(digits: Any, labels: Any, scores: Any) -> dict[str, Any]:
    """Return single pictures, a list of them, and a sheet with boxes, a mask and the names of classes."""
    sheet: Any = np.vstack([np.hstack([enlarged(digits[row * 5 + column]) for column in range(5)]) for row in range(4)])
    boxes: list[dict[str, Any]] = [
        {
            "position": {"minX": at % 5 / 5, "maxX": (at % 5 + 1) / 5, "minY": at // 5 / 4, "maxY": (at // 5 + 1) / 4},
            "class_id": int(scores[at].argmax()),
            "box_caption": NAMES[scores[at].argmax()],
            "scores": {"probability": float(scores[at].max())},
        }
        for at in range(20)
    ]
    mask = (sheet > sheet.mean()) * (labels[:20].reshape(4, 5) + 1).repeat(64, 0).repeat(64, 1)
    ink: dict[int, str] = {0: "paper"} | {number + 1: name for number, name in enumerate(NAMES)}
    return {
        "sheet": runhaven.Image(
            sheet,
            caption="what the model sees in each square",
            boxes={"predictions": {"box_data": boxes, "class_labels": dict(enumerate(NAMES))}},
            masks={"ink": {"mask_data": mask, "class_labels": ink}},
        ),
        "first digits": [runhaven.Image(enlarged(digits[at]), caption=NAMES[int(labels[at])]) for at in range(8)],
    }


def heat(weights: Any) -> runhaven.Image:
    """Return the weights of a layer: a batch of pictures, which becomes a grid, their range stretched."""
    return runhaven.Image(weights.T.reshape(-1, 1, 8, 8).repeat(8, 2).repeat(8, 3), caption="32 hidden units")


def charts(labels: Any, scores: Any) -> dict[str, Any]:
    """Return what a classifier is judged by."""
    return {
        "confusion": runhaven.plot.confusion_matrix(y_true=labels, preds=scores.argmax(axis=1), class_names=NAMES),
        "roc": runhaven.plot.roc_curve(labels, scores, labels=NAMES),
        "pr": runhaven.plot.pr_curve(labels, scores, labels=NAMES),
    }


def add_mistakes(table: runhaven.Table, epoch: int, digits: Any, labels: Any, scores: Any) -> None:
    """Add a few digits that were taken for others."""
    guessed = scores.argmax(axis=1)
    for at in np.flatnonzero(guessed != labels)[:5]:
        table.add_data(epoch, runhaven.Image(enlarged(digits[at], 4)), NAMES[labels[at]], NAMES[guessed[at]])


def scenes(digits: Any, targets: Any) -> dict[str, Any]:
    """Return all digits as points in space, once with colours and once with boxes around two classes."""
    places = cast("Any", PCA(3)).fit_transform(digits)
    boxes = [
        runhaven.box3d(
            center=places[targets == number].mean(axis=0),
            size=places[targets == number].std(axis=0) * 2,
            orientation=(1, 0, 0, 0),
            color=tuple(COLORS[number]),
            label=NAMES[number],
        )
        for number in (0, 1)
    ]
    return {
        "digits in space": runhaven.Object3D(
            np.hstack([places, COLORS[targets]]), caption="three principal components"
        ),
        "two classes": runhaven.Object3D.from_point_cloud(places, boxes),
    }


def film(weights: list[Any]) -> runhaven.Video:
    """Return the weights of all epochs as a moving picture: time x channel x height x width."""
    frames = np.stack([layer.T.reshape(4, 8, 8, 8).swapaxes(1, 2).reshape(32, 64) for layer in weights])
    frames = (frames - frames.min()) / np.ptp(frames)
    return runhaven.Video(frames[:, None].repeat(6, 2).repeat(6, 3), caption="the first layer learns", fps=4)


def graph(model: Any) -> runhaven.Graph:
    """Return the layers of the model."""
    found = runhaven.Graph("sklearn")
    before = found.add_node(id="pixels", name="pixels", output_shape=[None, 64])
    for number, layer in enumerate(model.coefs_):
        rows, columns = layer.shape
        name = f"dense {number}"
        node = found.add_node(
            id=name, name=name, class_name="Dense", output_shape=[None, columns], num_parameters=(rows + 1) * columns
        )
        found.add_edge(before, node)
        before = node
    return found


def documents(labels: Any, scores: Any) -> dict[str, Any]:
    """Return a sound, a page, a molecule, figures of matplotlib's and plotly's, and charts drawn from a table."""
    accuracy = [float((scores.argmax(axis=1) == labels)[labels == number].mean()) for number in range(10)]
    table = runhaven.Table(
        columns=["digit", "accuracy", "count"],
        data=[[NAMES[number], accuracy[number], int((labels == number).sum())] for number in range(10)],
    )
    figure = Figure(figsize=(4, 3))
    figure.subplots().bar(range(10), accuracy)
    seconds = np.arange(8000) / 8000
    tune = np.concatenate([np.sin(2 * np.pi * (220 + 660 * value) * seconds[:2000]) for value in accuracy]) / 2
    bars = {
        "mark": "bar",
        "data": {"name": "table"},
        "encoding": {"x": {"field": "digit"}, "y": {"field": "accuracy", "type": "quantitative"}},
    }
    return {
        "tune": runhaven.Audio(tune, sample_rate=8000, caption="the higher, the better", spectrogram=True),
        "note": runhaven.Html(f"<h1>Digits</h1><p>The best is <b>{NAMES[int(np.argmax(accuracy))]}</b>.</p>"),
        "caffeine": runhaven.Molecule.from_smiles("CN1C=NC2=C1C(=O)N(C(=O)N2C)C", caption="what the night took", convert_to_3d_and_optimize=False),
        "matplotlib": figure,
        "plotly": px.bar(x=NAMES, y=accuracy),
        "by digit": runhaven.plot.bar(table, "digit", "accuracy", title="Accuracy"),
        "accuracy over count": runhaven.plot.scatter(table, "count", "accuracy"),
        "accuracies": runhaven.plot.histogram(table, "accuracy"),
        "scores": runhaven.plot.line_series(list(range(10)), scores[:3].tolist(), keys=["first", "second", "third"], xname="class"),
        "own chart": runhaven.plot.plot_table(bars, table, {}),
    }  # fmt: skip


def keep_predictions(run: runhaven.Run, digits: Any, labels: Any, scores: Any) -> None:
    """Keep all predictions, with their pictures, as a versioned artifact."""
    table = runhaven.Table(columns=["image", "is", "taken for", "probability"])
    for digit, label, score in zip(digits, labels, scores, strict=True):
        table.add_data(runhaven.Image(digit.reshape(8, 8)), NAMES[label], NAMES[score.argmax()], float(score.max()))
    artifact = runhaven.Artifact("predictions", type="result")
    artifact.add(table, "predictions")
    run.log_artifact(artifact)


if __name__ == "__main__":
    main()
