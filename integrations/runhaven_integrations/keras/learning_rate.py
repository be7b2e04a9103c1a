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
        self._variable: Any = None
        self._memory: Any = None
        self._last: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the optimizer and what it holds behind."""
        return self.__dict__ | {"_optimizer": None, "_variable": None, "_memory": None}

    def begin(self, model: Any) -> None:
        """Take a model that is about to be trained."""
        optimizer = getattr(model, "optimizer", None)
        # One that scales the loss has a learning rate of its own, which means nothing.
        self._optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        self.read()

    def read(self) -> float | None:
        """Return it between epochs; None if the model has no optimizer of Keras's."""
        self._last = _number(self._held())
        return self._last

    def within(self, step: int) -> Any:
        """Return it within an epoch, as a number or a tensor without dimensions.

        Args:
            step: The batches that the optimizer was given.
        """
        if self._last is None:
            return None
        if backend() == "torch":
            held = self._held()
            # Only one on a GPU is worth to be copied later, beside the training.
            return held if hasattr(held, "is_cpu") else _number(held)
        schedule = getattr(self._optimizer, "_learning_rate", None)
        return float(to_numpy(schedule(step))) if callable(schedule) else self._last

    def _held(self) -> Any:
        """Return the tensor, array or number that holds it now.

        To ask a variable for its tensor takes as long as to log a row. The torch backend writes into one tensor for as long
        as the variable lives, and so it is asked once; JAX puts another one in its place. On a CPU, NumPy reads the same
        memory in a fraction of the time.
        """
        source = getattr(self._optimizer, "_learning_rate", None)
        if source is not None and source is self._variable:
            return self._memory
        rate = getattr(self._optimizer, "learning_rate", None)
        held: Any = getattr(rate, "value", rate)
        if backend() != "torch":
            return held
        if getattr(held, "is_cpu", False):
            held = held.detach().numpy()
        if rate is source:
            self._variable, self._memory = source, held
        return held


def _number(held: Any) -> Any:
    return held.item() if hasattr(held, "item") else held
