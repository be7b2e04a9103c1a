"""What all our callbacks do: they share one run, and count steps."""

from __future__ import annotations

import inspect
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from runhaven.adapter import Adapter, guarded
from runhaven_integrations.keras.description import describe, goal_of, summary
from runhaven_integrations.keras.framework import Callback
from runhaven_integrations.keras.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven import Run
    from runhaven_integrations.keras.framework import Logs

_DEPTH = 8


class Member(Callback):
    """A callback with a run. Those of one training share it: the first one's arguments say which.

    Keras tells a callback neither of the others nor that the training resumes. Who the others are is read, once, off the
    call that hands over the model; that it resumes shows in the number of the first epoch, and so the run is opened there.

    Attributes:
        adapter: Holds the run, and keeps errors from the training.
        progress: The step.
        company: All callbacks of the training, whoever wrote them.
        is_fitting: Whether `fit` is under way, which also evaluates.
        async_safe: Whether Keras may call it for a batch while the next one is computed.
    """

    adapter: Adapter
    async_safe = True
    company: Sequence[Callback] = ()
    is_fitting = False
    _has_own_run = False
    _is_open = False

    def prepare(self, *, run: Run | None, strict: bool | None, initial_step: int = 0, **init_arguments: Any) -> None:
        """Prepare; every callback calls it when it is made. Nothing is opened yet."""
        self._has_own_run = run is not None
        self.progress = Progress(initial_step)
        # One name for all, so that a training knows the run of the one before it, whichever callback was the first.
        self.share(Adapter("runhaven.keras", run=run, strict=strict, **init_arguments))

    def share(self, adapter: Adapter) -> None:
        """Take the adapter to log through."""
        self.adapter = adapter

    def set_model(self, model: Any) -> None:
        """Take the model that is to be trained or evaluated."""
        super().set_model(model)
        self.is_fitting = False
        self.company = _company(self)

    @property
    def first(self) -> Member:
        """The one that opens the run."""
        return next((each for each in self.company if isinstance(each, Member)), self)

    def saved_before(self) -> Path | None:
        """Return the checkpoint that a training which goes on may have come from; None for callbacks that save none."""
        return None

    def begin_training(self) -> None:
        """Do what a callback does once the run is there."""

    # What Keras tells

    def on_train_begin(self, logs: Logs = None) -> None:
        """Note that a training begins."""
        super().on_train_begin(logs)
        self.is_fitting = True
        self._is_open = False
        if self.first is not self and not self._has_own_run:
            self.share(self.first.adapter)
        with self.adapter.guard("begin the run"):
            self.adapter.begin()

    def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None:
        """Open or join the run at the first epoch."""
        super().on_epoch_begin(epoch, logs)
        if not self._is_open:
            self._is_open = True
            self._open(epoch)

    def on_train_batch_end(self, batch: int, logs: Logs = None) -> None:
        """Count a batch."""
        self.progress.batch_ended(batch)
        super().on_train_batch_end(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs = None) -> None:
        """Count an epoch."""
        self.progress.epoch_ended()
        super().on_epoch_end(epoch, logs)

    def on_train_end(self, logs: Logs = None) -> None:
        """Note that the training reached its end; the run stays open."""
        super().on_train_end(logs)
        self.is_fitting = False
        with self.adapter.guard("note how the training ended"):
            self.adapter.note_outcome(has_failed=False)

    # The run

    @guarded("begin the run")
    def _open(self, epoch: int) -> None:
        model = self.model
        self.progress.begin(model)
        if self.first is self:
            if epoch:
                self._continue()
            self._tell_of(model)
        self.begin_training()

    def _continue(self) -> None:
        """Go on with the run whose checkpoint is the newest of those that the callbacks of this training saved."""
        members = [each for each in self.company if isinstance(each, Member)]
        found = [path for path in (each.saved_before() for each in members) if path is not None]
        if found:
            self.adapter.continue_from(max(found, key=lambda path: path.stat().st_mtime_ns))

    def _tell_of(self, model: Any) -> None:
        if not self.adapter.writes:
            return
        with self.adapter.guard("log hyper-parameters"):
            self.adapter.configure({"keras": describe(model, self.params or {})})
        with self.adapter.guard("track the best values"):
            for each in self.company:
                monitor = getattr(each, "monitor", None)
                if isinstance(monitor, str):
                    self.adapter.track_best(monitor, goal_of(model, monitor, str(getattr(each, "mode", "auto"))))
        with self.adapter.guard("keep the summary of the model"), TemporaryDirectory() as folder:
            file = Path(folder) / "model_summary.txt"
            file.write_text(summary(model), "utf-8")
            self.adapter.run.save(file, folder, "now")


def _company(callback: Callback) -> Sequence[Callback]:
    """Return the list of callbacks that is handing over a model to one of them; that one alone if there is no list."""
    frame = inspect.currentframe()
    for _ in range(_DEPTH):
        frame = frame.f_back if frame is not None else None
        if frame is None:
            break
        listed = getattr(frame.f_locals.get("self"), "callbacks", None)
        if isinstance(listed, list) and any(each is callback for each in cast("list[Any]", listed)):
            return cast("list[Callback]", listed)
    return (callback,)
