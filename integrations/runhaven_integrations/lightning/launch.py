"""Gives each `Trainer` of a program below `runhaven run` a logger."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from runhaven.adapter import call_after


def set_up() -> None:
    """Have trainers of `lightning` log into the run too."""
    call_after(import_module("lightning.pytorch").Trainer, "__init__", _add_logger)


def set_up_pytorch_lightning() -> None:
    """Have trainers of `pytorch_lightning` log into the run too."""
    call_after(import_module("pytorch_lightning").Trainer, "__init__", _add_logger)


def _add_logger(trainer: Any, *_: Any, **__: Any) -> None:
    """Add a logger behind those of a trainer, unless it has one of ours, or was told to log nothing."""
    # What the program does not need until now.
    from runhaven_integrations.lightning.logger import RunhavenLogger

    loggers = trainer.loggers
    if loggers and not trainer.fast_dev_run and not any(isinstance(each, RunhavenLogger) for each in loggers):
        trainer.loggers = [*loggers, RunhavenLogger()]
