"""PyTorch Lightning: a logger for its `Trainer` and for Fabric, under both names of the package."""

from __future__ import annotations

from runhaven_integrations.lightning.logger import RunhavenLogger

__all__ = ["RunhavenLogger", "WandbLogger"]

WandbLogger = RunhavenLogger
"""W&B's name, for `from runhaven.integration.lightning import WandbLogger`."""
