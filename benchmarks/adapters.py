"""What an adapter adds to a training step in CPU, beside the framework's cheapest logger, TensorBoard and W&B offline.

    python benchmarks/adapters.py                    # every section whose framework is installed
    python benchmarks/adapters.py lightning --rounds 5

Each figure is a slope: the CPU time of a short training is taken off that of a long one, of all threads and children, the logger's
end included, so that imports and starts cancel. A row is logged at each step. "nothing" is the same training without a logger,
and is taken off the others'. Each logger runs in processes of its own, one after the other in every round; medians over rounds.

A section is a function `train_<framework>(logger, folder, steps)` and its loggers in `SECTIONS`, the framework's cheapest first.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from importlib.util import find_spec
from typing import Any

from log_call import family_cpu_s

SECTIONS = {
    "lightning": ("nothing", "csv", "runhaven", "tensorboard", "wandb"),
    "transformers": ("nothing", "printer", "runhaven", "tensorboard", "wandb"),
}
SHORT, LONG = 200, 2200


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
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(steps, 4)), batch_size=1)
    pl.Trainer(
        max_epochs=1, logger=makers[logger](), log_every_n_steps=1, accelerator="cpu", enable_progress_bar=False,
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
    trainer.train()


def finish(logger: str) -> None:
    if logger in ("runhaven", "wandb"):
        __import__(logger).finish()


def measure(framework: str, logger: str) -> float:
    """Return the CPU microseconds that a step costs."""
    warnings.simplefilter("ignore")
    spent: dict[int, float] = {}
    # The first one only warms up.
    for steps in (20, SHORT, LONG):
        with tempfile.TemporaryDirectory() as folder:
            before = family_cpu_s()
            globals()[f"train_{framework}"](logger, folder, steps)
            finish(logger)
            spent[steps] = family_cpu_s() - before
    return (spent[LONG] - spent[SHORT]) / (LONG - SHORT) * 1e6


def measure_apart(framework: str, logger: str) -> float | None:
    """Measure in a process of its own; None if the logger cannot be had."""
    with tempfile.TemporaryDirectory() as home:
        quiet = {"RUNHAVEN_SILENT": "1", "WANDB_SILENT": "true", "WANDB_MODE": "offline", "OMP_NUM_THREADS": "1"}
        places = {"RUNHAVEN_DIR": home, "WANDB_DIR": home}
        done = subprocess.run(
            [sys.executable, __file__, "--measure", framework, logger],
            capture_output=True, text=True, check=False, cwd=home, env=os.environ | quiet | places,
        )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else None


def show(framework: str, rounds: int) -> None:
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for logger in SECTIONS[framework]:
            value = measure_apart(framework, logger)
            if value is not None:
                found.setdefault(logger, []).append(value)
    floor = statistics.median(found["nothing"])
    print(f"{framework}: CPU per step, us; without a logger {floor:.0f}")
    for logger, values in found.items():
        if logger != "nothing":
            print(f"  {logger:12} adds {statistics.median(values) - floor:7.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("frameworks", nargs="*", choices=[*SECTIONS, []])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--measure", nargs=2, metavar=("FRAMEWORK", "LOGGER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        value = measure(*options.measure)
        print(f"\n{json.dumps(value)}")
        return
    for framework in options.frameworks or SECTIONS:
        if find_spec(framework) is not None:
            show(framework, options.rounds)


if __name__ == "__main__":
    main()
