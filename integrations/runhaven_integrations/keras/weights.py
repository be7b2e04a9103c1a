"""Histograms of a model's weights, and of their gradients."""

from __future__ import annotations

from typing import Any

from runhaven.media import Histogram
from runhaven_integrations.keras.framework import to_numpy


def weight_histograms(model: Any) -> dict[str, Histogram]:
    """Return a histogram of each trained weight, as `parameters/<path>`."""
    return {f"parameters/{each.path}": Histogram(to_numpy(each)) for each in model.trainable_variables}


def gradient_histograms(model: Any) -> dict[str, Histogram]:
    """Return a histogram of each gradient of the last batch, as `gradients/<path>`; of the torch backend alone."""
    tensors: dict[str, Any] = {each.path: each.value.grad for each in model.trainable_variables}
    return {f"gradients/{path}": Histogram(each) for path, each in tensors.items() if each is not None}
