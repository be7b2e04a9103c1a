"""Counts how many batches a model was trained on: the step."""

from __future__ import annotations

from collections import deque
from typing import Any

from runhaven_integrations.keras.framework import to_numpy

_OPEN_BATCHES = 256
"""More than the threads that Keras calls callbacks from, which may tell of batches in another order."""


class Progress:
    """The step: batches that the model was trained on, in this training and, going by its optimizer, before.

    That is `optimizer.iterations` where each batch is a step of the optimizer. It is counted here, since with the JAX
    backend to read the optimizer in the middle of an epoch would make the training wait, and since a model with a
    `train_step` of its own may never step the optimizer that Keras knows.

    Attributes:
        lead: How many batches more than the step the optimizer had been given when the training began.
    """

    def __init__(self, initial: int = 0) -> None:
        """Begin with a step; 0 stands for what the optimizer says."""
        self._before = initial
        self._is_known = bool(initial)
        self._ends: deque[int] = deque(maxlen=_OPEN_BATCHES)
        self.lead = 0

    def begin(self, model: Any) -> None:
        """Take the first step off the model's optimizer, once."""
        trained = trained_batches(model)
        if not self._is_known:
            self._before, self._is_known = trained, True
        self.lead = trained - self._before

    def batch_ended(self, batch: int) -> None:
        """Count a batch of this epoch, by its number from 0."""
        self._ends.append(batch + 1)

    def epoch_ended(self) -> None:
        """Count the epoch."""
        self._before = self.step
        self._ends.clear()

    @property
    def step(self) -> int:
        """Batches so far."""
        return self._before + max(self._ends, default=0)

    def step_of(self, batch: int) -> int:
        """Return the step after a batch of this epoch, by its number from 0."""
        return self._before + batch + 1


def trained_batches(model: Any) -> int:
    """Return how many batches the optimizer of a model was given."""
    optimizer = getattr(model, "optimizer", None)
    iterations = getattr(optimizer, "iterations", None)
    if iterations is None:
        return 0
    return int(to_numpy(iterations)) * (getattr(optimizer, "gradient_accumulation_steps", None) or 1)
