"""Keras's case, on its torch backend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from contracts.case import Point, Trained

keras = pytest.importorskip("keras")

from runhaven_integrations.keras import RunhavenCallback  # noqa: E402 - after the check

BATCHES = 4


def data() -> tuple[Any, Any]:
    numbers = np.random.default_rng(0)
    x = numbers.normal(size=(4 * BATCHES, 3)).astype("float32")
    return x, (x.sum(1) > 0).astype("float32")[:, None]


def model(learning_rate: object = 0.1) -> Any:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")]
    made = keras.Sequential(layers, name="tiny")
    made.compile(keras.optimizers.SGD(learning_rate, name="sgd"), loss="binary_crossentropy", metrics=["accuracy"])
    return made


class Recorder(keras.callbacks.Callback):
    """Keeps what Keras itself tells: of epochs in its `History`, of batches here."""

    def __init__(self, on_batch: Callable[[int, int], None] | None = None) -> None:
        super().__init__()
        self.points: set[Point] = set()
        self._on_batch = on_batch
        self._epoch = 0

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._epoch = epoch

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self._on_batch is not None:
            self._on_batch(self._epoch, batch)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        values = {**logs, "learning_rate": self.rate()}
        self.points |= {(f"batch/{key}", self.step(), value) for key, value in values.items()}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.points |= {("learning_rate", self.step(), self.rate()), ("epoch", self.step(), epoch)}

    def rate(self) -> float:
        return float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))

    def step(self) -> int:
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))


def history_points(history: Any, batches: int = BATCHES) -> set[Point]:
    return {
        (key, (epoch + 1) * batches, value)
        for key, values in history.history.items()
        for epoch, value in zip(history.epoch, values, strict=True)
    }


class Case:
    package = "keras"
    missing = "RunhavenCallback needs the package 'keras', which cannot be imported. Run: pip install keras"
    parameters: ClassVar[dict[str, Any]] = {
        "keras": {
            "backend": "torch",
            "version": keras.__version__,
            "epochs": 2,
            "steps_per_epoch": BATCHES,
            "optimizer": keras.optimizers.SGD(0.1).get_config() | {"name": "sgd"},
            **{key: value for key, value in model().get_compile_config().items() if key != "optimizer"},
            "model": {
                "name": "tiny", "class": "Sequential", "parameters": 21, "trainable_parameters": 21,
                "dtype_policy": "float32",
            },
        }
    }  # fmt: skip
    best = ("val_loss", "min")
    epoch = "epoch"

    def make(self, **options: Any) -> RunhavenCallback:
        return RunhavenCallback(log_batch_frequency=1, **options)

    def train(
        self,
        folder: Path,
        *,
        epochs: int = 2,
        is_resumed: bool = False,
        on_batch: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Trained:
        saved = sorted(folder.glob("*.keras"))
        trained = keras.models.load_model(saved[-1]) if is_resumed else model()
        recorder = Recorder(on_batch)
        history = trained.fit(
            *data(), batch_size=4, epochs=epochs, initial_epoch=len(saved) if is_resumed else 0, verbose=0,
            validation_data=data(), callbacks=[recorder, self.make(filepath=folder / "{epoch:02d}.keras", **options)],
        )  # fmt: skip
        return Trained(recorder.points | history_points(history), sorted(folder.glob("*.keras")))


case = Case()
