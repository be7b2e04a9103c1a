"""The one callback that does the sensible whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runhaven.adapter import guarded
from runhaven_integrations.keras.checkpoint import RunhavenModelCheckpoint, is_better
from runhaven_integrations.keras.description import goal_of, graph
from runhaven_integrations.keras.framework import backend
from runhaven_integrations.keras.metrics import RunhavenMetricsLogger
from runhaven_integrations.keras.prediction import Predictions
from runhaven_integrations.keras.weights import gradient_histograms, weight_histograms

if TYPE_CHECKING:
    import os

    from runhaven import Run
    from runhaven.adapter import Adapter, LogModel
    from runhaven_integrations.keras.framework import Logs
    from runhaven_integrations.keras.prediction import Labels

_WITHOUT_EFFECT = (
    "training_data",
    "output_type",
    "class_colors",
    "validation_indexes",
    "validation_row_processor",
    "prediction_row_processor",
    "infer_missing_processors",
    "compute_flops",
)


class RunhavenCallback(RunhavenMetricsLogger):
    """Logs a training as a whole: metrics, configuration, the tree of layers, and if asked to models and predictions.

    It takes the arguments of W&B's `WandbCallback`, and goes by that name too.

    Args:
        monitor: What tells the best epoch and model.
        verbose: Whether Keras prints what it saves.
        mode: Whether less or more of it is better; by default known by the metric.
        save_weights_only: Whether the weights alone are saved.
        log_weights: Log a histogram of each weight after each epoch.
        log_gradients: Log a histogram of each gradient of an epoch's last batch; with the torch backend.
        save_model: Save the best model and make an artifact of it; the same as `log_model=True`.
        validation_data: `(x, y)`, of which predictions are logged.
        generator: Batches of `(x, y)`, for the same.
        validation_steps: How many batches of it at most.
        labels: The classes' names, for predictions.
        predictions: How many predictions are logged.
        input_type: "image" if the inputs are pictures; by default known by their shape.
        data_type: An older name for it.
        log_evaluation: Log predictions as a table too, `evaluation`.
        log_evaluation_frequency: Epochs from one table to the next; 0 for one when the training is over.
        log_batch_frequency: Log the metrics of every n-th batch too.
        log_best_prefix: What names of the best value and its epoch in the summary begin with; None for neither.
        save_graph: Keep the tree of layers.
        filepath: Where a model is saved after each epoch; by default, if `log_model` asks for one, the run's directory.
        log_model: Which models become artifacts: True or "end": the best, or those under `filepath`, when the training
            is over; "all": each at once.
        run: A run to log into, instead of the active one or one of its own.
        strict: Whether errors inside the callback are raised; by default the setting `strict` says.
        **arguments: Arguments of `runhaven.init()`; more of `WandbCallback`'s, which have no effect.

    Raises:
        TypeError: If `init()` has no argument of such a name.
        UsageError: If a value is not known, or `init()` would refuse it.

    Example:
        model.fit(x, y, validation_data=(x2, y2), callbacks=[RunhavenCallback(project="digits")])
    """

    def __init__(  # noqa: PLR0913, PLR0917 - WandbCallback's arguments
        self,
        monitor: str = "val_loss",
        verbose: int = 0,
        mode: Literal["auto", "min", "max"] = "auto",
        save_weights_only: bool = False,
        log_weights: bool = False,
        log_gradients: bool = False,
        save_model: bool = False,
        *,
        validation_data: Any = None,
        generator: Any = None,
        validation_steps: int | None = None,
        labels: Labels = None,
        predictions: int = 36,
        input_type: str | None = None,
        data_type: str | None = None,
        log_evaluation: bool = False,
        log_evaluation_frequency: int = 0,
        log_batch_frequency: int | None = None,
        log_best_prefix: str | None = "best_",
        save_graph: bool = True,
        filepath: str | os.PathLike[str] | None = None,
        log_model: LogModel = False,
        run: Run | None = None,
        strict: bool | None = None,
        **arguments: Any,
    ) -> None:
        """Prepare; nothing is opened yet. The class says what each argument is."""
        self._unused = [name for name in _WITHOUT_EFFECT if arguments.pop(name, None) is not None]
        self.monitor = monitor
        self.mode = mode
        self._has_path = filepath is not None
        saving: dict[str, Any] = {"verbose": verbose, "save_weights_only": save_weights_only, "mode": mode}
        self.checkpoint = _checkpoint(filepath, log_model or save_model, monitor=monitor, **saving)
        super().__init__(log_batch_frequency or "epoch", run=run, strict=strict, **arguments)
        self._logs_weights = log_weights
        self._logs_gradients = log_gradients
        self._keeps_graph = save_graph
        self._best_prefix = log_best_prefix
        self._best: float | None = None
        self._goal: Literal["min", "max"] | None = None
        rows: Any = [validation_data] if isinstance(validation_data, tuple | list) else validation_data or generator
        shown: dict[str, Any] = {"count": predictions, "steps": validation_steps, "labels": labels}
        self._predictions = Predictions(rows, kind=input_type or data_type, **shown) if rows is not None else None
        self._table_every = max(log_evaluation_frequency, 0) if log_evaluation else None

    def share(self, adapter: Adapter) -> None:
        """Take the adapter to log through."""
        super().share(adapter)
        if self.checkpoint is not None:
            self.checkpoint.share(adapter)

    def saved_before(self) -> Path | None:
        """Return the newest model that was saved under `filepath`."""
        return self.checkpoint.saved_before() if self.checkpoint is not None and self._has_path else None

    # What Keras tells, and the checkpoint is told

    def set_model(self, model: Any) -> None:
        """Take the model that is to be trained or evaluated."""
        super().set_model(model)
        if self.checkpoint is not None:
            self.checkpoint.set_model(model)
            self.checkpoint.company = self.company

    def set_params(self, params: dict[str, Any]) -> None:
        """Take the number of epochs and of steps in each."""
        super().set_params(params)
        if self.checkpoint is not None:
            self.checkpoint.set_params(params)

    def on_train_begin(self, logs: Logs = None) -> None:
        """Note that a training begins."""
        super().on_train_begin(logs)
        if self.checkpoint is not None:
            self.checkpoint.on_train_begin(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Open or join the run at the first epoch."""
        super().on_epoch_begin(epoch, logs)
        if self.checkpoint is not None:
            self.checkpoint.on_epoch_begin(epoch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Log a batch, if it is one of those."""
        super().on_train_batch_end(batch, logs)
        if self.checkpoint is not None:
            self.checkpoint.on_train_batch_end(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Log an epoch, and save the model if asked to."""
        super().on_epoch_end(epoch, logs)
        self._note_best(epoch, logs or {})
        self._log_weights()
        self._log_predictions(is_table=bool(self._table_every) and (epoch + 1) % (self._table_every or 1) == 0)
        if self.checkpoint is not None:
            self.checkpoint.on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Logs = None) -> None:
        """Log what waits for the end of the training."""
        if self._table_every == 0:
            self._log_predictions(is_table=True)
        super().on_train_end(logs)
        if self.checkpoint is not None:
            self.checkpoint.on_train_end(logs)

    # The parts

    def begin_training(self) -> None:
        """Say what has no effect, keep the tree of layers, and choose a place for models."""
        super().begin_training()
        self._goal = None
        run = self.adapter.run
        if self._unused:
            run.notices.warn(f"RunhavenCallback takes {', '.join(self._unused)}, but nothing comes of it here.")
        if self._logs_gradients and backend() != "torch":
            run.notices.warn(f"log_gradients needs Keras's torch backend; {backend()} keeps no gradients to be read.")
        if self._keeps_graph and self.adapter.writes:
            run.emit(graph(self.model))
        if self.checkpoint is not None and not self._has_path:
            self.checkpoint.filepath = str(Path(run.dir) / Path(self.checkpoint.filepath).name)

    @guarded("note the best epoch")
    def _note_best(self, epoch: int, logs: dict[str, Any]) -> None:
        if self._best_prefix is None or self.monitor not in logs:
            return
        value = logs[self.monitor]
        # Keras knows of all metrics once an epoch is over, and takes long to say which.
        self._goal = self._goal or goal_of(self.model, self.monitor, self.mode)
        if not is_better(value, self._best, self._goal):
            return
        self._best = value
        self.adapter.run.summary.update(
            {f"{self._best_prefix}{self.monitor}": value, f"{self._best_prefix}epoch": epoch}
        )

    @guarded("log weights")
    def _log_weights(self) -> None:
        row = weight_histograms(self.model) if self._logs_weights else {}
        if self._logs_gradients and backend() == "torch":
            row |= gradient_histograms(self.model)
        if row:
            self.adapter.run.log(row, step=self.progress.step)

    @guarded("log predictions")
    def _log_predictions(self, *, is_table: bool) -> None:
        predictions = self._predictions
        if predictions is None or not (is_table or predictions.are_pictures):
            return
        found = predictions.of(self.model)
        row: dict[str, Any] = {"examples": predictions.pictures(found)} if predictions.are_pictures else {}
        if is_table:
            row["evaluation"] = predictions.table(found)
        self.adapter.run.log(row, step=self.progress.step)


def _checkpoint(filepath: Any, log_model: LogModel, **options: Any) -> RunhavenModelCheckpoint | None:
    """Return what saves the models; None if none are to be saved."""
    if filepath is None and not log_model:
        return None
    best_only = filepath is None and log_model != "all"
    path = filepath or f"model-best{'.weights.h5' if options['save_weights_only'] else '.keras'}"
    return RunhavenModelCheckpoint(path, save_best_only=best_only, log_model=log_model, **options)
