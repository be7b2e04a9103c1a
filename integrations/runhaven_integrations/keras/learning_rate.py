"""Reads the learning rate, without making a training wait for it."""

from __future__ import annotations

from typing import Any

from runhaven_integrations.keras.framework import backend, to_numpy


class LearningRate:
    """The learning rate of a model's optimizer.

    With the JAX backend the optimizer can be read between epochs only; within one, a schedule is asked for its value, and
    a learning rate that is no schedule is the one that the epoch began with.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._optimizer: Any = None
        self._last: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the optimizer behind."""
        return self.__dict__ | {"_optimizer": None}

    def read(self, model: Any) -> float | None:
        """Return it between epochs; None if the model has no optimizer of Keras's."""
        self._optimizer = getattr(model, "optimizer", None)
        value = getattr(self._optimizer, "learning_rate", None)
        # What a variable holds; by way of NumPy it takes several times as long.
        held: Any = getattr(value, "value", value)
        self._last = held.item() if hasattr(held, "item") else held
        return self._last

    def within(self, step: int) -> Any:
        """Return it within an epoch, as a number or a tensor without dimensions.

        Args:
            step: The batches that the optimizer was given.
        """
        if self._last is None:
            return None
        if backend() == "torch":
            value = self._optimizer.learning_rate
            held = getattr(value, "value", value)
            # Only one on a GPU is worth to be copied later, beside the training.
            return held.item() if getattr(held, "is_cpu", False) else held
        schedule = getattr(self._optimizer, "_learning_rate", None)
        return float(to_numpy(schedule(step))) if callable(schedule) else self._last
