"""PyTorch Lightning's case."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from contracts.case import Point, Trained

lightning = pytest.importorskip("lightning.pytorch")

from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: E402 - after the check
from lightning.pytorch.loggers import CSVLogger  # noqa: E402

from runhaven_integrations.lightning import RunhavenLogger  # noqa: E402


class Model(lightning.LightningModule):
    def __init__(self, lr: float = 0.01, options: object = None) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = torch.nn.Linear(4, 1)
        self.on_batch: Callable[[int, int], None] | None = None

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        if self.on_batch is not None:
            self.on_batch(self.current_epoch, index)
        loss = self.layer(batch[0]).square().mean()
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch: list[torch.Tensor], _: int) -> None:
        self.log("val_loss", self.layer(batch[0]).square().mean())

    def test_step(self, batch: list[torch.Tensor], _: int) -> None:
        self.log("test_loss", self.layer(batch[0]).square().mean())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01)


def loader() -> torch.utils.data.DataLoader[tuple[torch.Tensor, ...]]:
    return torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(16, 4)), batch_size=4)


def trainer(folder: Path, *loggers: object, **options: object) -> Any:
    settings = {"max_epochs": 2, "accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False}
    return lightning.Trainer(
        **(settings | {"log_every_n_steps": 1, "logger": loggers, "default_root_dir": folder} | options)
    )


def points_of(metrics: Path) -> set[Point]:
    with metrics.open() as file:
        rows = list(csv.DictReader(file))
    return {
        (key, int(row["step"]), float(value)) for row in rows for key, value in row.items() if value and key != "step"
    }


class Case:
    package = "lightning_utilities"
    missing = "RunhavenLogger needs the package 'lightning', which cannot be imported. Run: pip install lightning"
    parameters: ClassVar[dict[str, Any]] = {
        "lr": 0.5,
        "options": {"path": "/x", "call": "torch.nn.modules.linear.Linear", "deep": {"a": [1, None]}},
    }
    best = ("val_loss", "min")
    epoch = "epoch"

    def make(self, **options: Any) -> RunhavenLogger:
        return RunhavenLogger(**options)

    def train(
        self,
        folder: Path,
        *,
        epochs: int = 2,
        is_resumed: bool = False,
        on_batch: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Trained:
        torch.manual_seed(0)
        saved = folder / "checkpoints"
        peer = CSVLogger(folder, name=f"csv-{epochs}")
        saving = ModelCheckpoint(saved, monitor="val_loss", mode="min", save_top_k=-1, save_last=True)
        fit = trainer(folder, self.make(**options), peer, max_epochs=epochs, callbacks=[saving])
        model = Model(0.5, {"path": Path("/x"), "call": torch.nn.Linear, "deep": {"a": [1, None]}})
        model.on_batch = on_batch
        fit.fit(model, loader(), loader(), ckpt_path=saved / "last.ckpt" if is_resumed else None, weights_only=False)
        found = sorted(saved.glob("*.ckpt"), key=lambda path: path.stat().st_mtime_ns)
        return Trained(points_of(Path(peer.log_dir) / "metrics.csv"), found)


case = Case()
