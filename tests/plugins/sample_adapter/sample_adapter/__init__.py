"""A third party's adapter, for `sample_trainer`."""

from __future__ import annotations

from typing import Any

from runhaven.adapter import Adapter, guarded

__all__ = ["SampleCallback"]


class SampleCallback:
    """Logs a training."""

    def __init__(self, **init_arguments: Any) -> None:
        self.adapter = Adapter("SampleCallback", **init_arguments)

    @guarded("begin the run")
    def on_train_begin(self, trainer: Any) -> None:
        self.adapter.begin()
        self.adapter.configure(trainer.settings)

    @guarded("log metrics")
    def on_step_end(self, _: Any, step: int, metrics: dict[str, float]) -> None:
        self.adapter.run.log(metrics, step=step)

    @guarded("note how the training ended")
    def on_train_end(self, _: Any) -> None:
        self.adapter.note_outcome(has_failed=False)
