"""Trains on Keras's JAX backend, in a process of its own, and prints what a test wants to know: `<folder>`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keras
from contracts.adapters.keras import BATCHES, Recorder, data, history_points, model

import runhaven
from runhaven_integrations.keras import RunhavenCallback, RunhavenMetricsLogger


class Syncs:
    """Counts how often the training is made to hand its state over."""

    def __init__(self, watched: Any) -> None:
        self.count = 0
        self._sync = watched.jax_state_sync
        watched.jax_state_sync = self

    def __call__(self) -> None:
        self.count += 1
        self._sync()


class ListSeen(keras.callbacks.Callback):
    """Keeps whether Keras tells of batches while it computes the next one."""

    async_safe = True
    is_async = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        frame: Any = sys._getframe(1)
        self.is_async = frame.f_locals["self"]._async_train


def main(folder: Path) -> None:
    schedule: Any = keras.optimizers.schedules.ExponentialDecay(0.1, 3, 0.5)
    options: dict[str, Any] = {"batch_size": 4, "verbose": 0, "validation_data": data()}
    path = folder / "{epoch:02d}.keras"

    trained, recorder = model(schedule), Recorder()
    callback = RunhavenCallback(log_batch_frequency=1, filepath=path, log_model="all", log_weights=True, project="p")
    first = trained.fit(*data(), epochs=2, callbacks=[recorder, callback], **options)
    trained.evaluate(*data(), verbose=0, callbacks=[callback])

    resumed: Any = keras.models.load_model(folder / "02.keras")
    second_recorder = Recorder()
    callback = RunhavenCallback(log_batch_frequency=1, filepath=path, project="p", strict=True)
    second = resumed.fit(*data(), epochs=3, initial_epoch=2, callbacks=[second_recorder, callback], **options)
    runhaven.finish()

    syncs: dict[str, int] = {}
    for kind, batches in (("few", 4), ("many", 16)):
        quick = model(schedule)
        seen, counted = ListSeen(), Syncs(quick)
        logger = RunhavenMetricsLogger("batch", project="quick")
        quick.fit(*data(), batch_size=4 * BATCHES // batches, epochs=1, verbose=0, callbacks=[seen, logger])
        syncs[kind] = counted.count
        assert seen.is_async
    runhaven.finish()
    grouped = model()
    grouped.compile("sgd", "mse", steps_per_execution=2)
    grouped.fit(*data(), batch_size=4, epochs=2, verbose=0, callbacks=[RunhavenMetricsLogger(3, project="grouped")])
    runhaven.finish()
    scaled, rates = model(), Recorder()
    scaled.compile(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(schedule)), "mse")
    scaled.fit(*data(), batch_size=4, verbose=0, callbacks=[rates, RunhavenMetricsLogger("batch", project="scaled")])
    runhaven.finish()
    told = sorted(point for point in rates.points if point[0] == "batch/learning_rate")
    points = recorder.points | second_recorder.points | history_points(first) | history_points(second)
    print(json.dumps({"backend": keras.config.backend(), "points": sorted(points), "syncs": syncs, "scaled": told}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
