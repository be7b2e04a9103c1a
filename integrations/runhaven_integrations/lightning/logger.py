"""The logger."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal

import runhaven
from runhaven import integration
from runhaven.adapter import Adapter, Checkpoints, guarded
from runhaven_integrations.lightning.framework import Logger, is_rank_zero, rank_zero_experiment, rank_zero_only
from runhaven_integrations.lightning.media import MediaMethods
from runhaven_integrations.lightning.saving import written
from runhaven_integrations.lightning.training import Training

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from runhaven import Artifact, Run
    from runhaven.adapter import LogModel


class RunhavenLogger(MediaMethods, Logger):
    """Logs a Lightning training into a Runhaven run.

    The run is created when Lightning first asks for it, on rank 0; if a run is active already, the logger uses that.
    Steps are Lightning's own. `fit`, `validate` and `test` do not end the run: the end of the process does, or
    `runhaven.finish()`, or the next logger's training. A training that resumes from a checkpoint goes on in the run that
    saved it.

    Attributes:
        adapter: Holds the run, and keeps errors from the training.

    Example:
        trainer = Trainer(logger=RunhavenLogger(project="digits", log_model=True))
    """

    LOGGER_JOIN_CHAR = "-"

    def __init__(  # noqa: PLR0913, PLR0917 - WandbLogger's arguments
        self,
        name: str | None = None,
        save_dir: str | os.PathLike[str] | None = None,
        version: str | None = None,
        offline: bool = False,
        dir: str | os.PathLike[str] | None = None,  # noqa: A002 - the name in both APIs
        id: str | None = None,  # noqa: A002 - the name in both APIs
        anonymous: bool | None = None,  # noqa: ARG002 - about W&B's login
        project: str | None = None,
        log_model: LogModel = False,
        experiment: Run | None = None,
        prefix: str = "",
        checkpoint_name: str | None = None,
        add_file_policy: Literal["mutable", "immutable"] = "mutable",  # noqa: ARG002 - see below
        log_checkpoint_on: Literal["success", "all"] = "success",
        *,
        log_graph: bool = False,
        strict: bool | None = None,
        **init_arguments: Any,
    ) -> None:
        """Prepare a logger; nothing is created yet.

        Args:
            name: The run's name for people.
            save_dir: Where Lightning puts checkpoints; the trainer's `default_root_dir` by default.
            version: The run's id; the same as `id`.
            offline: Accepted: every run is kept locally.
            dir: The store.
            id: The run's id. An id of an earlier run goes on with that run.
            anonymous: Accepted; there is no account.
            project: The project; "lightning_logs" by default.
            log_model: Whether checkpoints become artifacts: True or "end" when the training is over, "all" at once.
            experiment: A run to log into, instead of one of its own.
            prefix: Put before each metric's name, with "-" between.
            checkpoint_name: The artifact's name; "model-<id>" by default.
            add_file_policy: Accepted: checkpoints are copied, and may change afterwards.
            log_checkpoint_on: Whether a training that failed logs its checkpoints too ("all").
            log_graph: Whether the model's modules and the shapes of their parameters are kept.
            strict: Whether errors inside the logger are raised; by default the setting `strict` says.
            **init_arguments: More arguments of `runhaven.init()`, such as `tags`, `group` and `config`.

        Raises:
            TypeError: If `init()` has no argument of such a name.
            UsageError: If `log_model` is not known, or `init()` would refuse a value.
        """
        super().__init__()
        own = {
            "name": name,
            "dir": dir,
            "id": version or id,
            "mode": "offline" if offline else None,
            "project": project,
        }
        self.adapter = Adapter(
            "RunhavenLogger",
            run=experiment,
            strict=strict,
            default_project="lightning_logs",
            **(own | init_arguments),
        )
        self.checkpoints = Checkpoints(self.adapter, log_model=log_model, name=checkpoint_name)
        self._training = Training()
        self._save_dir = os.fspath(save_dir) if save_dir is not None else None
        self._prefix = f"{prefix}{self.LOGGER_JOIN_CHAR}" if prefix else ""
        self._keeps_failed = log_checkpoint_on == "all"
        self._keeps_graph = log_graph

    # The run

    @property
    @rank_zero_experiment
    def experiment(self) -> Run:
        """The run; created at the first use. A stand-in that does nothing on ranks other than 0."""
        if self.adapter.joined is None:
            with self.adapter.guard("see whether the training resumes"):
                checkpoint = self._training.look_for(self)
                if checkpoint is not None:
                    self.adapter.continue_from(checkpoint)
        return self.adapter.run

    @property
    def name(self) -> str:
        """The project, which Lightning makes a directory of checkpoints."""
        return self.adapter.project

    @property
    def version(self) -> str:
        """The run's id, which Lightning makes a directory of checkpoints; known before the run exists."""
        return self.adapter.id

    @property
    def save_dir(self) -> str | None:
        """Where Lightning puts checkpoints."""
        return self._save_dir or self._training.root

    # Metrics and parameters

    @rank_zero_only
    @guarded("log hyper-parameters")
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Put hyper-parameters into the run's configuration, whatever their types."""
        self.adapter.configure(params)

    @rank_zero_only
    @guarded("log metrics")
    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        """Keep a row of metrics at Lightning's step."""
        prefix = self._prefix
        row = {f"{prefix}{key}": value for key, value in metrics.items()} if prefix else dict(metrics)
        self.experiment.log(row, step=step)

    @rank_zero_only
    @guarded("note what is trained")
    def log_graph(self, model: Any, input_array: Any = None) -> None:  # noqa: ARG002 - Lightning's argument
        """Note what is trained; Lightning calls it before each training.

        With `log_graph=True`, the modules and the shapes of their parameters are kept.

        Args:
            model: The `LightningModule`.
            input_array: Accepted: the model is not run for this.
        """
        self._training.note(model)
        self._training.track_monitors(self.adapter, self._prefix)
        self._training.keep_command_line(self.experiment)
        if self._keeps_graph:
            integration.adapter("torch", feature="log_graph").keep_graph(self.experiment, model)

    @guarded("watch the model")
    def watch(
        self,
        model: Any,
        log: Literal["gradients", "parameters", "all"] | None = "gradients",
        log_freq: int = 100,
        log_graph: bool = True,
    ) -> None:
        """Keep histograms of gradients or parameters; see `runhaven.Run.watch`.

        To be called on every rank: of FSDP2 and other `DTensor`s each rank counts its shards, and rank 0 logs them all.
        """
        run = self.experiment if is_rank_zero() else self.adapter.run
        run.watch(model, log=log, log_freq=log_freq, log_graph=log_graph)

    # Checkpoints and artifacts

    @guarded("log a checkpoint")
    def after_save_checkpoint(self, checkpoint_callback: Any) -> None:
        """Note the run beside the checkpoint that was just written, and log it if asked to; on rank 0 alone."""
        found = written(checkpoint_callback)
        if found is not None:
            self.log_checkpoint(found.path, is_best=found.is_best, **found.facts)

    @rank_zero_only
    @guarded("log a checkpoint")
    def log_checkpoint(self, path: str | os.PathLike[str], *, is_best: bool = False, **metadata: Any) -> None:
        """Note the run beside a checkpoint, and log it as `log_model` says; for Fabric, whose `save` tells nobody.

        Args:
            path: The file or directory.
            is_best: Whether it is the best one so far.
            **metadata: What is known of it: step, epoch, score ...
        """
        known: dict[str, Any] = {"step": self._training.step, "epoch": self._training.epoch} | metadata
        self.checkpoints.saved(path, is_best=is_best, **known)

    def use_artifact(self, artifact: str, artifact_type: str | None = None) -> Artifact:
        """Return an artifact, and note that the run uses it.

        Raises:
            NotFoundError: If there is none.
            UsageError: If its type is another.
        """
        return self.experiment.use_artifact(artifact, type=artifact_type)

    @staticmethod
    def download_artifact(
        artifact: str,
        save_dir: str | os.PathLike[str] | None = None,
        artifact_type: str | None = None,
        use_artifact: bool | None = True,
    ) -> str:
        """Bring an artifact's files and return their folder.

        Args:
            artifact: `name:alias`, `project/name:alias` or `entity/project/name:alias`.
            save_dir: Where they go.
            artifact_type: The type that it must have.
            use_artifact: Whether it is noted that the active run, if there is one, uses it.

        Raises:
            NotFoundError: If there is none.
        """
        run = runhaven.run if use_artifact else None
        found = (
            run.use_artifact(artifact, type=artifact_type) if run else runhaven.Api().artifact(artifact, artifact_type)
        )
        return found.download(root=os.fspath(save_dir) if save_dir is not None else None)

    @rank_zero_only
    @guarded("note how the training ended")
    def finalize(self, status: str) -> None:
        """Note how `fit`, `validate` or `test` ended, and log what waits; the run stays open for what comes next."""
        if self.adapter.joined is None:
            return
        has_failed = status == "failed"
        self.adapter.note_outcome(has_failed=has_failed)
        if not has_failed or self._keeps_failed:
            self.checkpoints.end()
