"""Reads the numbers of an epoch off a trainer."""

from __future__ import annotations

from typing import Any, Literal

from runhaven.value import to_number


def settings(trainer: Any) -> dict[str, Any]:
    """Return the arguments of a training, with those that Ultralytics chose itself."""
    return dict(trainer.args.__dict__)


def number_of(trainer: Any) -> int:
    """Return the epoch's number, from 1, as `results.csv` counts."""
    return int(trainer.epoch) + 1


def is_final_evaluation(trainer: Any) -> bool:
    """Whether a trainer speaks of the evaluation of the best weights behind the last epoch."""
    return not trainer.validator.training


def losses_and_rates(trainer: Any) -> dict[str, Any]:
    """Return the epoch's training losses, under the names of the model's own, and its learning rates."""
    losses = trainer.label_loss_items(trainer.tloss, prefix="train")
    return {**losses, **trainer.lr}


def scores(trainer: Any) -> dict[str, Any]:
    """Return what the last validation measured: metrics, and losses if there are any."""
    return {key: to_number(value) for key, value in trainer.metrics.items()}


def goal_of(key: str, task: str) -> Literal["min", "max"]:
    """Tell whether less or more of a score is better: less of losses, and of the errors that a depth is measured by."""
    is_error = key.startswith("val/") or (task == "depth" and "delta" not in key)
    return "min" if is_error else "max"


def speed(validator: Any) -> dict[str, float]:
    """Return the milliseconds that the parts of a validation took for an image."""
    return {f"speed/{part}_ms": float(value) for part, value in validator.speed.items()}


def parameters(trainer: Any) -> int:
    """Return how many parameters a model has."""
    return sum(parameter.numel() for parameter in trainer.model.parameters())
