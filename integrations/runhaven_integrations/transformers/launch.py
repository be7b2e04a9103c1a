"""Gives each `Trainer` of a program below `runhaven run` a callback."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from runhaven.adapter import call_after


def set_up() -> None:
    """Have trainers log into the run too."""
    call_after(import_module("transformers.trainer").Trainer, "__init__", _add_callback)


def _add_callback(trainer: Any, *_: Any, **__: Any) -> None:
    """Add a callback, unless the trainer has one of ours. That nobody asked for one is what `report_to="none"` says, too."""
    # What the program does not need until now.
    from runhaven_integrations.transformers.callback import RunhavenCallback

    if not any(isinstance(each, RunhavenCallback) for each in trainer.callback_handler.callbacks):
        trainer.add_callback(RunhavenCallback())
