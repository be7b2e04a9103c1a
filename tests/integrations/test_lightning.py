"""The real PyTorch Lightning, under both its names, on a tiny model."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

import runhaven

lightning = pytest.importorskip("lightning.pytorch")

from contracts.adapters.lightning import Model, loader, points_of, trainer  # noqa: E402 - after the check
from lightning.pytorch.callbacks import LearningRateMonitor  # noqa: E402
from lightning.pytorch.loggers import CSVLogger  # noqa: E402

from runhaven_integrations.lightning import RunhavenLogger  # noqa: E402


def the_run() -> runhaven.api.Run:
    (run,) = runhaven.Api().runs("p")
    return run


def points(run: runhaven.api.Run) -> list[tuple[str, int, float]]:
    return [
        (key, row["_step"], float(value))
        for row in run.scan_history()
        for key, value in row.items()
        if not key.startswith("_")
    ]


def test_curves_equal_those_of_lightnings_own_logger(tmp_path):
    """Every value that CSVLogger writes is in the run at the same step, and nothing else is."""
    logger, peer = RunhavenLogger(project="p"), CSVLogger(tmp_path, name="csv", version="0")
    fit = trainer(tmp_path, logger, peer, callbacks=[LearningRateMonitor("step")])
    fit.fit(Model(), loader(), loader())
    fit.test(Model(), loader(), verbose=False)
    runhaven.finish()
    found = points(the_run())

    assert len(found) == len(set(found))
    assert set(found) == points_of(tmp_path / "csv" / "0" / "metrics.csv")


def test_fit_validate_and_test_share_one_run_that_ends_with_the_process(tmp_path):
    """Nothing that a trainer does ends the run; `finish` does."""
    logger = RunhavenLogger(project="p", name="n", tags=["t"])
    fit = trainer(tmp_path, logger)
    model = Model()
    fit.fit(model, loader(), loader())
    fit.validate(model, loader(), verbose=False)
    fit.test(model, loader(), verbose=False)
    (run,) = runhaven.Api().runs("p")
    assert run.state == "running"
    runhaven.finish()
    run.refresh()

    assert (run.state, run.name, run.tags) == ("finished", "n", ["t"])
    assert {"train_loss_step", "train_loss_epoch", "val_loss", "test_loss", "epoch"} <= run.summary.keys()


def test_resuming_from_a_checkpoint_continues_the_run(tmp_path):
    """With the run's id, a training that goes on from a checkpoint goes on in the same run, at its steps."""
    first = RunhavenLogger(project="p", save_dir=str(tmp_path))
    fit = trainer(tmp_path, first, max_epochs=1)
    fit.fit(Model(), loader(), loader())
    checkpoint = fit.checkpoint_callback.best_model_path
    assert Path(checkpoint).is_relative_to(tmp_path / "p" / first.version / "checkpoints")
    runhaven.finish()
    second = RunhavenLogger(project="p", id=first.version)
    trainer(tmp_path, second, max_epochs=2).fit(Model(), loader(), loader(), ckpt_path=checkpoint)
    runhaven.finish()
    (run,) = runhaven.Api().runs("p")

    assert second.version == first.version
    assert [row["_step"] for row in run.scan_history() if "train_loss_step" in row] == list(range(8))
    assert len(run.config_history) >= 1


def test_an_active_run_is_used_and_a_prefix_put_before_names(tmp_path):
    """Inside `init()` the logger logs into that run."""
    with runhaven.init(project="mine") as run:
        logger = RunhavenLogger(project="ignored", prefix="fold0")
        trainer(tmp_path, logger, max_epochs=1).fit(Model(), loader(), loader())
        assert logger.experiment is run
        assert logger.version == run.id
    (found,) = runhaven.Api().runs()

    assert found.project == "mine"
    assert "fold0-val_loss" in found.summary


def test_no_run_is_made_until_lightning_asks(store):
    """Making a logger, and asking for its names, touches nothing."""
    logger = RunhavenLogger(project="p")

    assert (logger.name, logger.version, logger.save_dir) == ("p", logger.version, None)
    assert not store.exists()


SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import runhaven
from contracts.adapters import lightning as t
if __name__ == "__main__":
    logger = t.RunhavenLogger(project="ddp")
    if {early!r}:
        logger.experiment
    fit = t.trainer({root!r}, logger, devices=2, strategy={strategy!r}, max_epochs=1)
    fit.fit(t.Model(), t.loader(), t.loader())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="gloo on loopback")
@pytest.mark.parametrize(("strategy", "early"), [("ddp", False), ("ddp_spawn", False), ("ddp_spawn", True)])
def test_two_processes_make_one_run(tmp_path, strategy, early):
    """Under ddp and ddp_spawn rank 0 alone logs, each row once, and the run finishes."""
    text = textwrap.dedent(SCRIPT).format(
        folder=str(Path(__file__).parents[1]), root=str(tmp_path), strategy=strategy, early=early
    )
    (tmp_path / "train.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False,
        env=os.environ | {"PL_TORCH_DISTRIBUTED_BACKEND": "gloo"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = runhaven.Api().runs("ddp")
    assert run.state == "finished"
    assert [row["_step"] for row in run.scan_history() if "train_loss_step" in row] == [0, 1]


def test_the_other_name_of_the_package_works_too(tmp_path):
    """`pytorch_lightning.Trainer` takes the same logger."""
    other = pytest.importorskip("pytorch_lightning")

    class Tiny(other.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
            loss = self.layer(batch[0]).square().mean()
            self.log("loss", loss)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    other.Trainer(
        max_epochs=1, logger=RunhavenLogger(project="p"), accelerator="cpu", enable_progress_bar=False,
        enable_model_summary=False, log_every_n_steps=1, default_root_dir=tmp_path,
    ).fit(Tiny(), loader())  # fmt: skip
    runhaven.finish()
    (run,) = runhaven.Api().runs("p")

    assert [row["_step"] for row in run.scan_history() if "loss" in row] == [0, 1, 2, 3]
