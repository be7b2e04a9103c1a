"""What a logger learns of the training that it logs."""

from __future__ import annotations

import weakref
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from runhaven.adapter import callers

if TYPE_CHECKING:
    from runhaven import Run
    from runhaven.adapter import Adapter
    from runhaven_integrations.lightning.framework import Logger


class Training:
    """The trainer that works with a logger, as far as it is known.

    Lightning hands its trainer to callbacks and never to loggers. That a training resumes is needed before the run is
    opened, when no callback was called yet: it is read, once, off the call that asks for the run.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._trainer: weakref.ref[Any] | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Forget the trainer, which is another one in another process."""
        return {"_trainer": None}

    @property
    def trainer(self) -> Any:
        """The trainer; None if there is none, as in Fabric."""
        return self._trainer() if self._trainer is not None else None

    @property
    def root(self) -> str | None:
        """Where the trainer puts checkpoints by default."""
        return getattr(self.trainer, "default_root_dir", None)

    @property
    def step(self) -> int | None:
        """The step of the charts: batches after which an optimizer stepped."""
        loop = getattr(getattr(self.trainer, "fit_loop", None), "epoch_loop", None)
        return getattr(loop, "_batches_that_stepped", None)

    @property
    def epoch(self) -> int | None:
        """The present epoch, from 0."""
        return getattr(self.trainer, "current_epoch", None)

    def look_for(self, logger: Logger) -> str | None:
        """Find the trainer that is asking a logger for its run; return the checkpoint that it resumes from, if any."""
        for values in callers():
            trainer: Any = values.get("self")
            if "ckpt_path" in values and any(logger is other for other in getattr(trainer, "loggers", ())):
                self._trainer = weakref.ref(trainer)
                return str(values["ckpt_path"]) if trainer.state.fn == "fit" and values["ckpt_path"] else None
        return None

    def note(self, model: Any) -> None:
        """Remember the trainer of a module that is about to be trained."""
        trainer = getattr(model, "_trainer", None)
        if trainer is not None:
            self._trainer = weakref.ref(trainer)

    def track_monitors(self, adapter: Adapter, prefix: str) -> None:
        """Have the summary keep the best of what checkpoints and early stopping watch."""
        for callback in getattr(self.trainer, "callbacks", ()):
            monitor, mode = getattr(callback, "monitor", None), getattr(callback, "mode", None)
            if isinstance(monitor, str) and mode in ("min", "max"):
                adapter.track_best(f"{prefix}{monitor}", mode)

    def keep_command_line(self, run: Run) -> None:
        """Keep the configuration of `LightningCLI`, if it started the training: its values, and the file `config.yaml`."""
        for callback in getattr(self.trainer, "callbacks", ()):
            parser, config = getattr(callback, "parser", None), getattr(callback, "config", None)
            if not hasattr(parser, "dump") or config is None:
                continue
            run.config.update({"config": config})
            with TemporaryDirectory() as folder:
                file = Path(folder) / str(getattr(callback, "config_filename", "config.yaml"))
                file.write_text(cast("Any", parser).dump(config, skip_none=False), "utf-8")
                run.save(file, folder, "now")
