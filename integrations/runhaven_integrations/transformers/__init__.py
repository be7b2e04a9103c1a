"""Hugging Face Transformers: a callback for its `Trainer`, also by `report_to="runhaven"`."""

from __future__ import annotations

from runhaven_integrations.transformers.callback import RunhavenCallback

__all__ = ["RunhavenCallback", "WandbCallback"]

WandbCallback = RunhavenCallback
"""W&B's name, as in `transformers.integrations`."""
