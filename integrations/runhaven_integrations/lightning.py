"""PyTorch Lightning: a logger for its `Trainer` and for Fabric, under both names of the package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import runhaven
from runhaven.missing import missing
from runhaven.store.ids import new_run_id

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping

    from lightning.pytorch.loggers.logger import Logger
    from lightning_utilities.core.rank_zero import rank_zero_only

    def rank_zero_experiment(experiment: Callable[..., runhaven.Run]) -> Callable[..., runhaven.Run]:
        """Stand for Lightning's decorator, whose own types say nothing."""
        ...

else:
    try:
        from lightning_utilities.core.rank_zero import rank_zero_only

        try:
            from lightning.fabric.loggers.logger import rank_zero_experiment
            from lightning.pytorch.loggers.logger import Logger
        except ImportError:
            from lightning_fabric.loggers.logger import rank_zero_experiment
            from pytorch_lightning.loggers.logger import Logger
    except ImportError as error:
        raise ImportError(missing("lightning", "RunhavenLogger")) from error


class RunhavenLogger(Logger):
    """Logs a Lightning training into a Runhaven run.

    The run is created when Lightning first asks for it, on rank 0; if a run is active already, the logger uses that.
    Steps are Lightning's own. `fit`, `validate` and `test` do not end the run: the end of the process does, or
    `runhaven.finish()`.

    Example:
        trainer = Trainer(logger=RunhavenLogger(project="digits"))
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(  # noqa: PLR0913 - WandbLogger's arguments
        self,
        name: str | None = None,
        save_dir: str | None = None,
        version: str | None = None,
        *,
        project: str | None = None,
        id: str | None = None,  # noqa: A002 - the name in both APIs
        experiment: runhaven.Run | None = None,
        prefix: str = "",
        **init_arguments: Any,
    ) -> None:
        """Prepare a logger; nothing is created yet.

        Args:
            name: The run's name for people.
            save_dir: Where Lightning puts checkpoints; the trainer's `default_root_dir` by default.
            version: The run's id; the same as `id`.
            project: The project; "lightning_logs" by default.
            id: The run's id. An id of an earlier run goes on with that run.
            experiment: A run to log into, instead of one of its own.
            prefix: Put before each metric's name, with "-" between.
            **init_arguments: More arguments of `runhaven.init()`, such as `tags`, `group`, `config` and `dir`.
        """
        super().__init__()
        self._save_dir = save_dir
        self._prefix = prefix
        self._run = experiment
        self._id = id or version
        self._arguments: dict[str, Any] = {"name": name, "project": project or "lightning_logs", **init_arguments}
        if self._id is not None:
            self._arguments.setdefault("resume", "allow")

    @property
    @rank_zero_experiment
    def experiment(self) -> runhaven.Run:
        """The run; created at the first use. A stand-in that does nothing on ranks other than 0."""
        if self._run is None or self._run.is_finished:
            active = runhaven.run
            self._run = active or runhaven.init(id=self.version, **self._arguments)
        return self._run

    @property
    def name(self) -> str:
        """The project, which Lightning makes a directory of checkpoints."""
        return self._run.project if self._run is not None else self._arguments["project"]

    @property
    def version(self) -> str:
        """The run's id, which Lightning makes a directory of checkpoints; known before the run exists."""
        if self._run is not None:
            return self._run.id
        if self._id is None:
            self._id = new_run_id()
        return self._id

    @property
    def save_dir(self) -> str | None:
        """Where Lightning puts checkpoints; None stands for the trainer's `default_root_dir`."""
        return self._save_dir

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Put hyper-parameters into the run's configuration, whatever their types."""
        self.experiment.config.update(params, allow_val_change=True)

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep a row of metrics at Lightning's step."""
        join = f"{self._prefix}{self.LOGGER_JOIN_CHAR}" if self._prefix else ""
        self.experiment.log({f"{join}{key}": value for key, value in metrics.items()}, step=step)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Note how `fit`, `validate` or `test` ended; the run stays open for what comes next."""
        if self._run is not None:
            self._run.note_outcome(1 if status == "failed" else 0)
