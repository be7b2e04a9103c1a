# Types are checked without Ultralytics too, whose licence asks for a choice.
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""Ultralytics YOLO's case: a detector of squares and discs."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from contracts import shapes
from contracts.case import Point, Trained

shapes.forbid_downloads()
pytest.importorskip("ultralytics")

from ultralytics import YOLO  # noqa: E402 - after the check

from runhaven_integrations.ultralytics import RunhavenCallbacks  # noqa: E402

SETTINGS: dict[str, Any] = {
    "imgsz": shapes.SIZE, "batch": 2, "device": "cpu", "plots": False, "save_period": 1, "lr0": 0.02, "optimizer": "SGD",
    "verbose": False, "warmup_epochs": 0,
}  # fmt: skip
LAST = 3


class Peer:
    """Writes down what the trainer says of itself, and drives the training for the tests."""

    def __init__(self, epochs: int, on_batch: Callable[[int, int], None] | None) -> None:
        self.points: set[Point] = set()
        self._epochs = epochs
        self._on_batch = on_batch
        self._batch = 0

    def on_train_epoch_start(self, _: Any) -> None:
        self._batch = 0

    def on_train_batch_start(self, trainer: Any) -> None:
        if self._on_batch is not None:
            self._on_batch(trainer.epoch, self._batch)
        self._batch += 1

    def on_fit_epoch_end(self, trainer: Any) -> None:
        if not trainer.validator.training:
            return
        epoch = trainer.epoch + 1
        shown = {**trainer.label_loss_items(trainer.tloss), **trainer.metrics, **trainer.lr}
        with trainer.csv.open() as file:
            written = list(csv.DictReader(file))[-1]
        assert int(written["epoch"]) == epoch
        assert {key: f"{value:.6g}" for key, value in shown.items()}.items() <= written.items()
        speed = {f"speed/{part}_ms": value for part, value in trainer.validator.speed.items()}
        row = shown | speed | {"speed/epoch_s": trainer.epoch_time, "epoch": epoch}
        self.points |= {(key, epoch, float(value)) for key, value in row.items()}
        trainer.stop = trainer.stop or epoch == self._epochs


def newest(folder: Path) -> Path:
    return max(folder.rglob("epoch*.pt"), key=lambda path: path.stat().st_mtime_ns)


class Case:
    package = "ultralytics"
    missing = (
        "RunhavenCallbacks needs the package 'ultralytics', which cannot be imported. Run: pip install ultralytics"
    )
    parameters: ClassVar[dict[str, Any]] = {"lr0": 0.02, "imgsz": 32, "optimizer": "SGD", "classes": None}
    best = ("val/cls_loss", "min")
    epoch = "epoch"

    def make(self, **options: Any) -> RunhavenCallbacks:
        return RunhavenCallbacks(max_images=0, **options)

    def train(
        self,
        folder: Path,
        *,
        epochs: int = 2,
        is_resumed: bool = False,
        on_batch: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Trained:
        data = shapes.write(folder / "data", "detect")
        model: Any = YOLO(newest(folder) if is_resumed else shapes.write_model(folder, "detect"))
        peer = Peer(epochs, on_batch)
        self.make(**options).attach(model)
        for event in ("on_train_epoch_start", "on_train_batch_start", "on_fit_epoch_end"):
            model.add_callback(event, getattr(peer, event))
        own = {"resume": True} if is_resumed else {"data": str(data), "project": str(folder / "runs"), "epochs": LAST}
        model.train(**(own if is_resumed else SETTINGS | own))
        weights = Path(model.trainer.wdir).glob("*.pt")
        return Trained(peer.points, sorted(weights, key=lambda path: path.stat().st_mtime_ns))


case = Case()
