"""A framework: trains for three steps and tells its callbacks."""

from __future__ import annotations

from typing import Any, ClassVar


class Trainer:
    """Trains."""

    default_callbacks: ClassVar[list[Any]] = []

    def __init__(self, settings: dict[str, Any], callbacks: list[Any] | None = None) -> None:
        self.settings = settings
        self.callbacks = callbacks or [make() for make in self.default_callbacks]

    def fit(self) -> None:
        for callback in self.callbacks:
            callback.on_train_begin(self)
        for step in range(3):
            for callback in self.callbacks:
                callback.on_step_end(self, step, {"loss": 1 / (step + 1)})
        for callback in self.callbacks:
            callback.on_train_end(self)
