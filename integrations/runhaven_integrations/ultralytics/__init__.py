"""Ultralytics YOLO: callbacks that log a training, its validation images and its weights."""

from __future__ import annotations

from runhaven_integrations.ultralytics.attaching import add_wandb_callback, attach
from runhaven_integrations.ultralytics.callbacks import RunhavenCallbacks
from runhaven_integrations.ultralytics.hook import activate

__all__ = ["RunhavenCallbacks", "activate", "add_wandb_callback", "attach"]
