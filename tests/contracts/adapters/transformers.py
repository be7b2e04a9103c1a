"""Transformers' case."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from contracts.case import Point, Trained

transformers = pytest.importorskip("transformers")

from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments  # noqa: E402 - after the check
from transformers.trainer_utils import get_last_checkpoint  # noqa: E402

from runhaven_integrations.transformers import RunhavenCallback  # noqa: E402

TOTALS = {"train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss", "total_flos"}
Dataset = list[dict[str, torch.Tensor]]


def model() -> Any:
    torch.manual_seed(0)
    return GPT2LMHeadModel(
        GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=32, n_positions=16, bos_token_id=0, eos_token_id=0)
    )


def dataset(length: int = 12) -> Dataset:
    drawn = torch.randint(1, 32, (length, 8), generator=torch.Generator().manual_seed(0))
    return [{"input_ids": row, "labels": row} for row in drawn]


def arguments(folder: Path, **options: Any) -> TrainingArguments:
    settings: dict[str, Any] = {
        "num_train_epochs": 2, "per_device_train_batch_size": 4, "logging_steps": 1, "eval_strategy": "epoch",
        "save_strategy": "epoch", "metric_for_best_model": "eval_loss", "greater_is_better": False, "report_to": "none",
        "use_cpu": True, "disable_tqdm": True, "dataloader_pin_memory": False, "learning_rate": 0.1,
    }  # fmt: skip
    return TrainingArguments(str(folder), **(settings | options))


def series(key: str) -> str:
    for section in ("eval", "test"):
        if key.startswith(f"{section}_"):
            return f"{section}/{key.removeprefix(f'{section}_')}"
    return f"train/{key}"


def points_of(history: list[dict[str, Any]]) -> set[Point]:
    """Return what `trainer_state.json` holds, without what the training as a whole came to."""
    return {
        (series(key), row["step"], float(value))
        for row in history
        if not row.keys() >= TOTALS
        for key, value in row.items()
        if key != "step"
    }


class EachBatch(TrainerCallback):
    def __init__(self, call: Callable[[int, int], None]) -> None:
        self.call = call

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.call(state.global_step // 3, state.global_step % 3)


class Case:
    package = "transformers"
    missing = (
        "RunhavenCallback needs the package 'transformers', which cannot be imported. Run: pip install transformers"
    )
    parameters: ClassVar[dict[str, Any]] = {
        "n_embd": 8,
        "learning_rate": 0.1,
        "model_type": "gpt2",
        "lr_scheduler_type": "linear",
        "model/num_parameters": 1272,
    }
    best = ("eval/loss", "min")
    epoch = "train/epoch"

    def make(self, **options: Any) -> RunhavenCallback:
        return RunhavenCallback(**options)

    def train(
        self,
        folder: Path,
        *,
        epochs: int = 2,
        is_resumed: bool = False,
        on_batch: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Trained:
        callbacks: list[TrainerCallback] = [self.make(**options)]
        if on_batch is not None:
            callbacks.append(EachBatch(on_batch))
        trainer = Trainer(
            model(), arguments(folder, num_train_epochs=epochs), train_dataset=dataset(), eval_dataset=dataset(4),
            callbacks=callbacks,
        )  # fmt: skip
        trainer.train(resume_from_checkpoint=is_resumed)
        last = get_last_checkpoint(str(folder))
        assert last is not None
        trainer.save_state()
        history = json.loads((folder / "trainer_state.json").read_text("utf-8"))["log_history"]
        found = sorted(folder.glob("checkpoint-*"), key=lambda path: path.stat().st_mtime_ns)
        return Trained(points_of(history), found)


case = Case()
