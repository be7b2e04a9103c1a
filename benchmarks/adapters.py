"""What an adapter adds to a training step in CPU, beside the framework's own loggers, TensorBoard and W&B offline.

    python benchmarks/adapters.py                    # every section whose framework is installed
    python benchmarks/adapters.py lightning --rounds 9

The CPU of a whole training varies by more than any logger costs: an epoch of Keras by a hundred microseconds. So only what
a logger can have caused is counted:

- within: what the thread that trains spends inside the logger's own methods, step by step, the first ones left out. The
  figure is the median over all steps, the figure in brackets their mean, which has what comes now and then in it.
- beside: what all other threads and child processes spend meanwhile, as the slope between a short and a long training,
  less the same of trainings without a logger; medians over rounds. Both are counted from half the short one's steps on,
  when most of a start is over, which varies by more than a thousand steps cost, and with the logger's end, which cancels.
- all: mean within plus beside, with the least and the most of a round.

What a framework does only because there is some logger is in none of them. A row is logged at each step. A framework's
loggers take turns in one process, in another order in each round.

A section is a function `train_<section>(logger, folder, steps)`, its loggers, the framework's cheapest first, and the lengths
of its trainings. In "keras" a step is an epoch of one batch, since Keras's `CSVLogger` and `RunhavenMetricsLogger` write once
an epoch; "whole" is `RunhavenCallback`, which keeps the best value in the summary too. Of single batches, in "keras_batches",
the one logger that Keras has is `TensorBoard(update_freq="batch")`. Two rows there are no loggers but floors, written by hand:
"csv row" writes a line into an open file, "log row" calls `run.log` with what it was handed. Keras's `TensorBoard` and W&B's callback need TensorFlow.
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
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from log_call import family_cpu_s

if TYPE_CHECKING:
    from collections.abc import Callable


class Section(NamedTuple):
    """What is compared, in trainings of two lengths; what loggers begin beside a training is over within the short one."""

    loggers: tuple[str, ...]
    short: int
    long: int


SECTIONS = {
    "lightning": Section(("nothing", "csv", "runhaven", "tensorboard", "wandb"), 1000, 2500),
    "transformers": Section(("nothing", "printer", "runhaven", "tensorboard", "wandb"), 1000, 2500),
    "keras": Section(("nothing", "csv", "runhaven", "whole", "tensorboard", "wandb"), 500, 1500),
    "keras_batches": Section(("nothing", "tensorboard", "csv row", "log row", "runhaven", "whole", "wandb"), 800, 2000),
}
FIRST_STEPS = 20


class Watch:
    """Adds up, step by step, what the thread that trains spends inside the methods of loggers; one within another counts once.

    What all others spend is counted from a step on.
    """

    def __init__(self) -> None:
        self.begin(0)

    def begin(self, starts: int) -> None:
        """Forget the training before; of the next one, what others spend during so many steps belongs to starts."""
        self.steps_ns: list[int] = []
        self._is_inside = False
        self._starts = starts
        self._begun_s = _beside_s()

    def begin_step(self, *_: Any, **__: Any) -> None:
        """Take what follows for another step; frameworks call it."""
        if len(self.steps_ns) == self._starts:
            self._begun_s = _beside_s()
        self.steps_ns.append(0)

    def beside_s(self) -> float:
        """Return what all but this thread have spent since those steps."""
        return _beside_s() - self._begun_s

    def attend(self, logger: Any) -> Any:
        for name in dir(type(logger)):
            if name.startswith("on_") or name in ("log_metrics", "save"):
                setattr(logger, name, self._timed(getattr(logger, name)))
        return logger

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._is_inside or not self.steps_ns:
                return method(*args, **kwargs)
            self._is_inside, begun = True, time.thread_time_ns()
            try:
                return method(*args, **kwargs)
            finally:
                self._is_inside = False
                self.steps_ns[-1] += time.thread_time_ns() - begun

        return call


def _beside_s() -> float:
    return family_cpu_s() - time.thread_time()


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

    class Beat(pl.Callback):
        on_train_batch_start = staticmethod(watch.begin_step)

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
        enable_model_summary=False, enable_checkpointing=False, default_root_dir=folder, callbacks=[Beat()],
    ).fit(Model(), data)  # fmt: skip


def train_transformers(logger: str, folder: str, steps: int) -> None:
    import torch
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    class Beat(TrainerCallback):
        on_step_begin = staticmethod(watch.begin_step)

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
    rows = [{"x": torch.ones(4), "labels": torch.ones(1)}] * steps
    trainer = Trainer(Model(), arguments, train_dataset=rows, callbacks=[Beat()])
    if logger != "printer":
        trainer.remove_callback(PrinterCallback)
    for each in trainer.callback_handler.callbacks:
        if type(each).__name__.lower() == f"{logger}callback":
            watch.attend(each)
    trainer.train()


def keras_logger(logger: str, folder: str, frequency: Literal["epoch", "batch"]) -> list[Any]:
    """Return the callback of a logger that Keras and its users have for epochs, or for batches."""
    import keras

    import runhaven
    from runhaven_integrations.keras import RunhavenCallback, RunhavenMetricsLogger

    def wandb_logger() -> Any:
        import wandb
        from wandb.integration.keras import WandbMetricsLogger

        wandb.init(dir=folder)
        return WandbMetricsLogger(log_freq=frequency)

    class Rows(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras's argument
            self.file = Path(folder, "rows.csv").open("w", newline="")  # noqa: SIM115 - closed in another call
            self.rows = csv.writer(self.file)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.rows.writerow([batch, *logs.values()])

        def on_train_end(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras's argument
            self.file.close()

    class LoggedRows(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:  # noqa: ARG002 - Keras's argument
            self.run = runhaven.init(project="bench", dir=folder)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            self.run.log(logs, step=batch)

    batches = 1 if frequency == "batch" else None
    makers: dict[str, Callable[[], Any]] = {
        "csv": lambda: keras.callbacks.CSVLogger(f"{folder}/log.csv"),
        "csv row": Rows,
        "log row": LoggedRows,
        "runhaven": lambda: RunhavenMetricsLogger(frequency, project="bench", dir=folder),
        "whole": lambda: RunhavenCallback("loss", log_batch_frequency=batches, project="bench", dir=folder),
        "tensorboard": lambda: keras.callbacks.TensorBoard(folder, update_freq=frequency),
        "wandb": wandb_logger,
    }
    return [watch.attend(makers[logger]())] if logger != "nothing" else []


def fit_keras(logger: list[Any], *, batches: int, epochs: int, beat: str) -> None:
    import keras
    import numpy as np

    class Beat(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            """Have Keras call all callbacks on the thread that trains; else it calls those that allow it, ours too, on others."""

    setattr(Beat, beat, staticmethod(watch.begin_step))
    keras.utils.clear_session()
    model: Any = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    x = np.ones((batches, 4), "float32")
    model.fit(x, x[:, :1], batch_size=1, epochs=epochs, verbose=0, callbacks=[Beat(), *logger])


def train_keras(logger: str, folder: str, steps: int) -> None:
    fit_keras(keras_logger(logger, folder, "epoch"), batches=1, epochs=steps, beat="on_epoch_begin")


def train_keras_batches(logger: str, folder: str, steps: int) -> None:
    fit_keras(keras_logger(logger, folder, "batch"), batches=steps, epochs=1, beat="on_train_batch_begin")


def finish(logger: str) -> None:
    if logger in ("runhaven", "whole", "log row"):
        __import__("runhaven").finish()
    elif logger == "wandb":
        # What its service has still to do must not be counted with the next logger.
        wandb = __import__("wandb")
        wandb.finish()
        wandb.teardown()


class Spent(NamedTuple):
    """What a training spent, in microseconds: step by step within the logger's methods, and beside the thread that trains."""

    within: list[float]
    beside: float


def spent(section: str, logger: str, steps: int) -> Spent:
    """Train once."""
    with tempfile.TemporaryDirectory() as folder:
        watch.begin(SECTIONS[section].short // 2)
        globals()[f"train_{section}"](logger, folder, steps)
        within = [spent_ns / 1e3 for spent_ns in watch.steps_ns[FIRST_STEPS:]]
        finish(logger)
        return Spent(within, watch.beside_s() * 1e6)


def measure(section: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Return for each logger what it spends within at each step, and beside a step in each round; what cannot be had is left out."""
    warnings.simplefilter("ignore")
    loggers, short, long = SECTIONS[section]
    found: dict[str, dict[str, list[float]]] = {}
    for logger in loggers:
        try:
            spent(section, logger, 2 * FIRST_STEPS)
        except ImportError:
            continue
        found[logger] = {"within": [], "means": [], "beside": []}
    for at in range(rounds):
        # What a process has done before makes it slower, and must not always meet the same logger.
        names = list(found)
        for logger in names[at % len(names) :] + names[: at % len(names)]:
            more, less = spent(section, logger, long), spent(section, logger, short)
            within = more.within + less.within
            found[logger]["within"] += within
            found[logger]["means"].append(statistics.mean(within))
            found[logger]["beside"].append((more.beside - less.beside) / (long - short))
    return found


def measure_apart(section: str, rounds: int) -> dict[str, dict[str, list[float]]]:
    """Measure in a process of its own, whose output is nobody's."""
    with tempfile.TemporaryDirectory() as home:
        quiet = {
            "RUNHAVEN_SILENT": "1",
            "WANDB_SILENT": "true",
            "WANDB_MODE": "offline",
            "OMP_NUM_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        places = {"RUNHAVEN_DIR": home, "WANDB_DIR": home, "KERAS_BACKEND": "torch"}
        done = subprocess.run(
            [sys.executable, __file__, "--measure", section, "--rounds", str(rounds)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, cwd=home, env=os.environ | quiet | places,
        )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def show(section: str, rounds: int) -> None:
    started = time.perf_counter()
    found = measure_apart(section, rounds)
    floor = statistics.median(found.pop("nothing")["beside"])
    print(f"{section}: CPU per step, us; beside the training there are {floor:.1f} without a logger")
    for logger in SECTIONS[section].loggers[1:]:
        if logger not in found:
            print(f"  {logger:12} is not installed")
            continue
        within, means, beside = found[logger].values()
        whole = [mean + other - floor for mean, other in zip(means, beside, strict=True)]
        print(
            f"  {logger:12} within {statistics.median(within):6.1f} ({statistics.median(means):6.1f})"
            f"   beside {statistics.median(beside) - floor:6.1f}"
            f"   all {statistics.median(whole):6.1f} ({min(whole):.1f} to {max(whole):.1f})"
        )
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
