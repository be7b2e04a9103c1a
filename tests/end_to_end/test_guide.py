"""The calls of the W&B guide about runs, media and artifacts, in its order and with its arguments, after one changed import.

The guide's fragments leave names free (`loss`, `img`, `labels`, `run` ...); a real training on scikit-learn's digits gives them
values. Its sections about sweeps, reports and webhooks are not here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from PIL import Image as Pillow
from sklearn import metrics
from sklearn.datasets import load_digits

import runhaven
from runhaven.media import load

if TYPE_CHECKING:
    from collections.abc import Callable

PROJECT = "harbor-defect-classifier"

# Whatever would leave the machine, or open a way into it, fails and is remembered.
NO_SOCKETS = """
import sys
tried = []
def forbid(event, arguments):
    if event in ("socket.connect", "socket.bind", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"):
        tried.append((event, repr(arguments)))
        raise OSError("no socket here")
sys.addaudithook(forbid)
"""

EARLIER = """
import pathlib
import runhaven as wandb

wandb.init(project="harbor-defect-classifier", name="preprocess", job_type="preprocess")
for version in range(4):
    artifact = wandb.Artifact("defect-images", type="dataset")
    with artifact.new_file("train/labels.csv") as file:
        file.write(f"version {version}")
    wandb.log_artifact(artifact)
    assert artifact.version == f"v{version}"
wandb.finish()
"""

DATA = """
import json
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

images, targets = load_digits(return_X_y=True)
images = images / 16
x, held_out, y, labels = train_test_split(images, targets, test_size=0.3, random_state=0)
model = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=3e-4, random_state=0)
told = {"loss": [], "auc": []}

def step():
    before = model.coef_.copy() if hasattr(model, "coef_") else 0
    model.partial_fit(x, y, classes=range(10))
    probabilities = model.predict_proba(held_out)
    told["loss"].append(float(log_loss(labels, probabilities)))
    told["auc"].append(float(roc_auc_score(labels, probabilities, multi_class="ovr")))
    return told["loss"][-1], told["auc"][-1], np.abs(model.coef_ - before).ravel()
"""

GUIDE = """
import runhaven as wandb

wandb.init(
    project="harbor-defect-classifier",
    name="resnet50-baseline",
    config={"lr": 3e-4, "batch_size": 32, "epochs": 50}
)
for epoch in range(wandb.config.epochs):
    loss, auc, _ = step()
    wandb.log({"train_loss": loss, "val_auc": auc}, step=epoch)
wandb.finish()

wandb.init(project="harbor-defect-classifier", name="tuned", group="sweep-2026-06-09", job_type="train", tags=["dataset=v4"],
           config={"lr": 3e-4})
run = wandb.run
new_lr = 1e-4
wandb.log({"gpu_mem_gb": 3.5})
wandb.config.update({"lr": new_lr})

loss, auc, grad_norms = step()
preds, classes = model.predict(held_out), [f"digit {number}" for number in range(10)]
img = (held_out[0].reshape(8, 8) * 255).astype(np.uint8)
wandb.log({
    "predictions": wandb.Image(img, caption="epoch 10"),
    "confusion_matrix": wandb.plot.confusion_matrix(
        probs=None, y_true=labels, preds=preds, class_names=classes
    ),
    "gradients": wandb.Histogram(grad_norms)
})

artifact = wandb.Artifact("defect-images", type="dataset")
artifact.add_dir("./data/v4/train", name="train")
wandb.log_artifact(artifact)

with open("checkpoint.pt", "wb") as file:
    np.savez(file, coefficients=model.coef_)
model_art = wandb.Artifact("resnet50-champion", type="model")
model_art.add_file("checkpoint.pt")
model_art.wait()  # resolve dataset artifact first
run.log_artifact(model_art)

run.use_artifact("harbor-defect-classifier/defect-images:v4")
dataset_path = artifact.download()
run.use_artifact("defect-images:v4")

run.link_artifact(
    artifact=model_art,
    target_path="harbor-defect-classifier/production"
)
wandb.finish()
"""

TOLD = """
np.savez("told.npz", img=img, labels=labels, preds=preds, grad_norms=grad_norms)
print(json.dumps(told | {"dataset_path": str(dataset_path), "tried": tried, "is_live": type(run).__name__}))
"""


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Return a directory with the guide's data: a picture for each of a few digits."""
    folder = tmp_path / "work" / "data" / "v4" / "train"
    folder.mkdir(parents=True)
    for number, digit in enumerate(cast("Any", load_digits()).images[:20]):
        Pillow.fromarray((digit * 15).astype(np.uint8)).save(folder / f"{number:02}.png")
    return tmp_path / "work"


@pytest.fixture
def python(work: Path) -> Callable[[str], str]:
    """Run code in a process of its own, as a new user would; returns what it printed."""

    def run(code: str) -> str:
        (work / "train.py").write_text(textwrap.dedent(code))
        done = subprocess.run(
            [sys.executable, "train.py"], cwd=work, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout

    return run


@pytest.fixture
def told(python: Callable[[str], str]) -> dict[str, Any]:
    """Follow the guide; returns what its script says that it logged."""
    python(EARLIER)
    return json.loads(python(NO_SOCKETS + DATA + GUIDE + TOLD).splitlines()[-1])


def test_the_guide_runs_unchanged(told, work, store):
    """Every call succeeds without account, server or network, and reading gives exactly what was logged."""
    given = np.load(work / "told.npz")
    assert told["tried"] == []
    assert told["is_live"] == "Run"
    check_curves(told)
    check_media(given, store)
    check_artifacts(told, work)


def check_curves(told: dict[str, Any]) -> None:
    runs = {run.name: run for run in runhaven.Api().runs(PROJECT)}
    baseline, tuned = runs["resnet50-baseline"], runs["tuned"]
    rows = list(baseline.scan_history())

    assert set(runs) == {"preprocess", "resnet50-baseline", "tuned"}
    assert {run.state for run in runs.values()} == {"finished"}
    assert dict(baseline.config) == {"lr": 3e-4, "batch_size": 32, "epochs": 50}
    assert [row["_step"] for row in rows] == list(range(50))
    assert [row["train_loss"] for row in rows] == told["loss"][:50]
    assert [row["val_auc"] for row in rows] == told["auc"][:50]
    assert (tuned.group, tuned.job_type, tuned.tags) == ("sweep-2026-06-09", "train", ["dataset=v4"])
    assert dict(tuned.config) == {"lr": 1e-4}
    assert [change["set"] for change in tuned.config_history] == [{"lr": 3e-4}, {"lr": 1e-4}]
    assert tuned.config_history[1]["step"] == 1
    assert [run.name for run in runhaven.Api().runs(PROJECT, filters={"tags": "dataset=v4"})] == ["tuned"]


def check_media(given: Any, store: Path) -> None:
    (run,) = runhaven.Api().runs(PROJECT, filters={"display_name": "tuned"})
    row = list(run.scan_history())[1]
    matrix = load(row["confusion_matrix_table"], store)
    counts, edges = np.histogram(given["grad_norms"], bins=64)
    expected = metrics.confusion_matrix(given["labels"], given["preds"], labels=range(10))
    names = [f"digit {number}" for number in range(10)]

    assert (np.asarray(Pillow.open(run.open_media(row["predictions"]))) == given["img"]).all()
    assert row["predictions"]["caption"] == "epoch 10"
    assert row["confusion_matrix"]["_type"] == "custom-chart"
    assert matrix.data == [[names[i], names[j], int(expected[i, j])] for i in range(10) for j in range(10)]
    assert row["gradients"] == {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}


def check_artifacts(told: dict[str, Any], work: Path) -> None:
    api = runhaven.Api()
    (run,) = api.runs(PROJECT, filters={"display_name": "tuned"})
    data, model = api.artifact(f"{PROJECT}/defect-images:v4"), api.artifact(f"{PROJECT}/resnet50-champion:latest")
    linked = api.artifact(f"{PROJECT}/production:latest")
    pictures = {f"train/{path.name}": path.read_bytes() for path in (work / "data" / "v4" / "train").iterdir()}
    downloaded = work / told["dataset_path"]
    maker = data.logged_by()

    assert {
        str(path.relative_to(downloaded)): path.read_bytes() for path in downloaded.rglob("*") if path.is_file()
    } == pictures
    assert sorted(data.manifest.entries) == sorted(pictures)
    assert (data.version, data.type, "latest" in data.aliases) == ("v4", "dataset", True)
    assert [one.version for one in api.artifacts("dataset", f"{PROJECT}/defect-images")] == [
        "v4",
        "v3",
        "v2",
        "v1",
        "v0",
    ]
    assert maker is not None
    assert maker.name == "tuned"
    assert [one.name for one in data.used_by()] == ["tuned"]
    assert sorted(one.name for one in run.logged_artifacts()) == ["defect-images:v4", "resnet50-champion:v0"]
    assert {one.name for one in run.used_artifacts()} == {"defect-images:v4"}
    assert (
        Path(model.get_entry("checkpoint.pt").download(work / "back")).read_bytes()
        == (work / "checkpoint.pt").read_bytes()
    )
    assert linked.is_link
    assert linked.source_artifact.qualified_name == model.qualified_name
    assert linked.digest == model.digest
    assert "production" in model.aliases
