"""The callback."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, cast

from runhaven.adapter import Adapter, Checkpoints, callers, guarded
from runhaven.rank import detect
from runhaven_integrations.transformers.describing import configuration, first_arguments, trial, watched_metric
from runhaven_integrations.transformers.framework import TrainerCallback
from runhaven_integrations.transformers.naming import series, totals
from runhaven_integrations.transformers.sampling import continuations, is_sharded
from runhaven_integrations.transformers.saving import (
    facts,
    log_model_setting,
    resumed_checkpoint,
    save_model,
    watch_setting,
    written,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runhaven import Run
    from runhaven.adapter import LogModel
    from runhaven_integrations.transformers.saving import Watch


class RunhavenCallback(TrainerCallback):
    """Logs a training of Transformers' `Trainer` into a Runhaven run.

    `TrainingArguments(report_to="runhaven")` makes one; to give it options, hand it over yourself. The run is opened when the
    training begins, on the first process; if a run is active already, the callback uses that. Steps are `global_step`. The run
    is not ended when the training is: the end of the process does, or `runhaven.finish()`, or the next training. A training
    that resumes from a checkpoint goes on in the run that saved it.

    Attributes:
        adapter: Holds the run, and keeps errors from the training.

    Example:
        trainer = Trainer(model, args, callbacks=[RunhavenCallback(project="digits", log_model=True)])
    """

    def __init__(  # noqa: PLR0913 - each one is an option
        self,
        *,
        log_model: LogModel | None = None,
        checkpoint_name: str | None = None,
        watch: Watch | None = None,
        prompts: Sequence[str] = (),
        max_new_tokens: int = 50,
        run: Run | None = None,
        strict: bool | None = None,
        **init_arguments: Any,
    ) -> None:
        """Prepare a callback; nothing is created yet.

        Args:
            log_model: Whether checkpoints become artifacts: True or "end" when the training is over (the model itself, if the
                trainer saves no checkpoint), "all" at once. By default RUNHAVEN_LOG_MODEL, else WANDB_LOG_MODEL, says.
            checkpoint_name: The artifact's name; "model-<id>" by default.
            watch: Whether histograms of gradients or parameters are kept. By default RUNHAVEN_WATCH, else WANDB_WATCH, says.
            prompts: Texts that the model goes on with after each evaluation; they become the table `eval/samples`.
            max_new_tokens: How long a continuation may become.
            run: A run to log into, instead of one of its own.
            strict: Whether errors inside the callback are raised; by default the setting `strict` says.
            **init_arguments: More arguments of `runhaven.init()`, such as `project`, `name`, `tags` and `config`.

        Raises:
            TypeError: If `init()` has no argument of such a name.
            UsageError: If `log_model` or one of the variables is not known, or `init()` would refuse a value.
        """
        self.adapter = Adapter(
            "RunhavenCallback", run=run, strict=strict, default_project="huggingface", **init_arguments
        )
        self._log_model: LogModel = log_model_setting() if log_model is None else log_model
        self._checkpoints = Checkpoints(self.adapter, log_model=self._log_model, name=checkpoint_name)
        self._watch: Watch | None = watch or watch_setting()
        self._prompts = list(prompts)
        self._max_new_tokens = max_new_tokens
        self._is_silent: bool | None = None
        self._is_set_up = False
        self._is_training = False
        self._has_trained = False
        self._has_saved = False

    # A training begins

    @guarded("begin the run")
    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Open the run, or go on with that of the checkpoint, and keep what is trained and how."""
        self._is_silent = self._is_followed()
        if self._is_silent:
            return
        if not state.is_world_process_zero:
            # Other nodes' machines and exceptions belong to the run, too.
            if not detect().is_first:
                _run = self.adapter.run
            return
        checkpoint = resumed_checkpoint() if state.global_step else None
        if self._has_trained and (state.is_hyper_param_search or not state.global_step):
            self._start_over(trial(args, state))
        self._has_trained = self._is_training = True
        self._has_saved = False
        self.adapter.begin()
        if checkpoint is not None:
            self.adapter.continue_from(checkpoint)
        self._set_up(args, state, model)

    def _is_followed(self) -> bool:
        """Tell whether a later callback of the trainer logs: of one that `report_to` made and one with options, the latter."""
        for values in callers():
            listed = getattr(values.get("self"), "callbacks", None)
            if isinstance(listed, list) and any(each is self for each in cast("list[Any]", listed)):
                return [each for each in cast("list[Any]", listed) if isinstance(each, RunhavenCallback)][
                    -1
                ] is not self
        return False

    def _start_over(self, arguments: dict[str, Any]) -> None:
        """Leave the run of the training before, unless it is the user's."""
        run = self.adapter.joined
        if run is None or run.opened_by != self.adapter.name:
            return
        if self._is_training:
            self.adapter.note_outcome(has_failed=True)
        self.adapter.start_over(**arguments)

    def _set_up(self, args: Any, state: Any, model: Any) -> None:
        self._is_set_up = True
        self.adapter.suggest(**first_arguments(args, state))
        with self.adapter.guard("keep the configuration"):
            self.adapter.configure(configuration(args, model))
        with self.adapter.guard("follow the best value"):
            key, goal = watched_metric(args)
            self.adapter.track_best(series(key), goal)
        if self._watch is not None and model is not None:
            with self.adapter.guard("watch the model"):
                self.adapter.run.watch(model, log=self._watch, log_freq=max(100, int(state.logging_steps or 0)))

    # Metrics

    @guarded("log metrics")
    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Keep what the trainer reports at its step; what it reports of a training as a whole goes to the summary."""
        if not self._logs(args, state, model) or not logs:
            return
        final = totals(logs)
        if final:
            self.adapter.run.summary.update(final)
            logs = {key: value for key, value in logs.items() if key not in final and key != "epoch"}
        self._log(logs, state)

    @guarded("log predictions")
    def on_predict(self, args: Any, state: Any, control: Any, metrics: Any = None, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Keep the metrics of `predict()`, which the trainer does not report."""
        if self._logs(args, state, model) and metrics:
            self._log(metrics, state)

    @guarded("log samples")
    def on_evaluate(self, args: Any, state: Any, control: Any, model: Any = None, **known: Any) -> None:  # noqa: ARG002
        """Keep a table of what the model makes of the prompts; `on_log` had the metrics."""
        if not self._prompts or not self._logs(args, state, model):
            return
        if is_sharded(args):
            self.adapter.run.notices.warn("prompts are left alone: no process holds the whole model.", about="prompts")
            return
        # Its name before version 4.46.
        tokenizer = known.get("processing_class") or known.get("tokenizer")
        table = continuations(model, tokenizer, self._prompts, max_new_tokens=self._max_new_tokens)
        self.adapter.run.log({"eval/samples": table}, step=state.global_step)

    def _logs(self, args: Any, state: Any, model: Any) -> bool:
        """Tell whether this callback logs in this process; an evaluation may come before any training."""
        if self._is_silent is None:
            self._is_silent = self._is_followed()
        if self._is_silent or not state.is_world_process_zero:
            return False
        if not self._is_set_up:
            self._set_up(args, state, model)
        return True

    def _log(self, values: Mapping[str, Any], state: Any) -> None:
        row = {series(key): value for key, value in values.items()}
        if row:
            self.adapter.run.log(row, step=state.global_step)

    # Checkpoints, and the end

    @guarded("log a checkpoint")
    def on_save(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:  # noqa: ARG002
        """Note the run beside the checkpoint that was just written, and log it if asked to."""
        path = written(args, state) if self._logs(args, state, model) else None
        if path is not None:
            self._has_saved = True
            self._checkpoints.saved(path, **facts(args, state, path))

    @guarded("note how the training ended")
    def on_train_end(self, args: Any, state: Any, control: Any, model: Any = None, **known: Any) -> None:  # noqa: ARG002
        """Note that the training reached its end, and log what waits; the run stays open for what comes next."""
        if not self._is_training:
            return
        self._is_training = False
        self.adapter.note_outcome(has_failed=False)
        self._checkpoints.end()
        if self._log_model and not self._has_saved:
            with TemporaryDirectory() as folder:
                save_model(Path(folder), model, known.get("processing_class") or known.get("tokenizer"))
                self._checkpoints.saved(folder, step=state.global_step, epoch=state.epoch)
                self._checkpoints.end()
