"""Make a dataset, train classifiers on it, judge the best one and export it, each step a run: their artifacts tell what came from what.

Nothing is downloaded: scikit-learn brings its 8x8 images of digits. Takes a few seconds on two processor cores.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import runhaven

PROJECT = "lineage"
HELD_OUT = 360


def main() -> None:
    """Go through all steps; each takes from the store what the one before it put there."""
    prepare()
    for hidden in (4, 8, 16, 32, 64):
        train(hidden)
    judge()
    export()


def prepare() -> None:
    """Log one part of the images to train on, and one to judge by."""
    images, labels = cast("tuple[Any, Any]", load_digits(return_X_y=True))
    order = np.random.default_rng(0).permutation(len(labels))
    with runhaven.init(project=PROJECT, name="prepare", job_type="data") as run:
        for name, part in (("digits-train", order[HELD_OUT:]), ("digits-test", order[:HELD_OUT])):
            keep(run, name, "dataset", images=images[part] / 16, labels=labels[part])


def train(hidden: int) -> None:
    """Train a network and log it as the next version of the classifier; the best so far is called "best".

    Args:
        hidden: Units of the hidden layer.
    """
    with runhaven.init(project=PROJECT, name=f"train-{hidden}", job_type="train", config={"hidden": hidden}) as run:
        digits = take(run, "digits-train:latest")
        model: Any = MLPClassifier((hidden,), max_iter=300, random_state=0, early_stopping=True)
        model.fit(digits["images"], digits["labels"])
        for loss, accuracy in zip(model.loss_curve_, model.validation_scores_, strict=True):
            run.log({"loss": loss, "val/accuracy": accuracy})
        accuracy = float(model.best_validation_score_)
        weights = {f"w{at}": one for at, one in enumerate(model.coefs_)} | {
            "b0": model.intercepts_[0],
            "b1": model.intercepts_[1],
        }
        keep(
            run,
            "classifier",
            "model",
            aliases=["best"] if is_best(accuracy) else [],
            metadata={"accuracy": accuracy},
            **weights,
        )


def is_best(accuracy: float) -> bool:
    """Tell whether no version of the classifier was better."""
    api = runhaven.Api()
    if not api.artifact_exists(f"{PROJECT}/classifier:best"):
        return True
    return accuracy > api.artifact(f"{PROJECT}/classifier:best").metadata["accuracy"]


def judge() -> None:
    """Log what the best classifier takes the held-out images for."""
    with runhaven.init(project=PROJECT, name="judge", job_type="eval") as run:
        digits, weights = take(run, "digits-test:latest"), take(run, "classifier:best")
        hidden = np.maximum(digits["images"] @ weights["w0"] + weights["b0"], 0)
        guesses = (hidden @ weights["w1"] + weights["b1"]).argmax(axis=1)
        run.summary["test/accuracy"] = float((guesses == digits["labels"]).mean())
        result = runhaven.Artifact("predictions", type="result")
        result.add(runhaven.Table(["truth", "guess"], list(zip(digits["labels"], guesses, strict=True))), "predictions")
        run.log_artifact(result)


def export() -> None:
    """Log the best classifier with half of the bits."""
    with runhaven.init(project=PROJECT, name="export", job_type="export") as run:
        weights = take(run, "classifier:best")
        keep(run, "classifier-f16", "model", **{name: one.astype(np.float16) for name, one in weights.items()})


def keep(
    run: runhaven.Run,
    name: str,
    kind: str,
    /,
    aliases: list[str] | None = None,
    metadata: dict[str, Any] | None = None,
    **arrays: Any,
) -> None:
    """Log arrays as the file of an artifact."""
    artifact = runhaven.Artifact(name, type=kind, metadata=metadata)
    with artifact.new_file("arrays.npz", mode="wb") as file:
        np.savez(file, **arrays)
    run.log_artifact(artifact, aliases=aliases)


def take(run: runhaven.Run, name: str) -> dict[str, Any]:
    """Return the arrays of an artifact, and note that the run uses it."""
    with np.load(Path(run.use_artifact(name).file())) as arrays:
        return dict(arrays)


if __name__ == "__main__":
    main()
