"""The tracker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import runhaven
from runhaven.adapter import Adapter, Checkpoints, guarded
from runhaven.missing import missing

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeVar

    from accelerate.tracking import GeneralTracker

    from runhaven import Run
    from runhaven.adapter import LogModel

    _Method = TypeVar("_Method", bound=Callable[..., Any])

    def on_main_process(function: _Method) -> _Method:
        """Stand for accelerate's decorator, whose own types say nothing."""
        ...

else:
    try:
        from accelerate.tracking import GeneralTracker, on_main_process
    except ImportError as error:
        raise ImportError(missing("accelerate", "RunhavenTracker")) from error


class RunhavenTracker(GeneralTracker):
    """Logs what is handed to `Accelerator.log` into a Runhaven run, on the main process.

    `Accelerator(log_with="runhaven")` makes one at `init_trackers`. If a run is active already, it is used, and left open by
    `end_training()`; a run of the tracker's own is ended by it.

    Attributes:
        adapter: Holds the run, and keeps errors from the training.

    Example:
        accelerator = Accelerator(log_with="runhaven")
        accelerator.init_trackers("digits", config={"lr": 0.01}, init_kwargs={"runhaven": {"tags": ["a"]}})
    """

    name = "runhaven"
    requires_logging_directory = False
    main_process_only = True

    def __init__(
        self,
        project: str | None = None,
        *,
        log_model: LogModel = False,
        checkpoint_name: str | None = None,
        resume_from: str | os.PathLike[str] | None = None,
        run: Run | None = None,
        strict: bool | None = None,
        **init_arguments: Any,
    ) -> None:
        """Prepare a tracker; nothing is created yet.

        Args:
            project: The project; accelerate hands over that of `init_trackers`.
            log_model: Whether the checkpoints that `log_checkpoint` is told of become artifacts: True or "end" at the end of
                the training, "all" at once.
            checkpoint_name: The artifact's name; "model-<id>" by default.
            resume_from: A checkpoint that `log_checkpoint` was told of: its run is gone on with.
            run: A run to log into, instead of one of its own.
            strict: Whether errors inside the tracker are raised; by default the setting `strict` says.
            **init_arguments: More arguments of `runhaven.init()`, such as `name`, `tags` and `group`.

        Raises:
            TypeError: If `init()` has no argument of such a name.
            UsageError: If `log_model` is not known, or `init()` would refuse a value.
        """
        super().__init__()
        self.adapter = Adapter("RunhavenTracker", run=run, strict=strict, project=project, **init_arguments)
        self._checkpoints = Checkpoints(self.adapter, log_model=log_model, name=checkpoint_name)
        self._resume_from = resume_from

    @on_main_process
    @guarded("begin the run")
    def start(self) -> None:
        """Open the run, or go on with that of the checkpoint; accelerate calls it in `init_trackers`."""
        self.adapter.begin()
        if self._resume_from is not None:
            self.adapter.continue_from(self._resume_from)
        _ = self.adapter.run

    @property
    def tracker(self) -> Run:
        """The run, which `accelerator.get_tracker("runhaven", unwrap=True)` returns."""
        return self.adapter.run

    @on_main_process
    @guarded("keep the configuration")
    def store_init_configuration(self, values: Mapping[str, Any]) -> None:
        """Put hyper-parameters of any types into the run's configuration."""
        self.adapter.configure(values)

    @on_main_process
    @guarded("log metrics")
    def log(self, values: Mapping[str, Any], step: int | None = None, **options: Any) -> None:
        """Keep a row of values.

        Args:
            values: Names and values.
            step: The step; the run's counter by default.
            **options: Arguments of `Run.log`: `commit`.
        """
        self.adapter.run.log(values, step=step, **options)

    @on_main_process
    @guarded("log images")
    def log_images(self, values: Mapping[str, Sequence[Any]], step: int | None = None, **options: Any) -> None:
        """Log pictures: for each name a batch of them, as arrays, tensors or PIL images."""
        row = {key: [runhaven.Image(image) for image in images] for key, images in values.items()}
        self.adapter.run.log(row, step=step, **options)

    @on_main_process
    @guarded("log a table")
    def log_table(
        self,
        table_name: str,
        columns: Sequence[str] | None = None,
        data: Sequence[Sequence[Any]] | None = None,
        dataframe: Any = None,
        step: int | None = None,
        **options: Any,
    ) -> None:
        """Log a table of anything, of columns and rows or of a DataFrame."""
        table = runhaven.Table(columns=columns, data=data, dataframe=dataframe)
        self.adapter.run.log({table_name: table}, step=step, **options)

    @on_main_process
    @guarded("log a checkpoint")
    def log_checkpoint(self, path: str | os.PathLike[str], *, is_best: bool = False, **metadata: Any) -> None:
        """Note the run beside a checkpoint, and log it as `log_model` says; `save_state` tells no tracker.

        Args:
            path: The file or directory, such as `save_state` returns.
            is_best: Whether it is the best one so far.
            **metadata: What is known of it: step, epoch, score ...
        """
        self._checkpoints.saved(path, is_best=is_best, **metadata)

    @on_main_process
    @guarded("end the run")
    def finish(self) -> None:
        """Log what waits, and end a run of the tracker's own; accelerate calls it in `end_training`."""
        self._checkpoints.end()
        self.adapter.note_outcome(has_failed=False)
        if self.adapter.run.opened_by == self.adapter.name:
            self.adapter.run.finish()
