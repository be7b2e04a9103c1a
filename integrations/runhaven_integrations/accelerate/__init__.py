"""Hugging Face accelerate: a tracker, also by `log_with="runhaven"`."""

from __future__ import annotations

from runhaven_integrations.accelerate.tracker import RunhavenTracker

__all__ = ["RunhavenTracker", "WandBTracker"]

WandBTracker = RunhavenTracker
"""The name of accelerate's tracker for W&B."""
