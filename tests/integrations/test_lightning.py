"""The real PyTorch Lightning, under both its names, on a tiny model."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch

import runhaven
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import Event

lightning = pytest.importorskip("lightning.pytorch")

from contracts.adapters.lightning import Model, loader, points_of, trainer  # noqa: E402 - after the check
from contracts.reading import points, the_run  # noqa: E402 - after the check
from lightning.pytorch.callbacks import DeviceStatsMonitor, EarlyStopping, LearningRateMonitor, ModelCheckpoint  # noqa: E402
from lightning.pytorch.cli import LightningCLI  # noqa: E402
from lightning.pytorch.loggers import CSVLogger, WandbLogger  # noqa: E402

from runhaven_integrations.lightning import RunhavenLogger  # noqa: E402


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
        [sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PL_TORCH_DISTRIBUTED_BACKEND": "gloo"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = runhaven.Api().runs("ddp")
    assert run.state == "finished"
    assert [row["_step"] for row in run.scan_history() if "train_loss_step" in row] == [0, 1]


SHARDED = """
import sys, torch
sys.path.insert(0, {folder!r})
from contracts.adapters import lightning as t
from lightning.pytorch.strategies import ModelParallelStrategy
from torch.distributed.fsdp import fully_shard

class Sharded(t.Model):
    def configure_model(self):
        fully_shard(self.layer, mesh=self.device_mesh["data_parallel"])

if __name__ == "__main__":
    logger, model = t.RunhavenLogger(project="fsdp2"), Sharded()
    logger.watch(model, log_freq=1, log_graph=False)
    strategy = ModelParallelStrategy(data_parallel_size=2, tensor_parallel_size=1)
    fit = t.trainer({root!r}, logger, devices=2, strategy=strategy, max_epochs=1, enable_checkpointing=False)
    fit.fit(model, t.loader())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="gloo on loopback")
def test_the_shards_of_all_ranks_are_watched(tmp_path, store):
    """Under FSDP2 `logger.watch` counts on every rank, and rank 0 logs whole histograms and norms."""
    folder = str(Path(__file__).parents[1])
    (tmp_path / "train.py").write_text(textwrap.dedent(SHARDED).format(folder=folder, root=str(tmp_path)))
    done = subprocess.run(
        [sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
        env=os.environ | {"PL_TORCH_DISTRIBUTED_BACKEND": "gloo"},
    )  # fmt: skip

    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = runhaven.Api().runs("fsdp2")
    cells = [row["gradients/layer.weight"] for row in run.scan_history() if "gradients/layer.weight" in row]
    assert cells
    assert {(cell["count"], cell.get("is_partial")) for cell in cells} == {(4, None)}
    assert any("gradients_norm/layer.weight" in row for row in run.scan_history())


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


class TwoOptimizers(Model):
    """Steps both of its optimizers at each batch, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.other = torch.nn.Linear(4, 1)

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:
        losses = [layer(batch[0]).square().mean() for layer in (self.layer, self.other)]
        for optimizer, loss in zip(self.optimizers(), losses, strict=True):
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        self.log_dict({"first": losses[0], "second": losses[1]}, on_step=True, on_epoch=True)
        return losses[0]

    def configure_optimizers(self) -> Any:
        return [torch.optim.SGD(layer.parameters(), lr=0.01) for layer in (self.layer, self.other)]


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (Model, {"accumulate_grad_batches": 2}),
        (Model, {"log_every_n_steps": 3, "val_check_interval": 2}),
        (Model, {"limit_train_batches": 1, "check_val_every_n_epoch": 2, "max_epochs": 4}),
        (TwoOptimizers, {}),
    ],
)
def test_curves_are_lightnings_own_however_it_counts(tmp_path, model, options):
    """Accumulated gradients, several optimizers and odd intervals change the steps as in CSVLogger."""
    logger, peer = RunhavenLogger(project="p"), CSVLogger(tmp_path, name="csv", version="0")
    trainer(tmp_path, logger, peer, **options).fit(model(), loader(), loader())
    runhaven.finish()
    found = points(the_run())

    assert len(found) == len(set(found))
    assert set(found) == points_of(tmp_path / "csv" / "0" / "metrics.csv")


class Shows(Model):
    def validation_step(self, batch: list[torch.Tensor], _: int) -> None:
        super().validation_step(batch, _)
        if _ == 0 and not self.trainer.sanity_checking:
            logger, step = self.logger, self.global_step
            logger.log_image("pictures", [torch.rand(3, 8, 8), torch.rand(8, 8)], step=step, caption=["a", "b"])
            logger.log_table("table", columns=["x", "y"], data=[[1, "a"], [2, "b"]], step=step)
            logger.log_text("text", columns=["said"], data=[["hello"]], step=step)
            logger.log_audio("sound", [np.sin(np.arange(800) / 5)], step=step, sample_rate=[8000])
            logger.log_video("film", [np.zeros((3, 3, 16, 16), "uint8")], step=step, fps=[3], format=["gif"])
            logger.log_html("page", ["<b>hi</b>"], step=step)


def test_media_are_logged_at_the_models_step(tmp_path):
    """Pictures, tables, text, sound, films and pages stand at the step that they were logged at, inside a fit."""
    trainer(tmp_path, RunhavenLogger(project="p", strict=True), max_epochs=1).fit(Shows(), loader(), loader())
    runhaven.finish()
    kinds = {
        key: (row["_step"], (value[0] if isinstance(value, list) else value)["_type"])
        for row in the_run().scan_history()
        for key, value in row.items()
        if isinstance(value, list | dict)
    }

    assert kinds == {
        "pictures": (4, "images/separated"),
        "table": (4, "table-file"),
        "text": (4, "table-file"),
        "sound": (4, "audio"),
        "film": (4, "videos"),
        "page": (4, "html"),
    }


def test_a_call_that_means_nothing_is_said_and_does_not_end_the_training(tmp_path, monkeypatch, capfd):
    """A single picture where a list is wanted, or captions that do not fit, cost a line; in strict mode they raise."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    logger = RunhavenLogger(project="p")
    logger.log_image("pictures", cast("Any", torch.rand(3, 8, 8)))
    logger.log_image("pictures", [torch.rand(3, 8, 8)], caption=["a", "b"])
    said = [line for line in capfd.readouterr().err.splitlines() if "could not" in line]

    assert len(said) == 1
    assert "could not log images: TypeError" in said[0]
    with pytest.raises(ValueError, match="2 values for 1 item"):
        RunhavenLogger(project="p", strict=True).log_image("p", [torch.rand(3, 8, 8)], caption=["a", "b"])


def test_the_model_is_watched_and_its_modules_are_kept(tmp_path):
    """`watch` keeps histograms of gradients, `log_graph` the modules and shapes."""
    logger, model = RunhavenLogger(project="p", log_graph=True), Model()
    logger.watch(model, log="all", log_freq=1, log_graph=False)
    trainer(tmp_path, logger, max_epochs=1).fit(model, loader(), loader())
    logger.experiment.unwatch()
    runhaven.finish()
    run = the_run()
    keys = {key for row in run.scan_history() for key in row}

    assert {"gradients/layer.weight", "parameters/layer.bias"} <= keys
    graphs = [event for event in events_of(run) if event["event"] == "graph"]
    assert [(graph["type"], graph["parameters"]) for graph in graphs] == [("Model", 5)]


def events_of(run: runhaven.api.Run) -> list[dict[str, Any]]:
    reader = JournalReader(Path(run.directory.journal))
    return [record.data for record in reader.poll() if isinstance(record, Event)]


def test_device_statistics_are_series(tmp_path):
    """What `DeviceStatsMonitor` measures is logged under its own names, wherever CSVLogger has it."""
    logger, peer = RunhavenLogger(project="p"), CSVLogger(tmp_path, name="csv", version="0")
    trainer(tmp_path, logger, peer, callbacks=[DeviceStatsMonitor()]).fit(Model(), loader(), loader())
    runhaven.finish()
    found, expected = points(the_run()), points_of(tmp_path / "csv" / "0" / "metrics.csv")

    assert any(key == "DeviceStatsMonitor.on_train_batch_end/cpu_percent" for key, _, _ in found)
    # Validation measures several times at one step; a row of the history has the last of them.
    assert set(found) <= expected
    assert {(key, step) for key, step, _ in found} == {(key, step) for key, step, _ in expected}


def test_early_stopping_and_checkpoints_tell_what_is_best(tmp_path):
    """What they monitor has its best value in the summary, unless the user said what to keep; with the prefix, too."""
    with runhaven.init(project="p") as run:
        run.define_metric("a-val_loss", summary="max")
        callbacks = [EarlyStopping("train_loss_epoch", mode="min"), ModelCheckpoint(tmp_path / "c", monitor="val_loss")]
        fit = trainer(tmp_path, RunhavenLogger(prefix="a"), callbacks=callbacks)
        fit.fit(Model(), loader(), loader())
    summary = the_run().summary

    assert summary["a-train_loss_epoch.min"] == min(v for k, _, v in points(the_run()) if k == "a-train_loss_epoch")
    assert summary["a-val_loss.max"] == max(v for k, _, v in points(the_run()) if k == "a-val_loss")
    assert "a-val_loss.min" not in summary


def test_all_arguments_of_wandbs_logger_are_taken(tmp_path):
    """They stand in the same order, by position and by name; the artifact has the name that was chosen."""
    own = inspect.signature(RunhavenLogger.__init__).parameters
    theirs = inspect.signature(WandbLogger.__init__).parameters
    wanted = [name for name in theirs if name != "kwargs"]
    logger = RunhavenLogger(
        "n", tmp_path, None, True, None, "my-id", True, "p", "all", None, "", "weights", "immutable",
        tags=["t"], group="g", job_type="j", notes="o", config={"c": 1}, entity="me", allow_val_change=True,
    )  # fmt: skip
    trainer(tmp_path, logger, max_epochs=1).fit(Model(), loader(), loader())
    runhaven.finish()
    run = the_run()
    (artifact,) = run.logged_artifacts()

    assert list(own)[: len(wanted)] == wanted
    assert (run.id, run.name, run.tags, run.group, run.job_type, run.notes) == ("my-id", "n", ["t"], "g", "j", "o")
    assert (artifact.name, set(artifact.aliases)) == ("weights:v0", {"best", "latest"})
    assert [entry.path for entry in artifact.manifest.entries.values()] == ["model.ckpt"]
    assert run.config["c"] == 1


@pytest.mark.parametrize("arguments", [{"nonsense": 1}, {"log_model": "sometimes"}, {"mode": "loud"}, {"id": "a/b"}])
def test_impossible_arguments_raise_before_any_training(arguments):
    """A word that means nothing is an error where it is written."""
    with pytest.raises((TypeError, runhaven.UsageError), match=str(next(iter(arguments.values()))) + "|nonsense"):
        RunhavenLogger(project="p", **arguments)


def test_the_best_of_three_kept_checkpoints_is_called_best(tmp_path):
    """At the end of a training those that are still there are logged, with score, step and epoch; the best is `best`."""
    saving = ModelCheckpoint(tmp_path / "c", monitor="val_loss", mode="max", save_top_k=2)
    logger = RunhavenLogger(project="p", log_model=True)
    trainer(tmp_path, logger, max_epochs=4, callbacks=[saving]).fit(Model(), loader(), loader())
    runhaven.finish()
    versions = sorted(the_run().logged_artifacts(), key=lambda artifact: artifact.version)
    best = runhaven.Api().artifact(f"p/model-{logger.version}:best")
    folder = RunhavenLogger.download_artifact(f"p/model-{logger.version}:best", str(tmp_path / "down"), "model")

    assert len(versions) == 2
    assert best.metadata["score"] == float(cast("Any", saving.best_model_score))
    assert best.metadata["original_filename"] == Path(saving.best_model_path).name
    assert {"step", "epoch", "monitor", "mode"} <= best.metadata.keys()
    assert (Path(folder) / "model.ckpt").read_bytes() == Path(saving.best_model_path).read_bytes()


@pytest.mark.parametrize(("when", "count"), [("success", 0), ("all", 1)])
def test_a_failed_training_logs_its_checkpoints_if_asked_to(tmp_path, when, count):
    """`log_checkpoint_on="all"` keeps the checkpoints of a training that raised."""
    logger, model = RunhavenLogger(project="p", log_model=True, log_checkpoint_on=when), Model()

    def fail(epoch: int, _: int) -> None:
        if epoch == 1:
            raise ZeroDivisionError

    model.on_batch = fail
    with pytest.raises(ZeroDivisionError):
        trainer(tmp_path, logger).fit(model, loader(), loader())
    runhaven.finish()

    assert len(list(the_run().logged_artifacts())) == count


def test_the_command_lines_configuration_is_kept(tmp_path, monkeypatch):
    """A training by `LightningCLI` has its whole configuration, as values and as the file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    cli = LightningCLI(
        Model, run=False, save_config_kwargs={"overwrite": True}, seed_everything_default=0,
        args=[
            "--model.lr=0.25", "--trainer.max_epochs=1", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false",
            "--trainer.logger=runhaven.lightning.RunhavenLogger", "--trainer.logger.project=p",
            "--trainer.logger.log_model=true", "--trainer.logger.dict_kwargs.tags=[t]",
        ],
    )  # fmt: skip
    cli.trainer.fit(cli.model, loader(), loader())
    runhaven.finish()
    run = the_run()

    assert run.tags == ["t"]
    assert run.config["lr"] == 0.25
    assert run.config["config"]["model"]["lr"] == 0.25
    assert run.config["config"]["trainer"]["max_epochs"] == 1
    assert "lr: 0.25" in (Path(run.directory.files) / "config.yaml").read_text("utf-8")


def test_fabric_logs_and_keeps_checkpoints(tmp_path):
    """Fabric's `log_dict` reaches the run; `log_checkpoint` keeps what its `save` wrote."""
    fabric_package = pytest.importorskip("lightning.fabric")
    logger = RunhavenLogger(project="p", log_model="all")
    fabric = fabric_package.Fabric(accelerator="cpu", devices=1, loggers=logger)
    model = torch.nn.Linear(2, 1)
    for step in range(3):
        fabric.log_dict({"loss": 1.0 / (step + 1)}, step=step)
    fabric.save(tmp_path / "model.ckpt", {"model": model})
    logger.log_checkpoint(tmp_path / "model.ckpt", step=2, is_best=True)
    logger.finalize("success")
    runhaven.finish()
    (artifact,) = the_run().logged_artifacts()

    assert points(the_run()) == [("loss", step, 1.0 / (step + 1)) for step in range(3)]
    assert (artifact.metadata["step"], set(artifact.aliases)) == (2, {"best", "latest"})


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
def test_an_evaluation_of_a_checkpoint_is_a_run_of_its_own(tmp_path):
    """`test(ckpt_path=...)` alone does not reopen the run that trained; only a training that resumes does."""
    fit = trainer(tmp_path, RunhavenLogger(project="p"), max_epochs=1)
    fit.fit(Model(), loader(), loader())
    runhaven.finish()
    checkpoint = fit.checkpoint_callback.best_model_path
    trainer(tmp_path, RunhavenLogger(project="p")).test(Model(), loader(), ckpt_path=checkpoint, verbose=False)
    runhaven.finish()

    assert len(runhaven.Api().runs("p")) == 2


def test_one_logger_is_one_run_even_behind_a_finish(tmp_path):
    """What a logger logs after `finish` belongs to its run still."""
    logger = RunhavenLogger(project="p")
    fit, model = trainer(tmp_path, logger, max_epochs=1), Model()
    fit.fit(model, loader(), loader())
    runhaven.finish()
    fit.test(model, loader(), verbose=False)
    runhaven.finish()

    assert {"train_loss_epoch", "test_loss"} <= the_run().summary.keys()
