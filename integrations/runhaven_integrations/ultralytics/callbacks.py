"""The callbacks."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from runhaven.adapter import Adapter, Checkpoints, guarded
from runhaven.errors import UsageError
from runhaven_integrations.ultralytics import epoch
from runhaven_integrations.ultralytics.framework import is_main_process
from runhaven_integrations.ultralytics.plots import Plots
from runhaven_integrations.ultralytics.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from runhaven import Run
    from runhaven.adapter import LogModel

_P = ParamSpec("_P")
_S = TypeVar("_S", bound="RunhavenCallbacks")


def _event(doing: str) -> Callable[[Callable[[_S, Any], None]], Callable[Concatenate[_S, _P], None]]:
    """Make a method a callback: on one process alone, and unable to disturb the training."""

    def wrap(method: Callable[[_S, Any], None]) -> Callable[..., None]:
        safe = guarded(doing)(method)

        @functools.wraps(method)
        def call(self: _S, worker: Any) -> None:
            if is_main_process():
                safe(self, worker)

        return call

    return wrap


class RunhavenCallbacks:
    """Logs trainings of a model of Ultralytics' into Runhaven.

    Steps are epochs, counted from 1 as in `results.csv`. Each training without an `init()` around it is a run of its own; one
    that resumes from a checkpoint goes on in the run that saved it.

    Attributes:
        adapter: Holds the run, and keeps errors from the training.

    Example:
        RunhavenCallbacks(project="birds", log_model=True).attach(model)
    """

    EVENTS = (
        "on_pretrain_routine_start",
        "on_train_start",
        "on_val_start",
        "on_val_end",
        "on_model_save",
        "on_fit_epoch_end",
        "on_train_end",
        "teardown",
    )

    def __init__(
        self,
        *,
        log_model: LogModel = False,
        max_images: int = 16,
        image_interval: int = 1,
        log_plots: bool = True,
        run: Run | None = None,
        **init_arguments: Any,
    ) -> None:
        """Prepare; nothing is created yet.

        Args:
            log_model: Whether weights become artifacts: True or "end" when the training is over, "all" at each epoch.
            max_images: How many validation images are kept at a time, with what is on them and what was found; 0 for none.
            image_interval: Epochs between two looks at validation images; the last epoch is always looked at.
            log_plots: Whether the plots that Ultralytics draws are kept.
            run: A run to log into, instead of one of its own.
            **init_arguments: `strict`, and arguments of `runhaven.init()` such as `project`, `name` and `tags`.

        Raises:
            TypeError: If `init()` has no argument of such a name.
            UsageError: If an argument means nothing.
        """
        if max_images < 0 or image_interval < 1:
            message = (
                f"max_images is 0 or more and image_interval 1 or more, not {max_images!r} and {image_interval!r}."
            )
            raise UsageError(message)
        self.adapter = Adapter("RunhavenCallbacks", run=run, default_project="ultralytics", **init_arguments)
        self.checkpoints = Checkpoints(self.adapter, log_model=log_model)
        self._max_images = max_images
        self._interval = image_interval
        self._keeps_plots = log_plots
        self._forget()

    def _forget(self) -> None:
        self._trainer: Any = None
        self._samples: Samples | None = None
        self._plots = Plots()
        self._has_validated = self._is_over = False

    def __getstate__(self) -> dict[str, Any]:
        """Leave the training behind; the copy logs one of its own."""
        return self.__dict__ | {"_trainer": None, "_samples": None}

    def attach(self, model: Any) -> None:
        """Put the callbacks into a model, a trainer or a validator of Ultralytics'."""
        for event in self.EVENTS:
            model.add_callback(event, getattr(self, event))

    # A training

    @_event("begin the run")
    def on_pretrain_routine_start(self, trainer: Any) -> None:
        """Open the run, or go on with the one that saved the checkpoint; its settings become the configuration."""
        self._forget()
        self._trainer = trainer
        joined = self.adapter.joined
        if joined is not None and joined.is_left_over:
            self.adapter.start_over()
        self.adapter.begin()
        if trainer.resume:
            self.adapter.continue_from(trainer.args.resume)
        self.adapter.configure(epoch.settings(trainer))

    @_event("note what is trained")
    def on_train_start(self, trainer: Any) -> None:
        """Keep the settings that Ultralytics chose itself, and the size of the model."""
        self.adapter.configure(epoch.settings(trainer))
        self.adapter.run.summary["model/parameters"] = epoch.parameters(trainer)

    @_event("log metrics")
    def on_fit_epoch_end(self, trainer: Any) -> None:
        """Keep the numbers of an epoch as a row, and those of the evaluation of the best weights in the summary."""
        if epoch.is_final_evaluation(trainer):
            self._keep_best(trainer)
            return
        row = {
            "epoch": epoch.number_of(trainer),
            **epoch.losses_and_rates(trainer),
            "speed/epoch_s": trainer.epoch_time,
        }
        if self._has_validated:
            scores = epoch.scores(trainer)
            row |= scores | epoch.speed(trainer.validator)
            for key in scores:
                self.adapter.track_best(key, epoch.goal_of(key, trainer.args.task))
        self._has_validated = False
        self.adapter.run.log(row | self._new_plots(trainer), step=epoch.number_of(trainer))

    def _keep_best(self, trainer: Any) -> None:
        best = epoch.scores(trainer) | {"fitness": trainer.best_fitness, "epoch": trainer.stopper.best_epoch}
        self.adapter.run.summary.update({f"best/{key}": value for key, value in best.items()})

    def _new_plots(self, trainer: Any, *, waits: bool = False) -> dict[str, Any]:
        return dict(self._plots.take(trainer, waits=waits)) if self._keeps_plots else {}

    @_event("log weights")
    def on_model_save(self, trainer: Any) -> None:
        """Note the run beside the weights that were just written, and log them if asked to."""
        number = epoch.number_of(trainer)
        is_best = trainer.best_fitness == trainer.fitness
        written = {trainer.wdir / f"epoch{trainer.epoch}.pt": False, trainer.last: False}
        for path, counts in (written | ({trainer.best: True} if is_best else {})).items():
            self.checkpoints.saved(path, step=number, epoch=number, is_best=counts, fitness=float(trainer.fitness))

    @_event("note how the training ended")
    def on_train_end(self, trainer: Any) -> None:
        """Keep the last plots and the weights; the run stays open for what comes next."""
        self._is_over = True
        self.adapter.note_outcome(has_failed=False)
        plots = self._new_plots(trainer, waits=True)
        if plots:
            self.adapter.run.log(plots, step=epoch.number_of(trainer))
        self.checkpoints.end()

    @_event("note how the training ended")
    def teardown(self, trainer: Any) -> None:  # noqa: ARG002 - Ultralytics' argument
        """Note a training whose end was not told as failed."""
        if self._trainer is not None and not self._is_over:
            self.adapter.note_outcome(has_failed=True)
        self._trainer = None

    # A validation

    @_event("look at validation images")
    def on_val_start(self, validator: Any) -> None:
        """Begin to look at images, if it is their turn."""
        if self._max_images and self._is_turn(validator):
            self._samples = Samples(validator, self._max_images, lambda: self.adapter.guard("log validation images"))

    def _is_turn(self, validator: Any) -> bool:
        if self._trainer is None:
            return True
        number = epoch.number_of(self._trainer)
        return validator.training and (number % self._interval == 0 or number == self._trainer.epochs)

    @_event("log validation images")
    def on_val_end(self, validator: Any) -> None:
        """Keep the images; and the metrics too of a validation by itself, outside of a training."""
        self._has_validated = True
        samples, self._samples = self._samples, None
        row: dict[str, Any] = {}
        if samples is not None:
            samples.stop()
            row = {"val/images": samples.images} if samples.images else {}
        if self._trainer is not None:
            if row:
                self.adapter.run.log(row, step=epoch.number_of(self._trainer))
            return
        self.adapter.run.log(row | dict(validator.metrics.results_dict) | epoch.speed(validator))
