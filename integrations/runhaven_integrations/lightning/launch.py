"""Gives each `Trainer` of a program below `runhaven run` a logger."""

from __future__ import annotations

import functools
from importlib import import_module
from typing import Any


def set_up() -> None:
    """Have trainers of `lightning` log into the run too."""
    _add_to(import_module("lightning.pytorch").Trainer)


def set_up_pytorch_lightning() -> None:
    """Have trainers of `pytorch_lightning` log into the run too."""
    _add_to(import_module("pytorch_lightning").Trainer)


def _add_to(trainer: Any) -> None:
    initialize = trainer.__init__

    @functools.wraps(initialize)
    def initialize_with_logger(self: Any, *arguments: Any, **options: Any) -> None:
        initialize(self, *arguments, **options)
        _add_logger(self)

    trainer.__init__ = initialize_with_logger


def _add_logger(trainer: Any) -> None:
    """Add a logger behind those of a trainer, unless it has one of ours, or was told to log nothing."""
    # What the program does not need until now.
    from runhaven_integrations.lightning.logger import RunhavenLogger

    loggers = trainer.loggers
    if loggers and not trainer.fast_dev_run and not any(isinstance(each, RunhavenLogger) for each in loggers):
        trainer.loggers = [*loggers, RunhavenLogger()]
