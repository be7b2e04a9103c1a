"""The live run: what `runhaven.init()` returns."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

from runhaven import launched, saving
from runhaven._alert import Alerts
from runhaven._artifact_calls import ArtifactCalls
from runhaven._config import Config
from runhaven._summary import Summary
from runhaven._watch_calls import WatchCalls
from runhaven.errors import UsageError
from runhaven.metric import Metric, parse_summary
from runhaven.redaction import redact_text, redact_value
from runhaven.value import flatten, to_json

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Sequence
    from datetime import timedelta
    from pathlib import Path
    from types import TracebackType
    from typing import Self, TextIO

    from runhaven._alert import AlertLevel
    from runhaven.lifetime import Lifetime
    from runhaven.notice import Notices
    from runhaven.recorder import Journal, Recorder
    from runhaven.rich import Keeper
    from runhaven.settings import Settings
    from runhaven.store.view import RunView

logger = logging.getLogger("runhaven")

Role = Literal["main", "follower", "child", "disabled"]
"""main owns the run; a child adds rows to it; a follower, of a rank other than 0, keeps no rows; disabled keeps nothing."""
_WRITERS = ("main", "child")


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What names a run.

    Attributes:
        entity: User or team.
        project: The project.
        id: Unique in the project.
        ulid: Unique in the world; names the run's directory.
        directory: The run's directory; None for a run that is not kept.
        started_s: When this session began, seconds since the epoch.
        starting_step: The first step of this session.
        is_resumed: Whether this session goes on with an earlier one.
    """

    entity: str
    project: str
    id: str
    ulid: str
    directory: Path | None
    started_s: float
    starting_step: int = 0
    is_resumed: bool = False


class Run(ArtifactCalls, WatchCalls):
    """A run that is being logged. Thread-safe; pickles to a reference that attaches to the same run.

    Attributes:
        config: The configuration; see `Config`.
        summary: The summary; see `Summary`.
        lifetime: What runs in the background until `finish()`; None for a run that is not kept.
        reopen: Gives the run a journal of its own in a forked child.
        opened_by: The adapter that opened the run for a training; "" for one that a person opened.
    """

    def __init__(  # noqa: PLR0913 - the parts that `session` puts together
        self,
        identity: Identity,
        *,
        settings: Settings,
        journal: Journal,
        recorder: Recorder,
        notices: Notices,
        role: Role = "main",
        on_finish: Callable[[Run], None] | None = None,
    ) -> None:
        """Put a run together; `runhaven.init()` is the way to get one."""
        self._identity = identity
        self._settings = settings
        self._journal = journal
        self._recorder = recorder
        recorder.open_keeper = self._open_keeper
        self._notices = notices
        self._role: Role = role
        self._meta: dict[str, Any] = {"name": "", "notes": "", "tags": [], "group": "", "job_type": ""}
        self._alerts = Alerts()
        self._saved = saving.SavedFiles(identity.directory / "files" if identity.directory else None)
        self._is_finished = False
        self._keeps_rows = role in _WRITERS
        self._outcome: int | None = None
        self._on_finish = on_finish
        self._endings: list[Callable[[], None]] = []
        self.lifetime: Lifetime | None = None
        self.reopen: Callable[[], None] | None = None
        self.opened_by = ""
        self.config = Config(self._on_config, is_strict=settings.strict and not settings.allow_val_change)
        self.summary = Summary(recorder.summary, self._on_summary)

    # Logging

    def log(
        self,
        data: Mapping[str, Any],
        step: int | None = None,
        commit: bool | None = None,
        sync: bool | None = None,  # noqa: ARG002 - W&B's old argument, without effect there too
    ) -> None:
        """Keep a row of values.

        Args:
            data: Values by key: numbers, strings, 0-dimensional arrays and tensors, nested dicts, media such as
                `runhaven.Image`, figures. Anything else is kept by its JSON or its repr.
            step: The step that the row belongs to. By default the run's own counter.
            commit: Whether the counter moves on after this row; by default it does if `step` is not given.
            sync: Accepted for old code.

        Raises:
            UsageError: In strict mode, if `data` is no dict or `step` no integer. Otherwise it is said once.
        """
        try:
            if not self._keeps_rows:
                self._refuse_log()
            elif data.__class__ is dict and (step is None or step.__class__ is int):
                self._recorder.log(data, step, commit)
            else:
                self._log_checked(data, step, commit)
        except UsageError:
            raise
        except Exception as error:
            self._notices.warn(f"a call of log() could not be kept: {error!r}.", about="log")
            logger.debug("log() failed", exc_info=True)

    def _refuse_log(self) -> None:
        if self._is_finished and self._role in _WRITERS:
            self._misuse("log() after finish() keeps nothing; call runhaven.init() for a new run.")
        elif self._role != "disabled":
            self._notices.debug_once(
                "log() on a process that is not rank 0 keeps nothing; pass mode='shared' to keep it."
            )

    def _log_checked(self, data: object, step: object, commit: bool | None) -> None:
        if not isinstance(data, Mapping):
            self._misuse(f"log() takes a dict of values, not {type(data).__name__}; this call kept nothing.")
            return
        counter: int | None = None
        if step is not None:
            try:
                counter = int(cast("Any", step))
            except (TypeError, ValueError):
                self._misuse(f"log(step=) takes an integer, not {step!r}; the row went to the next step.")
        self._recorder.log(dict(cast("Mapping[str, Any]", data)), counter, commit)

    def _open_keeper(self) -> Keeper:
        from runhaven.media.keeping import MediaKeeper
        from runhaven.store.blobs import Blobs

        directory = self._identity.directory
        assert directory is not None, "only a run that is kept keeps rows"
        settings = self._settings
        return MediaKeeper(
            Blobs(directory.parents[2]),
            notices=self._notices,
            emit=self.emit,
            scrub=settings.x_scrub_images,
            is_strict=settings.strict,
        )

    def _misuse(self, message: str) -> None:
        """Raise in strict mode; elsewhere say it once."""
        if self._settings.strict:
            raise UsageError(message)
        self._notices.warn(message)

    def define_metric(  # noqa: PLR0913 - W&B's signature
        self,
        name: str,
        step_metric: str | Metric | None = None,
        step_sync: bool | None = None,
        hidden: bool | None = None,
        summary: str | Sequence[str] | None = None,
        overwrite: bool | None = None,
        *,
        goal: str | None = None,
    ) -> Metric:
        """Say how series are drawn and what the summary keeps of them.

        Args:
            name: A key, or a pattern such as "val/*".
            step_metric: The key of the series that is their x axis.
            step_sync: Whether rows without the step metric get its last value; by default they do.
            hidden: Whether the dashboard leaves them out until asked.
            summary: Any of min, max, mean, last, first, best, copy, none; joined by commas, or as a list.
            overwrite: Replace an earlier definition whole; by default it is completed.
            goal: "minimize" or "maximize": which value is the best.

        Returns:
            The definition in force.

        Raises:
            UsageError: If a word is not known.
        """
        axis = step_metric.name if isinstance(step_metric, Metric) else step_metric
        words, goal = parse_summary(summary, goal)
        earlier = None if overwrite else self._recorder.rule(name)
        rule = Metric(
            name=name,
            step_metric=axis or (earlier.step_metric if earlier else None),
            step_sync=bool(axis) if step_sync is None else step_sync,
            hidden=bool(hidden),
            summary=words or (earlier.summary if earlier else ()),
            goal=goal or (earlier.goal if earlier else None),
        )
        self._recorder.define(rule)
        self.emit(rule.to_event())
        return rule

    def alert(
        self,
        title: str,
        text: str = "",
        level: str | AlertLevel | None = None,
        wait_duration: float | timedelta | None = None,
    ) -> None:
        """Keep an alert and print it; one with the same title within `wait_duration` (60 s) is left out."""
        alert = self._alerts.accept(str(title), str(text), level, wait_duration)
        if alert is not None:
            self.emit({"event": "alert", **alert})
            self._notices.alert(alert["level"], redact_text(alert["title"]), redact_text(alert["text"]))

    def save(
        self,
        glob_str: str | os.PathLike[str] | None = None,
        base_path: str | os.PathLike[str] | None = None,
        policy: saving.Policy = "live",
        glob: bool = True,
    ) -> list[str]:
        """Copy files into the run.

        Args:
            glob_str: A path or a pattern.
            base_path: The directory that the names in the run are relative to; by default that of the pattern.
            policy: "now" copies once, "live" again whenever a file changes, "end" at `finish()`.
            glob: Whether `*` and `?` in `glob_str` stand for many names.

        Returns:
            Where the copies lie.

        Raises:
            UsageError: If `policy` is not known, or a file lies outside `base_path`.
        """
        if glob_str is None or self._role not in _WRITERS:
            return []
        found = self._saved.add(glob_str, base_path, policy, is_pattern=glob)
        for path in found:
            self.emit({"event": "file", "name": path.name, "bytes": path.size, "policy": policy})
        return [str(path.copy) for path in found]

    def refresh_files(self, *, is_end: bool = False) -> None:
        """Copy the saved files that changed."""
        self._saved.refresh(is_end=is_end)

    def restore(
        self,
        name: str,
        run_path: str | None = None,
        replace: bool = False,
        root: str | None = None,
    ) -> TextIO | None:
        """Open a file that was saved into this run, or into another one; None if there is none.

        Args:
            name: The file's name in the run.
            run_path: Another run of the store: `entity/project/id`, `project/id`, an id or a name.
            replace: With `root`, write over a file that is there.
            root: Copy it below this directory, and open the copy.

        Raises:
            UsageError: If the name leads out of the run's files.
            NotFoundError: If there is no such run.
        """
        files = self._saved.directory
        if run_path is not None:
            from runhaven.api import Api

            own = self.identity.directory
            files = Api(own.parents[2] if own else None).run(run_path).directory.files
        return saving.restore(files, name, replace=replace, root=root)

    def write_logs(self, text: str) -> None:
        """Add text to the run's console log without printing it."""
        if self.lifetime is not None:
            self.lifetime.write_log(text)

    def mark_preempting(self) -> None:
        """Note that the machine is about to be taken away; a run that then ends is `preempted`, not `crashed`."""
        self.emit({"event": "preempting"})

    # End

    def finish(self, exit_code: int | None = None, quiet: bool | None = None) -> None:  # noqa: ARG002 - W&B's old argument
        """End the run as `finished` (0) or `failed` (anything else); later calls do nothing.

        Args:
            exit_code: None stands for the outcome that an adapter noted, else for 0.
            quiet: Accepted for old code.
        """
        if self._is_finished:
            return
        exit_code = (self._outcome or 0) if exit_code is None else exit_code
        self._is_finished = True
        self._keeps_rows = False
        for end in self._endings:
            end()
        if self.lifetime is not None:
            self.lifetime.finish(exit_code)
        if self._on_finish is not None:
            self._on_finish(self)

    def at_finish(self, end: Callable[[], None]) -> None:
        """Have something that must not raise done when the run ends, before its last rows are written; for adapters."""
        self._endings.append(end)

    def note_outcome(self, exit_code: int | None) -> None:
        """Note, for a `finish()` without an exit code, how the training ended; for adapters.

        Args:
            exit_code: 0 for a training that reached its end, another number for one that failed, None for one that goes on.
        """
        self._outcome = exit_code

    @property
    def is_left_over(self) -> bool:
        """Whether an adapter opened the run for a training that is over; the next `init()` ends it."""
        return self.opened_by not in ("", launched.OPENED_BY) and self._outcome is not None

    def join(self, exit_code: int | None = None) -> None:
        """End the run; W&B's old name for `finish`."""
        self.finish(exit_code)

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """Finish the run, as failed if an exception is on its way."""
        if exc_val is not None and self.lifetime is not None:
            self.lifetime.note_exception(exc_val)
        self.finish(exit_code=None if exc_type is None else 1)

    # Journal

    def emit(self, event: Mapping[str, Any], *, is_vital: bool = False) -> None:
        """Append an event to the journal, redacted, with its time; never raises.

        Args:
            event: The event; "event" names its kind.
            is_vital: Whether it may use the room that is kept free for how a run ended.
        """
        if self._role == "disabled":
            return
        try:
            data = {"time": time.time_ns() // 1000} | {key: to_json(value) for key, value in event.items()}
            self._journal.exclusively(self._journal.put_event, redact_value(data), is_vital)
        except Exception:
            logger.debug("an event could not be kept", exc_info=True)

    def set_meta(self, **values: Any) -> None:
        """Set and keep name, notes, tags, group, job type or sweep."""
        self._meta.update(values)
        self.emit({"event": "meta", "set": values})

    def _on_config(self, changed: dict[str, Any]) -> None:
        self.emit({"event": "config", "set": changed, "delete": [], "step": self._recorder.step})

    def _on_summary(self, changed: dict[str, Any], removed: list[str]) -> None:
        self.emit({"event": "summary", "set": dict(flatten(changed)), "delete": removed})

    def recall(self, view: RunView) -> None:
        """Take over, without keeping it again, what earlier sessions of the run left."""
        self.config.recall(view.config)
        self._meta.update(view.meta)
        self._recorder.resume(view.plain_values, view.rules, view.aggregates)

    def rebind(self, journal: Journal) -> None:
        """Write to another journal from here on; for a forked child, where the old one is the parent's."""
        self._journal = journal
        self._recorder.rebind(journal)
        self._role = "child" if self._role == "main" else self._role

    # What it is

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    @property
    def recorder(self) -> Recorder:
        """What turns `log()` calls into rows."""
        return self._recorder

    @property
    def notices(self) -> Notices:
        """Where the run's lines are printed."""
        return self._notices

    @property
    def is_finished(self) -> bool:
        """Whether `finish()` was called."""
        return self._is_finished

    @property
    def identity(self) -> Identity:
        """What names the run; set when it has moved."""
        return self._identity

    @identity.setter
    def identity(self, identity: Identity) -> None:
        self._identity = identity

    @property
    def role(self) -> Role:
        """What this process is to the run: only "main" keeps what it logs."""
        return self._role

    @property
    def config_static(self) -> dict[str, Any]:
        """A copy of the configuration."""
        return self.config.as_dict()

    @property
    def id(self) -> str:
        """Unique in the project."""
        return self._identity.id

    @property
    def entity(self) -> str:
        """User or team."""
        return self._identity.entity

    @property
    def project(self) -> str:
        """The project."""
        return self._identity.project

    def project_name(self) -> str:
        """Return the project; W&B's old name for `project`."""
        return self.project

    @property
    def path(self) -> str:
        """`entity/project/id`."""
        return f"{self.entity}/{self.project}/{self.id}"

    @property
    def name(self) -> str:
        """Name for people; may be set."""
        return self._meta["name"]

    @name.setter
    def name(self, name: str) -> None:
        self.set_meta(name=str(name))

    @property
    def notes(self) -> str:
        """A longer description; may be set."""
        return self._meta["notes"]

    @notes.setter
    def notes(self, notes: str) -> None:
        self.set_meta(notes=str(notes))

    @property
    def tags(self) -> tuple[str, ...]:
        """Short labels; may be set, and added to with `run.tags += ("new",)`."""
        return tuple(self._meta["tags"])

    @tags.setter
    def tags(self, tags: Sequence[str]) -> None:
        self.set_meta(tags=list(dict.fromkeys(str(tag) for tag in tags)))

    @property
    def group(self) -> str:
        """Runs of one group are shown together."""
        return self._meta["group"]

    @property
    def job_type(self) -> str:
        """What kind of run this is."""
        return self._meta["job_type"]

    @property
    def sweep_id(self) -> str | None:
        """The sweep that the run belongs to."""
        return self._settings.sweep_id

    @property
    def step(self) -> int:
        """The step of the next implicit `log()`."""
        return self._recorder.step

    @property
    def starting_step(self) -> int:
        """The first step of this session."""
        return self._identity.starting_step

    @property
    def resumed(self) -> bool:
        """Whether this session goes on with an earlier one."""
        return self._identity.is_resumed

    @property
    def start_time(self) -> float:
        """When this session began, seconds since the epoch."""
        return self._identity.started_s

    @property
    def dir(self) -> str:
        """The directory of the run's files."""
        return str(self._saved.directory)

    @property
    def sync_dir(self) -> str:
        """The directory of the run."""
        return str(self._saved.directory.parent)

    @property
    def offline(self) -> bool:
        """Whether nothing leaves this machine."""
        return self._role != "disabled"

    @property
    def disabled(self) -> bool:
        """Whether nothing is kept."""
        return self._role == "disabled"

    @property
    def url(self) -> str | None:
        """The run's page on a server; None without one."""
        return None

    def get_url(self) -> str | None:
        """Return the run's page; W&B's old name for `url`."""
        return self.url

    @property
    def project_url(self) -> str | None:
        """The project's page on a server; None without one."""
        return None

    def to_html(self, height: int = 420, hidden: bool = False) -> str:  # noqa: ARG002 - W&B's arguments
        """Return a few lines of HTML that name the run, for a notebook."""
        from html import escape

        place = self._identity.directory or "nowhere"
        return (
            f"<b>{escape(self.name or self.id)}</b> in project {escape(self.project)}<br>"
            f"<code>runhaven ui</code> shows it; it lies in <code>{escape(str(place))}</code>"
        )

    _repr_html_ = to_html

    def display(self, height: int = 420, hidden: bool = False) -> bool:
        """Show the run in a notebook; False where there is none."""
        shell, pictures = sys.modules.get("IPython"), sys.modules.get("IPython.display")
        if shell is None or pictures is None or shell.get_ipython() is None:
            return False
        pictures.display(pictures.HTML(self.to_html(height, hidden)))
        return True

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle to a reference; unpickling attaches to the same run."""
        from runhaven import session

        return session.attach, (str(self._identity.directory) if self._identity.directory else None,)

    def __repr__(self) -> str:
        """Show name, path and state."""
        state = "disabled" if self.disabled else "finished" if self._is_finished else "running"
        return f"<runhaven.Run {self.name or self.id} {self.path} ({state})>"
