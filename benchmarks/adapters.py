"""What an adapter adds to a training step in CPU, beside the framework's cheapest logger, TensorBoard and W&B offline.

    python benchmarks/adapters.py                    # every section whose framework is installed
    python benchmarks/adapters.py lightning --rounds 5

Each figure is a slope: the CPU time of a short training is taken off that of a long one, of all threads and children, the logger's
end included, so that starts cancel. A row is logged at each step. "nothing" is the same training without a logger, and is taken
off the others' of the same round. A framework's loggers take turns in one process; medians over rounds, and the least and the most.
On a machine with other work that difference of two long trainings is coarse. The last column is finer and says less: what the
thread that trains spends inside the logger's own methods, without the threads and processes that a logger has beside it.

A section is a function `train_<section>(logger, folder, steps)`, its loggers, the framework's cheapest first, and the lengths of
its trainings. Keras's own loggers write once an epoch: in "keras" a step is an epoch of one batch. Of batches, in
"keras_batches", Keras has no logger that writes; "csv row" is a callback of one line. The loggers of Keras for TensorBoard and
of W&B for Keras need TensorFlow, and are left out.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from log_call import family_cpu_s

if TYPE_CHECKING:
    from collections.abc import Callable


class Section(NamedTuple):
    """What is compared, in trainings of two lengths."""

    loggers: tuple[str, ...]
    short: int = 200
    long: int = 2200


SECTIONS = {
    "lightning": Section(("nothing", "csv", "runhaven", "tensorboard", "wandb")),
    "transformers": Section(("nothing", "printer", "runhaven", "tensorboard", "wandb")),
    "keras": Section(("nothing", "csv", "runhaven"), 100, 1100),
    "keras_batches": Section(("nothing", "csv row", "runhaven")),
}


class Watch:
    """Adds up what the thread that trains spends inside the methods of loggers; one that calls another counts once."""

    def __init__(self) -> None:
        self.spent_ns = 0
        self._is_inside = False

    def attend(self, logger: Any) -> Any:
        for name in dir(type(logger)):
            if name.startswith("on_") or name in ("log_metrics", "save"):
                setattr(logger, name, self._timed(getattr(logger, name)))
        return logger

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._is_inside:
                return method(*args, **kwargs)
            self._is_inside, begun = True, time.thread_time_ns()
            try:
                return method(*args, **kwargs)
            finally:
                self._is_inside = False
                self.spent_ns += time.thread_time_ns() - begun

        return call


watch = Watch()


def train_lightning(logger: str, folder: str, steps: int) -> None:
    import lightning.pytorch as pl
    import torch
    from lightning.pytorch import loggers

    class Model(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def training_step(self, batch: list[torch.Tensor], _: int) -> torch.Tensor:
            loss = self.layer(batch[0]).square().mean()
            self.log_dict({"loss": loss, "double": 2 * loss, "half": loss / 2})
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=0.01)

    def runhaven_logger() -> Any:
        from runhaven_integrations.lightning import RunhavenLogger

        return RunhavenLogger(project="bench", dir=folder)

    makers = {
        "nothing": lambda: False,
        "csv": lambda: loggers.CSVLogger(folder),
        "runhaven": runhaven_logger,
        "tensorboard": lambda: loggers.TensorBoardLogger(folder),
        "wandb": lambda: loggers.WandbLogger(save_dir=folder, offline=True),
    }
    made: Any = makers[logger]()
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(steps, 4)), batch_size=1)
    pl.Trainer(
        max_epochs=1, logger=watch.attend(made) if made else made, log_every_n_steps=1, accelerator="cpu", enable_progress_bar=False,
        enable_model_summary=False, enable_checkpointing=False, default_root_dir=folder,
    ).fit(Model(), data)  # fmt: skip


def train_transformers(logger: str, folder: str, steps: int) -> None:
    import torch
    from transformers import PrinterCallback, Trainer, TrainingArguments

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(4, 1)

        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"loss": (self.layer(x) - labels).square().mean()}

    report = logger if logger not in ("nothing", "printer") else "none"
    arguments = TrainingArguments(
        folder, max_steps=steps, logging_steps=1, report_to=report, save_strategy="no", use_cpu=True, disable_tqdm=True,
        per_device_train_batch_size=1, dataloader_pin_memory=False,
    )  # fmt: skip
    trainer = Trainer(Model(), arguments, train_dataset=[{"x": torch.ones(4), "labels": torch.ones(1)}] * steps)
    if logger != "printer":
        trainer.remove_callback(PrinterCallback)
    for each in trainer.callback_handler.callbacks:
        if type(each).__name__.lower() == f"{logger}callback":
            watch.attend(each)
    trainer.train()


def keras_model() -> Any:
    import keras

    keras.utils.clear_session()
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    return model


def train_keras(logger: str, folder: str, steps: int) -> None:
    import keras
    import numpy as np

    from runhaven_integrations.keras import RunhavenMetricsLogger

    makers = {
        "nothing": list[Any],
        "csv": lambda: [keras.callbacks.CSVLogger(f"{folder}/log.csv")],
        "runhaven": lambda: [RunhavenMetricsLogger(project="bench", dir=folder)],
    }
    x = np.ones((1, 4), "float32")
    keras_model().fit(x, x[:, :1], epochs=steps, verbose=0, callbacks=[*map(watch.attend, makers[logger]())])


def train_keras_batches(logger: str, folder: str, steps: int) -> None:
    import keras
    import numpy as np

    from runhaven_integrations.keras import RunhavenMetricsLogger

    with Path(folder, "log.csv").open("w", newline="") as file:
        rows = csv.writer(file)

        class Rows(keras.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                rows.writerow([batch, *logs.values()])

        makers = {
            "nothing": list[Any],
            "csv row": lambda: [Rows()],
            "runhaven": lambda: [RunhavenMetricsLogger("batch", project="bench", dir=folder)],
        }
        x = np.ones((steps, 4), "float32")
        keras_model().fit(x, x[:, :1], batch_size=1, verbose=0, callbacks=[*map(watch.attend, makers[logger]())])


def finish(logger: str) -> None:
    if logger in ("runhaven", "wandb"):
        __import__(logger).finish()


def spent_us(section: str, logger: str, steps: int) -> tuple[float, float]:
    """Return what a training costs in CPU, and of that what its thread spends inside the logger's methods."""
    with tempfile.TemporaryDirectory() as folder:
        before, watch.spent_ns = family_cpu_s(), 0
        globals()[f"train_{section}"](logger, folder, steps)
        within = watch.spent_ns
        finish(logger)
        return (family_cpu_s() - before) * 1e6, within / 1e3


def measure(section: str, rounds: int) -> dict[str, list[tuple[float, ...]]]:
    """Return for each logger what `spent_us` says of a step, in each round; those that cannot be had are left out."""
    warnings.simplefilter("ignore")
    loggers, short, long = SECTIONS[section]
    found: dict[str, list[tuple[float, ...]]] = {}
    for logger in loggers:
        try:
            spent_us(section, logger, 20)
        except ImportError:
            continue
        found[logger] = []
    for at in range(rounds):
        # What a process has done before makes it slower, and must not always meet the same logger.
        names = list(found)
        for logger in names[at % len(names) :] + names[: at % len(names)]:
            pairs = zip(spent_us(section, logger, long), spent_us(section, logger, short), strict=True)
            found[logger].append(tuple((more - less) / (long - short) for more, less in pairs))
    return found


def measure_apart(section: str, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Measure in a process of its own, whose output is nobody's."""
    with tempfile.TemporaryDirectory() as home:
        quiet = {"RUNHAVEN_SILENT": "1", "WANDB_SILENT": "true", "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
        places = {"RUNHAVEN_DIR": home, "WANDB_DIR": home, "KERAS_BACKEND": "torch"}
        done = subprocess.run(
            [sys.executable, __file__, "--measure", section, "--rounds", str(rounds)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, cwd=home, env=os.environ | quiet | places,
        )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def show(section: str, rounds: int) -> None:
    started = time.perf_counter()
    found = measure_apart(section, rounds)
    floor = [whole for whole, _ in found.pop("nothing")]
    print(f"{section}: CPU per step, us; without a logger {statistics.median(floor):.0f}")
    for logger in SECTIONS[section].loggers[1:]:
        if logger not in found:
            print(f"  {logger:12} is not installed")
            continue
        added = [whole - nothing for (whole, _), nothing in zip(found[logger], floor, strict=True)]
        within = statistics.median(within for _, within in found[logger])
        spread = f"({min(added):.1f} to {max(added):.1f})"
        print(f"  {logger:12} adds {statistics.median(added):7.1f}   {spread:20} within its methods {within:7.1f}")
    print(f"  {rounds} rounds in {time.perf_counter() - started:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, []])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", metavar="SECTION", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(f"\n{json.dumps(measure(options.measure, options.rounds))}")
        return
    for section in options.sections or SECTIONS:
        if find_spec(section.partition("_")[0]) is not None:
            show(section, options.rounds)


if __name__ == "__main__":
    main()
