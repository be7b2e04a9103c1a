# Types are checked without Ultralytics too, whose licence asks for a choice.
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""The real Ultralytics YOLO, on shapes that are drawn here; no test may reach the network."""

from __future__ import annotations

import csv
import inspect
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from contracts import shapes

import runhaven

shapes.forbid_downloads()
pytest.importorskip("ultralytics")

from contracts.adapters.ultralytics import SETTINGS as TINY  # noqa: E402 - after the check
from contracts.reading import the_run  # noqa: E402 - after the check
from ultralytics import YOLO  # noqa: E402
from ultralytics import utils as ultralytics_utils  # noqa: E402

from runhaven_integrations.ultralytics import RunhavenCallbacks, add_wandb_callback, attach  # noqa: E402
from runhaven_integrations.ultralytics.samples import Samples  # noqa: E402

SETTINGS = TINY | {"save_period": -1}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        message = "a test reached for the network"
        raise AssertionError(message)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def model_for(folder: Path, task: str = "detect") -> Any:
    return YOLO(shapes.write_model(folder, task), task=task)


def train(model: Any, folder: Path, **settings: Any) -> Any:
    """Train and return the trainer."""
    data = shapes.write(folder / "data", model.task)
    model.train(**(SETTINGS | {"data": str(data), "project": str(folder / "runs"), "epochs": 2} | settings))
    return model.trainer


def rows(run: runhaven.api.Run) -> list[dict[str, Any]]:
    return list(run.scan_history())


def images(run: runhaven.api.Run, row: int = -1) -> list[dict[str, Any]]:
    found = [each["val/images"] for each in rows(run) if "val/images" in each]
    return found[row]["items"]


def written(trainer: Any) -> list[dict[str, str]]:
    with Path(trainer.csv).open() as file:
        return list(csv.DictReader(file))


LOSSES = {
    "detect": {"train/box_loss", "val/box_loss", "metrics/mAP50-95(B)"},
    "segment": {"train/seg_loss", "val/seg_loss", "metrics/mAP50-95(M)"},
    "classify": {"train/loss", "val/loss", "metrics/accuracy_top1"},
    "pose": {"train/pose_loss", "val/kobj_loss", "metrics/mAP50-95(P)"},
    "obb": {"train/box_loss", "train/angle_loss", "metrics/mAP50-95(B)"},
}


@pytest.mark.parametrize(("task", "epochs"), [("detect", 2), ("segment", 2), ("classify", 2), ("pose", 1), ("obb", 1)])
def test_every_row_of_results_csv_is_a_row_of_the_run(tmp_path, task, epochs):
    """With `init()` and no word more, each task's curves are those of `results.csv`, at its epochs, and no point besides."""
    with runhaven.init(project="p"):
        trainer = train(model_for(tmp_path, task), tmp_path, epochs=epochs)
    found = [
        {key: f"{value:.6g}" for key, value in row.items() if isinstance(value, int | float)} for row in rows(the_run())
    ]
    expected = [{key: value for key, value in row.items() if key != "time"} for row in written(trainer)]

    assert [row["_step"] for row in found] == [str(number) for number in range(1, epochs + 1)]
    assert [row | own for row, own in zip(found, expected, strict=True)] == found
    assert LOSSES[task] | {"lr/pg0", "speed/inference_ms", "speed/epoch_s"} <= found[0].keys()
    assert len(images(the_run())) == 2


def test_the_final_evaluation_is_in_the_summary(tmp_path):
    """What the best weights come to stands under `best/`, beside its epoch."""
    with runhaven.init(project="p"):
        trainer = train(model_for(tmp_path, "classify"), tmp_path)
    summary = the_run().summary

    assert summary["best/metrics/accuracy_top1"] == trainer.metrics["metrics/accuracy_top1"]
    assert summary["best/fitness"] == trainer.best_fitness
    assert summary["best/epoch"] in (1, 2)
    assert summary["model/parameters"] == sum(each.numel() for each in trainer.model.parameters())


class Seen:
    """What was handed to `Image`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[Any, dict[str, Any]]] = []
        original = runhaven.Image

        def note(data: Any, **options: Any) -> runhaven.Image:
            self.calls.append((data, options))
            return original(data, **options)

        monkeypatch.setattr(runhaven, "Image", note)


def is_shape(pixels: Any) -> Any:
    """Return where the coloured shape is; ground and padding are grey."""
    return np.ptp(pixels.astype(int), axis=2) > 60


@pytest.mark.parametrize("task", ["detect", "segment", "pose", "obb"])
def test_truth_lies_on_the_shapes(tmp_path, monkeypatch, task):
    """Boxes enclose the very pixels of the shapes, masks cover them, keypoints lie at their corners."""
    with runhaven.init(project="p"):
        seen = Seen(monkeypatch)
        train(model_for(tmp_path, task), tmp_path, epochs=1)

    assert len(seen.calls) == 2
    for pixels, options in seen.calls:
        (box,) = options["boxes"]["ground truth"]["box_data"]
        down, right = np.nonzero(is_shape(pixels))
        place = box["position"]
        assert place["minX"] == pytest.approx(right.min(), abs=1.5)
        assert place["maxX"] == pytest.approx(right.max() + 1, abs=1.5)
        assert place["minY"] == pytest.approx(down.min(), abs=1.5)
        assert place["maxY"] == pytest.approx(down.max() + 1, abs=1.5)
        if task == "detect":
            assert options["masks"] == {}
            continue
        # YOLO keeps true masks at a quarter of the resolution.
        area = options["masks"]["ground truth"]["mask_data"]
        low, high = (slice(int(place["min" + axis]), int(place["max" + axis])) for axis in "YX")
        if task == "pose":
            (top, left), (bottom, far) = (np.argwhere(area == number).mean(0) for number in (1, 2))
            assert (left, top) == pytest.approx((place["minX"], place["minY"]), abs=1.5)
            assert (far, bottom) == pytest.approx((place["maxX"], place["maxY"]), abs=1.5)
            continue
        assert set(np.unique(area[low, high])) >= {box["class_id"] + 1}
        inside = np.zeros(area.shape, bool)
        inside[low, high] = True
        assert ((area > 0) & inside).sum() / ((area > 0) | inside).sum() > 0.6


def test_predictions_are_shown_with_their_confidence(tmp_path, monkeypatch):
    """Of a model that has learned something, sure predictions are boxes of their own group."""
    model = model_for(tmp_path)
    with runhaven.init(project="p"):
        validator = model.task_map["detect"]["validator"](args={"task": "detect", "data": "x", "mode": "val"})
        validator.names = shapes.NAMES
        seen = Seen(monkeypatch)
        samples = Samples(validator, 1, lambda: RunhavenCallbacks(strict=True).adapter.guard("look"))
        torch = pytest.importorskip("torch")
        batch = {
            "img": torch.zeros(1, 3, 32, 32), "batch_idx": torch.zeros(0), "cls": torch.zeros(0, 1),
            "bboxes": torch.zeros(0, 4), "im_file": ["a/b.png"],
        }  # fmt: skip
        pred = {
            "bboxes": torch.tensor([[0.0, 0, 9, 9], [1, 2, 3, 4], [5, 6, 90, 8]]),
            "conf": torch.tensor([0.1, 0.5, 0.9]), "cls": torch.tensor([0.0, 0, 1]),
        }  # fmt: skip
        samples._take([pred], batch)
    ((_, options),) = seen.calls
    boxes = options["boxes"]["predictions"]["box_data"]

    assert [(box["box_caption"], round(box["scores"]["confidence"], 3)) for box in boxes] == [
        ("disc 0.90", 0.9),
        ("square 0.50", 0.5),
    ]
    assert boxes[0]["position"] == {"minX": 5, "minY": 6, "maxX": 32, "maxY": 8}
    assert options["boxes"]["ground truth"]["box_data"] == []
    assert options["caption"] == "b.png"


def test_a_validator_is_left_as_it_was_whatever_breaks(tmp_path, monkeypatch):
    """An error of ours in a validation changes neither its metrics nor the validator."""

    def broken(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as patch, runhaven.init(project="p"):
        patch.setattr(Samples, "_take", broken)
        trainer = train(model_for(tmp_path, "classify"), tmp_path, epochs=1)

    assert rows(the_run())[0]["metrics/accuracy_top1"] == float(written(trainer)[0]["metrics/accuracy_top1"])
    assert "update_metrics" not in vars(trainer.validator)
    assert all("val/images" not in row for row in rows(the_run()))


def test_without_a_word_nothing_is_logged(tmp_path, store):
    """That Runhaven is installed and imported logs no training by itself."""
    train(model_for(tmp_path, "classify"), tmp_path, epochs=1)

    assert not store.exists()


@pytest.mark.parametrize("word", ["runhaven", "wandb"])
def test_a_word_among_the_arguments_has_a_training_logged(tmp_path, word):
    """`runhaven=True` and `wandb=True` open a run; Ultralytics never sees the word."""
    trainer = train(model_for(tmp_path, "classify"), tmp_path, epochs=1, **{word: True})
    runhaven.finish()
    (run,) = runhaven.Api().runs("ultralytics")

    assert run.config["epochs"] == 1
    assert not hasattr(trainer.args, word)
    assert word not in (trainer.save_dir / "args.yaml").read_text().split(":")


def test_false_keeps_a_training_out_of_the_run(tmp_path):
    """`runhaven=False` inside `init()` logs nothing of this training, and of this one alone."""
    with runhaven.init(project="p"):
        model = model_for(tmp_path, "classify")
        train(model, tmp_path, epochs=1, runhaven=False)
        runhaven.log({"mine": 1})

    assert [row.get("mine") for row in rows(the_run())] == [1]


def test_other_unknown_arguments_are_refused_still(tmp_path):
    """Ultralytics' own check of arguments goes on."""
    with pytest.raises(SyntaxError, match="epoch"):
        train(model_for(tmp_path, "classify"), tmp_path, epoch=1, runhaven=True)


@pytest.mark.parametrize(
    "imports",
    ["import ultralytics.cfg as c", "import runhaven, ultralytics.cfg as c", "import ultralytics.cfg as c, runhaven"],
)
def test_the_yolo_command_takes_the_word(tmp_path, imports):
    """`yolo train ... runhaven=True` is a run, with no import and whichever comes first."""
    data = shapes.write(tmp_path / "data", "classify")
    words = [
        "classify", "train", f"model={shapes.write_model(tmp_path, 'classify')}", f"data={data}", "epochs=1", "imgsz=32",
        "batch=2", "device=cpu", "plots=False", f"project={tmp_path / 'runs'}", "runhaven=True",
    ]  # fmt: skip
    code = f"import sys; {imports}; sys.argv[1:] = {words!r}; c.entrypoint()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=os.environ)
    runs = runhaven.Api().runs("ultralytics")

    assert done.returncode == 0, done.stderr[-2000:]
    assert [(run.state, run.summary["epoch"]) for run in runs] == [("finished", 1)]


def test_each_training_of_a_model_is_a_run(tmp_path):
    """A model that is trained twice has two runs, each with its own curves."""
    model = attach(model_for(tmp_path, "classify"), project="p", tags=["t"])
    train(model, tmp_path, epochs=1)
    train(model, tmp_path, epochs=2)
    runhaven.finish()
    runs = runhaven.Api().runs("p", order="+created_at")

    assert [[row["epoch"] for row in rows(run)] for run in runs] == [[1], [1, 2]]
    assert [(run.state, run.tags) for run in runs] == [("finished", ["t"])] * 2


def test_a_validation_by_itself_is_a_row(tmp_path):
    """`val()` logs its metrics, its speed and its images."""
    model = model_for(tmp_path, "classify")
    trainer = train(model, tmp_path, epochs=1)
    with runhaven.init(project="p"):
        metrics = model.val(data=trainer.args.data, imgsz=32, device="cpu", plots=False, project=str(tmp_path))
    (row,) = rows(the_run())

    assert row["metrics/accuracy_top1"] == metrics.top1
    assert row["speed/inference_ms"] > 0
    assert len(images(the_run())) == 2


def test_metrics_stand_only_where_a_validation_was(tmp_path):
    """With `val=False` the epochs without a validation have losses and no metrics; `results.csv` repeats old ones."""
    with runhaven.init(project="p"):
        train(model_for(tmp_path, "classify"), tmp_path, val=False)
    found = rows(the_run())

    assert ["train/loss" in row for row in found] == [True, True]
    assert ["metrics/accuracy_top1" in row for row in found] == [False, True]


def test_images_are_looked_at_as_often_as_asked(tmp_path):
    """Every second epoch, and the last; as many as asked for."""
    model = attach(model_for(tmp_path, "classify"), project="p", image_interval=2, max_images=1)
    train(model, tmp_path, epochs=3)
    runhaven.finish()

    assert ["val/images" in row for row in rows(the_run())] == [False, True, True]
    assert len(images(the_run())) == 1


def test_plots_are_pictures_of_the_run(tmp_path):
    """What Ultralytics draws is kept under its name, each drawing once."""
    with runhaven.init(project="p"):
        trainer = train(model_for(tmp_path), tmp_path, epochs=1, plots=True)
    found = [key for row in rows(the_run()) for key in row if key.startswith("plots/")]
    drawn = {f"plots/{path.stem}" for path in (*trainer.plots, *trainer.validator.plots)}

    assert {"plots/labels", "plots/results", "plots/confusion_matrix", "plots/val_batch0_pred"} <= set(found)
    assert set(found) == drawn
    assert {row["_step"] for row in rows(the_run())} == {1}


def test_the_best_weights_are_the_best_artifact(tmp_path):
    """With `log_model=True` the stripped weights are logged behind the training; `best` is `best.pt`, byte for byte."""
    trainer = train(attach(model_for(tmp_path, "classify"), project="p", log_model=True), tmp_path)
    runhaven.finish()
    best = runhaven.Api().artifact(f"p/model-{the_run().id}:best")
    folder = Path(best.download(root=str(tmp_path / "down")))

    assert (folder / "model.pt").read_bytes() == trainer.best.read_bytes()
    assert best.metadata["original_filename"] == "best.pt"
    assert best.metadata["fitness"] == trainer.best_fitness


def test_other_ranks_log_nothing(tmp_path, monkeypatch, store):
    """Callbacks that Ultralytics calls on each rank are silent on all but the first."""
    monkeypatch.setattr(ultralytics_utils, "RANK", 1)
    train(attach(model_for(tmp_path, "classify"), project="p"), tmp_path, epochs=1)

    assert not store.exists()


def test_callbacks_travel_to_processes_that_train(tmp_path, monkeypatch):
    """A training that is handed to several processes takes callbacks along that go on in the run."""
    pytest.importorskip("cloudpickle")
    from ultralytics.models.yolo.classify import ClassificationTrainer
    from ultralytics.utils import dist
    from ultralytics.utils.patches import torch_load

    data = shapes.write(tmp_path / "data", "classify")
    own = {"data": str(data), "project": str(tmp_path / "runs"), "model": str(shapes.write_model(tmp_path, "classify"))}
    with monkeypatch.context() as patch:
        # A process that hands its training over asks no loggers in.
        patch.setattr("ultralytics.utils.callbacks.add_integration_callbacks", lambda _: None)
        trainer = ClassificationTrainer(overrides=SETTINGS | own)
    (shapes.HOME / "Ultralytics" / "DDP").mkdir(exist_ok=True)
    with runhaven.init(project="p") as run:
        script = Path(dist.generate_ddp_file(trainer))
        state = torch_load(script.with_suffix(".pt"), map_location="cpu")
        owners = [getattr(callback, "__self__", None) for callback in state["callbacks"]["on_fit_epoch_end"]]
        found = [owner for owner in owners if isinstance(owner, RunhavenCallbacks)]

        assert [callback.adapter.run for callback in found] == [run]
    script.unlink()
    script.with_suffix(".pt").unlink()


def test_wandbs_function_takes_its_arguments(tmp_path):
    """`add_wandb_callback` has W&B's parameters, in its order, and returns the model."""
    names = [
        "model", "epoch_logging_interval", "enable_model_checkpointing", "enable_train_validation_logging",
        "enable_validation_logging", "enable_prediction_logging", "max_validation_batches", "visualize_skeleton",
    ]  # fmt: skip
    model = model_for(tmp_path, "classify")
    assert add_wandb_callback(model, 1, True, False, project="p") is model
    train(model, tmp_path, epochs=1)
    runhaven.finish()

    assert list(inspect.signature(add_wandb_callback).parameters)[:-1] == names
    assert "val/images" not in the_run().summary
    assert [artifact.type for artifact in the_run().logged_artifacts()] == ["model"]


@pytest.mark.parametrize(
    "options", [{"nonsense": 1}, {"max_images": -1}, {"image_interval": 0}, {"log_model": "often"}]
)
def test_impossible_options_raise_at_once(tmp_path, options):
    """A word that means nothing is an error where it is written."""
    with pytest.raises((TypeError, runhaven.UsageError), match=str(next(iter(options.values()))) + "|nonsense"):
        attach(model_for(tmp_path, "classify"), **options)
