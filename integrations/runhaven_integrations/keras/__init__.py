"""Keras 3: callbacks for `fit` and `evaluate` on the torch and JAX backends."""

from __future__ import annotations

from runhaven_integrations.keras.checkpoint import RunhavenModelCheckpoint
from runhaven_integrations.keras.evaluation import RunhavenEvalCallback
from runhaven_integrations.keras.metrics import RunhavenMetricsLogger
from runhaven_integrations.keras.whole import RunhavenCallback

__all__ = [
    "RunhavenCallback",
    "RunhavenEvalCallback",
    "RunhavenMetricsLogger",
    "RunhavenModelCheckpoint",
    "WandbCallback",
    "WandbEvalCallback",
    "WandbMetricsLogger",
    "WandbModelCheckpoint",
]

# W&B's names, for `from runhaven.keras import WandbCallback`.
WandbCallback = RunhavenCallback
WandbEvalCallback = RunhavenEvalCallback
WandbMetricsLogger = RunhavenMetricsLogger
WandbModelCheckpoint = RunhavenModelCheckpoint
