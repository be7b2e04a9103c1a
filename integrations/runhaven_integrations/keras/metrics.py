"""Logs what Keras measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from runhaven.adapter import guarded
from runhaven.errors import UsageError
from runhaven_integrations.keras.learning_rate import LearningRate
from runhaven_integrations.keras.member import Member

if TYPE_CHECKING:
    from runhaven import Run
    from runhaven_integrations.keras.framework import Logs


class RunhavenMetricsLogger(Member):
    """Logs the metrics of epochs, under the names and with the values of Keras's `History`, and of batches if asked to.

    The step is the number of batches that the model was trained on. An epoch's row has `epoch`, from 0, and
    `learning_rate` too. Metrics of batches, which are means since the epoch began, stand below `batch/`, those of an
    `evaluate` after the training below `test_`.

    Example:
        model.fit(x, y, callbacks=[RunhavenMetricsLogger()])
    """

    def __init__(
        self,
        log_freq: Literal["epoch", "batch"] | int = "epoch",
        initial_global_step: int = 0,
        *,
        run: Run | None = None,
        strict: bool | None = None,
        **init_arguments: Any,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            log_freq: "epoch"; "batch" for every batch too; or n, for every n-th batch too.
            initial_global_step: The step to begin with; by default what the optimizer has counted, which a saved model
                brings along.
            run: A run to log into, instead of the active one or one of its own.
            strict: Whether errors inside the callback are raised; by default the setting `strict` says.
            **init_arguments: Arguments of `runhaven.init()` for a run of its own, such as `project` and `config`.

        Raises:
            TypeError: If `init()` has no argument of such a name.
            UsageError: If `log_freq` is not known, or `init()` would refuse a value.
        """
        super().__init__()
        self._every = _frequency(log_freq)
        self.prepare(run=run, strict=strict, initial_step=initial_global_step, **init_arguments)
        self.learning_rate = LearningRate()
        self._batches_at_once = 1

    def begin_training(self) -> None:
        """Read what batches need to know."""
        self.learning_rate.begin(self.model)
        self._batches_at_once = getattr(self.model, "steps_per_execution", None) or 1

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Log a batch, if it is one of those."""
        super().on_train_batch_end(batch, logs)
        every = self._every
        if every and (batch + 1) // every > (batch + 1 - self._batches_at_once) // every:
            self._log_batch(batch, logs or {})

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Log an epoch."""
        super().on_epoch_end(epoch, logs)
        self._log_epoch(epoch, logs or {})

    def on_test_end(self, logs: Logs = None) -> None:
        """Log an `evaluate` that is no part of a training."""
        super().on_test_end(logs)
        if not self.is_fitting:
            self._log_test(logs or {})

    @guarded("log metrics")
    def _log_batch(self, batch: int, logs: dict[str, Any]) -> None:
        row = {f"batch/{key}": value for key, value in logs.items()}
        step = self.progress.step_of(batch)
        rate = self.learning_rate.within(step + self.progress.lead)
        if rate is not None:
            row["batch/learning_rate"] = rate
        self.adapter.run.log(row, step=step)

    @guarded("log metrics")
    def _log_epoch(self, epoch: int, logs: dict[str, Any]) -> None:
        rate = self.learning_rate.read()
        # A callback that sets the learning rate tells of it in the logs: the one that the epoch was trained with.
        row = {"learning_rate": rate} if rate is not None else {}
        self.adapter.run.log({**row, **logs, "epoch": epoch}, step=self.progress.step)

    @guarded("log metrics")
    def _log_test(self, logs: dict[str, Any]) -> None:
        self.progress.begin(self.model)
        self.adapter.run.log({f"test_{key}": value for key, value in logs.items()}, step=self.progress.step)
        self.adapter.note_outcome(has_failed=False)


def _frequency(log_freq: Any) -> int:
    if log_freq == "epoch":
        return 0
    if log_freq == "batch":
        return 1
    if isinstance(log_freq, bool) or not isinstance(log_freq, int) or log_freq < 1:
        message = f"log_freq={log_freq!r} is not known; choose 'epoch', 'batch' or a number of batches from 1."
        raise UsageError(message)
    return log_freq
