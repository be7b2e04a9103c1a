"""Saves models as Keras's own callback does, and makes artifacts of them."""

from __future__ import annotations

import glob
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from runhaven.adapter import Checkpoints, guarded, noted_run
from runhaven_integrations.keras.description import goal_of
from runhaven_integrations.keras.framework import ModelCheckpoint
from runhaven_integrations.keras.member import Member

if TYPE_CHECKING:
    import os

    from runhaven import Run
    from runhaven.adapter import Adapter, LogModel
    from runhaven_integrations.keras.framework import Logs


class RunhavenModelCheckpoint(Member, ModelCheckpoint):
    """Keras's `ModelCheckpoint` that also keeps what it saved, as versions of an artifact of the type "model".

    Each version has the aliases `latest`, `epoch_<n>` with n from 0 and, if it is the best so far, `best`. Which run saved
    a file stands in a note beside it, so that a training which goes on from there, with `initial_epoch` and a
    `RunhavenModelCheckpoint` of the same `filepath`, continues the run.

    Example:
        model.fit(x, y, callbacks=[RunhavenCallback(), RunhavenModelCheckpoint("digits-{epoch:02d}.keras")])
    """

    def __init__(  # noqa: PLR0913, PLR0917 - Keras's arguments
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: Literal["auto", "min", "max"] = "auto",
        save_freq: Literal["epoch"] | int = "epoch",
        initial_value_threshold: float | None = None,
        *,
        log_model: LogModel = "all",
        name: str | None = None,
        run: Run | None = None,
        strict: bool | None = None,
        **init_arguments: Any,
    ) -> None:
        """Prepare; the arguments up to `initial_value_threshold` are those of `keras.callbacks.ModelCheckpoint`.

        Args:
            filepath: Where models are saved; `{epoch}` and names of metrics are filled in.
            monitor: What tells which model is the best.
            verbose: Whether Keras prints what it saves.
            save_best_only: Whether a model is saved only if it is the best so far.
            save_weights_only: Whether the weights alone are saved.
            mode: Whether less or more of it is better; by default known by the metric.
            save_freq: "epoch", or a number of batches.
            initial_value_threshold: What the first one that is saved has to be better than, with `save_best_only`.
            log_model: "all" makes an artifact of each at once; True or "end" of those that are there when the training is
                over; False of none.
            name: The artifact's name; "model-<id of the run>" by default.
            run: A run to log into, instead of the active one or one of its own.
            strict: Whether errors inside the callback are raised; by default the setting `strict` says.
            **init_arguments: Arguments of `runhaven.init()` for a run of its own.

        Raises:
            TypeError: If `init()` has no argument of such a name.
            UsageError: If `log_model` is not known, or `init()` would refuse a value.
            ValueError: If Keras refuses `filepath` or `save_freq`.
        """
        ModelCheckpoint.__init__(
            self,
            filepath,
            monitor=monitor,
            verbose=verbose,
            save_best_only=save_best_only,
            save_weights_only=save_weights_only,
            mode=mode,
            save_freq=save_freq,
            initial_value_threshold=initial_value_threshold,
        )
        # A model that is saved in the middle of an epoch has to be the one of that batch.
        self.async_safe = save_freq == "epoch"
        self._log_model: LogModel = log_model
        self._name = name
        self._best_seen = initial_value_threshold
        self.prepare(run=run, strict=strict, **init_arguments)

    def share(self, adapter: Adapter) -> None:
        """Take the adapter to log through."""
        super().share(adapter)
        self.checkpoints = Checkpoints(adapter, log_model=self._log_model, name=self._name)

    def saved_before(self) -> Path | None:
        """Return the newest file that the callback, in whatever process, saved under its path."""
        parts = re.split(r"\{[^}]*\}", self.filepath)
        found = [Path(file) for file in glob.glob("*".join(map(glob.escape, parts)))]  # noqa: PTH207 - absolute patterns too
        noted = [file for file in found if noted_run(file) is not None]
        return max(noted, key=lambda file: file.stat().st_mtime_ns, default=None)

    def _save_model(self, epoch: int, batch: int | None, logs: Logs) -> None:
        path = Path(self._get_file_path(epoch, batch, logs))
        before = _written(path)
        super()._save_model(epoch, batch, logs)
        if _written(path) != before:
            self._tell_of_saved(path, epoch, batch, logs or {})

    @guarded("log a checkpoint")
    def _tell_of_saved(self, path: Path, epoch: int, batch: int | None, logs: dict[str, Any]) -> None:
        goal = goal_of(self.model, self.monitor, self.mode)
        score = logs.get(self.monitor)
        is_best = is_better(score, self._best_seen, goal)
        self._best_seen = score if is_best else self._best_seen
        facts = {"monitor": self.monitor, "mode": goal, "score": score} if score is not None else {}
        self.checkpoints.saved(
            path,
            step=self.progress.step,
            epoch=epoch,
            is_best=is_best,
            aliases=[f"epoch_{epoch}" if batch is None else f"epoch_{epoch}_batch_{batch}"],
            **facts,
        )

    @guarded("log a checkpoint")
    def _log_waiting(self) -> None:
        self.checkpoints.end()

    def on_train_end(self, logs: Logs = None) -> None:
        """Log what waits."""
        super().on_train_end(logs)
        self._log_waiting()


def is_better(value: float | None, than: float | None, goal: Literal["min", "max"]) -> bool:
    """Return whether a value is better than the best one before it."""
    if value is None or math.isnan(value):
        return False
    return than is None or (value < than if goal == "min" else value > than)


def _written(path: Path) -> tuple[int, int] | None:
    if not path.exists():
        return None
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_ino
