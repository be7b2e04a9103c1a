"""Finds or opens the run that an adapter logs into, and never ends it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from runhaven import launched, session
from runhaven.adapter.guard import Guard
from runhaven.adapter.note import noted_run
from runhaven.joining import warn_of_store
from runhaven.platform.process import identity, is_alive
from runhaven.sealed.view import read_view
from runhaven.settings import Settings, store_directory
from runhaven.store.ids import new_run_id
from runhaven.store.layout import Store

if TYPE_CHECKING:
    import os

    from runhaven._run import Run
    from runhaven.store.layout import RunDirectory

logger = logging.getLogger("runhaven")

Goal = Literal["min", "max"]
_GOALS = {"min": "minimize", "max": "maximize"}


class Adapter:
    """What an adapter holds: its run, and the promise that nothing of it disturbs a training.

    The run is the one that was handed in, else the active one, else one that it opens when it is first asked for. It
    never ends the run: the process's exit, `finish()` or, once the training is over, the next `init()` does. It pickles,
    also with a run that is being logged; the copy then adds to that run.

    Attributes:
        name: What messages call the adapter, such as "RunhavenLogger".
    """

    def __init__(
        self,
        name: str,
        /,
        *,
        run: Run | None = None,
        strict: bool | None = None,
        default_project: str | None = None,
        **arguments: Any,
    ) -> None:
        """Prepare; nothing is opened yet.

        Args:
            name: What messages call the adapter.
            run: A run to log into, instead of one of its own.
            strict: Whether errors inside the adapter are raised; by default the setting `strict` says.
            default_project: The project where neither the arguments nor the user's settings name one.
            **arguments: Arguments of `runhaven.init()` for a run of its own; None stands for its default.

        Raises:
            TypeError: If `init()` has no argument of such a name.
            UsageError: If `init()` would refuse a value.
        """
        self.name = name
        self._run = run
        self._strict = strict
        self._default_project = default_project
        self._arguments: dict[str, Any] = {key: value for key, value in arguments.items() if value is not None}
        self._has_new_id = False
        self._directory: str | None = None
        self._remark = ""
        session.check_arguments(self._arguments)
        if "id" in self._arguments:
            self._arguments.setdefault("resume", "allow")

    # The run

    @property
    def run(self) -> Run:
        """The run; joined or opened at the first use. If it cannot be opened, one that keeps nothing, with a warning."""
        run = self._run
        if run is None or run.is_finished:
            run = self._run = self._join()
        return run

    @property
    def joined(self) -> Run | None:
        """The run, if there is one yet."""
        return self._run

    @property
    def id(self) -> str:
        """The run's id, known before there is a run."""
        if self._run is not None:
            return self._run.id
        if "id" not in self._arguments:
            chosen = session.settings_for({}).run_id
            self._arguments |= {"id": chosen or new_run_id(), "resume": self._arguments.get("resume", "allow")}
            self._has_new_id = chosen is None
        return self._arguments["id"]

    @property
    def project(self) -> str:
        """The run's project, known before there is a run."""
        if self._run is not None:
            return self._run.project
        chosen = session.settings_for({"project": self._arguments.get("project")}).project
        return self._default_project or chosen if chosen == Settings.project else chosen

    @property
    def writes(self) -> bool:
        """Whether this process adds to the run: not on ranks other than 0, and not when it is disabled."""
        return self.run.role in ("main", "child")

    def _join(self) -> Run:
        if self._directory is not None:
            directory, self._directory = self._directory, None
            return session.attach(directory)
        active = session.current()
        if active is not None and not active.is_left_over:
            if active.opened_by == launched.OPENED_BY:
                warn_of_store(active, self._arguments.get("dir"))
            return active
        try:
            arguments: dict[str, Any] = {**self._arguments, "project": self.project}
            run = session.init(**arguments)
            self._stay_with(run)
        except Exception as error:
            if self.is_strict:
                raise
            run = session.open_unkept()
            run.notices.warn(f"{self.name} could not open a run: {error} Training goes on, and nothing of it is kept.")
            logger.debug("%s could not open a run", self.name, exc_info=True)
        if run.role != "child":
            # One that `runhaven run` keeps for another program is the launcher's to end.
            run.opened_by = self.name
        if self._remark:
            run.notices.warn(self._remark)
        return run

    def _stay_with(self, run: Run) -> None:
        """Go on with this run, should somebody finish it before the adapter has seen its last event."""
        for once in ("resume_from", "fork_from"):
            self._arguments.pop(once, None)
        self._arguments |= {"entity": run.entity, "project": run.project, "id": run.id, "resume": "allow"}

    def start_over(self, **arguments: Any) -> None:
        """Let the run that is asked for next be a new one; a run that the adapter opened is finished.

        Args:
            **arguments: Arguments of `runhaven.init()` for it, in place of the earlier ones of these names.
        """
        if self._run is not None and self._run.opened_by == self.name:
            self._run.finish()
        self._run = None
        for own in ("id", "resume"):
            self._arguments.pop(own, None)
        self._arguments |= arguments

    def suggest(self, **arguments: Any) -> None:
        """Give arguments that the framework knows for a run that is not open yet; the adapter's own come first.

        Args:
            **arguments: Arguments of `runhaven.init()`; None stands for not known.

        Raises:
            TypeError: If `init()` has no argument of such a name.
            UsageError: If `init()` would refuse a value.
        """
        known = {key: value for key, value in arguments.items() if value is not None}
        session.check_arguments(known)
        self._arguments = known | self._arguments

    def continue_from(self, checkpoint: str | os.PathLike[str]) -> None:
        """Go on with the run that a checkpoint was saved by, if it is in this store and nobody is logging into it.

        To be called before the run is first asked for, when the framework says that it resumes. A run or an id that the
        user chose, and an active run, come first.
        """
        is_chosen = not self._has_new_id and session.settings_for(self._arguments).run_id is not None
        if self._run is not None or is_chosen or self._arguments.get("resume") == "never":
            return
        ulid = noted_run(checkpoint)
        store = Store(store_directory(self._arguments.get("dir")))
        directory = store.open(ulid) if ulid is not None else None
        if directory is None:
            return
        if _is_logged_elsewhere(directory):
            self._remark = f"the run that saved {checkpoint} is being logged by another process; this is a new one."
            return
        home = directory.manifest()
        self._arguments |= {"entity": home.entity, "project": home.project, "id": home.id, "resume": "must"}
        self._has_new_id = False

    # What training tells

    def begin(self) -> None:
        """Say that a training begins, where the framework does not tell of one that raised.

        A run that an adapter of this name opened for a training of which no end was heard has failed; this training gets
        a run of its own.
        """
        active = session.current()
        if active is None or active.opened_by != self.name:
            return
        is_own = active is self._run
        if is_own or not active.is_left_over:
            active.note_outcome(None if is_own else 1)

    def configure(self, values: object) -> None:
        """Put hyper-parameters of any types into the configuration: a dict, Namespace, dataclass, OmegaConf container."""
        self.run.config.update(values, allow_val_change=True)

    def track_best(self, key: str, goal: Goal) -> None:
        """Have the summary keep the best value of a series beside its last one, as `<key>.min` or `<key>.max`.

        A rule that the user defined for the series is left alone.
        """
        if self.run.recorder.rule(key) is None:
            self.run.define_metric(key, summary=f"copy,{goal}", goal=_GOALS[goal])

    def set_axis(self, step_metric: str, *patterns: str) -> None:
        """Have charts of the series that match the patterns open with another series as x; by default x is the step.

        A rule that the user defined under the very name is left alone.
        """
        for pattern in patterns:
            if self.run.recorder.rule(pattern) is None:
                self.run.define_metric(pattern, step_metric=step_metric)

    def note_outcome(self, *, has_failed: bool) -> None:
        """Note how the training ended; the run stays open for what comes next."""
        if self._run is not None:
            self._run.note_outcome(1 if has_failed else 0)

    # Errors

    @property
    def is_strict(self) -> bool:
        """Whether errors inside the adapter are raised."""
        if self._strict is not None:
            return self._strict
        if self._run is not None:
            return self._run.settings.strict
        try:
            return session.settings_for({}).strict
        except Exception:  # noqa: BLE001 - what is wrong with the settings is said when the run is opened
            return False

    def guard(self, doing: str) -> Guard:
        """Return a context in which an exception does not reach the training; see `guarded`.

        Args:
            doing: What is being done, for the warning: "log metrics".
        """
        return Guard(self, doing)

    def on_error(self, doing: str, error: Exception) -> None:
        """Raise an error of the adapter's in strict mode; elsewhere say it once."""
        if self.is_strict:
            raise error
        self.run.notices.warn(
            f"{self.name} could not {doing}: {error!r}. Training goes on; set RUNHAVEN_STRICT=1 to have it raised.",
            about=f"{self.name} {doing}",
        )
        logger.debug("%s could not %s", self.name, doing, exc_info=error)

    # Other processes

    def __getstate__(self) -> dict[str, Any]:
        """Leave the run's journal and threads behind; the copy attaches to the run, or opens the one of the same id."""
        run = self._run
        state = self.__dict__ | {"_run": None}
        if run is not None and not run.is_finished and run.identity.directory is not None:
            return state | {"_directory": str(run.identity.directory)}
        _ = self.id
        return state | {"_arguments": dict(self._arguments)}


def _is_logged_elsewhere(directory: RunDirectory) -> bool:
    own = identity()
    return any(
        each.is_main and each.exit_code is None and each.process not in (None, own) and is_alive(each.process)
        for each in read_view(directory).sessions.values()
    )
