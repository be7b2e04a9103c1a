"""What can be changed of a stored run. Every change is kept with who made it and when, and what was there stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from runhaven.api.drafts import Draft, Drafts
from runhaven.api.files import RunFolder
from runhaven.api.history import OWN_KEYS
from runhaven.api.readable import Readable
from runhaven.api.summary import Summary
from runhaven.errors import NotFoundError, StoreError, UsageError
from runhaven.metric import Aggregate, keeps_plain_value, rule_for
from runhaven.platform.files import replace_atomically
from runhaven.recorder import Recorder
from runhaven.store.editing import Editor, edit
from runhaven.store.layout import Store
from runhaven.value import to_json, to_number

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Sequence

    from runhaven.api.files import File, Files
    from runhaven.api.series import Series


class Editing(Readable):
    """The part of `Run` that changes it."""

    _pending: Drafts | None = None

    # Facts about the run: what is assigned counts at once here, and is kept by `update()`

    @property
    def _drafts(self) -> Drafts:
        if self._pending is None:
            self._pending = Drafts()
        return self._pending

    def _meta(self, name: str) -> Any:
        changed = self._drafts.meta.changed if self._pending else {}
        return changed[name] if name in changed else self._facts.meta.get(name)

    def _set_meta(self, name: str, value: object) -> None:
        if value is not None and not isinstance(value, str):
            message = f"{name}={value!r} is no text; assign a str."
            raise UsageError(message)
        self._drafts.meta.put(name, value or "")

    @property
    def name(self) -> str:
        """Name for people."""
        return self._meta("name") or self.id

    @name.setter
    def name(self, value: str | None) -> None:
        self._set_meta("name", value)

    @property
    def display_name(self) -> str:
        """Name for people; W&B's other word for it."""
        return self.name

    @display_name.setter
    def display_name(self, value: str | None) -> None:
        self._set_meta("name", value)

    @property
    def notes(self) -> str:
        """A longer description."""
        return self._meta("notes") or ""

    @notes.setter
    def notes(self, value: str | None) -> None:
        self._set_meta("notes", value)

    @property
    def group(self) -> str:
        """Runs of one group are shown together."""
        return self._meta("group") or ""

    @group.setter
    def group(self, value: str | None) -> None:
        self._set_meta("group", value)

    @property
    def job_type(self) -> str:
        """What kind of run it is."""
        return self._meta("job_type") or ""

    @job_type.setter
    def job_type(self, value: str | None) -> None:
        self._set_meta("job_type", value)

    @property
    def tags(self) -> list[str]:
        """Short labels; the list may be changed in place."""
        return self._drafts.meta.lend("tags", list(self._facts.meta.get("tags") or []))

    @tags.setter
    def tags(self, value: Iterable[str]) -> None:
        if isinstance(value, str):
            message = f"tags={value!r} is one text; assign a list of them."
            raise UsageError(message)
        self._drafts.meta.put("tags", [str(tag) for tag in value])

    @property
    def config(self) -> Draft:
        """The configuration."""
        changes = self._drafts.config
        return Draft(changes.over(self._facts.config), changes, self.update)

    @property
    def summary(self) -> Summary:
        """What its series came to and what the user wrote, keys flat."""
        changes = self._drafts.summary
        return Summary(changes.over(self._facts.summary), changes, self.update)

    def update(self) -> None:
        """Keep what was assigned to name, notes, tags, group, job type, configuration and summary.

        Raises:
            StoreError: If the run cannot be written.
        """
        events = self._drafts.events()
        if events:
            self._edit(*events)
            self._pending = None

    def save(self) -> None:
        """Keep what was assigned; the same as `update`."""
        self.update()

    @property
    def edits(self) -> list[dict[str, Any]]:
        """All changes since, in the order of time: each with "event", "time" (seconds since the epoch), "user", "host"."""
        return list(self._facts.changes)

    def _edit(self, *events: Mapping[str, Any]) -> None:
        edit(self.directory, events, after_us=self._newest_us)
        self.refresh()

    @property
    def _newest_us(self) -> int:
        return max((session.last_us for session in self._facts.sessions.values()), default=0)

    # Series

    def log(self, data: Mapping[str, Any], step: int | None = None) -> None:
        """Add a row to the run, whose state stays what it is.

        Args:
            data: Values by key, as for `runhaven.log`.
            step: The step that the row belongs to; by default the one after the last.

        Raises:
            UsageError: If `data` is no dict or `step` no integer.
            StoreError: If the run cannot be written.
        """
        self.log_rows([data if step is None else {**data, "_step": step}])

    def log_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Add many rows at once; `_step` in a row is its step.

        Raises:
            UsageError: If a row is no dict or its step no integer; the rows before it are kept.
            StoreError: If the run cannot be written.
        """
        view = self._facts
        try:
            with Editor(self.directory, after_us=self._newest_us) as editor:
                recorder = Recorder(editor.journal, step=0 if self.last_step is None else self.last_step + 1)
                recorder.resume({}, view.rules, {})
                for row in rows:
                    step = _step_of(row)
                    recorder.log({key: value for key, value in row.items() if key not in OWN_KEYS}, step, None)
                    editor.keep_up()
                recorder.settle(wait=True)
        finally:
            self.refresh()

    def rename_metric(self, old: str, new: str, stream: str = "") -> None:
        """Give a series another name, wherever the run is read; rows that are logged under the old one go there too.

        Args:
            old: What it is called.
            new: What it shall be called.
            stream: Its stream.

        Raises:
            NotFoundError: If there is no such series.
            UsageError: If there is one of the new name, or that cannot be one.
            StoreError: If the run cannot be written.
        """
        self._check_keys([old], stream)
        if not new or new in OWN_KEYS or new.startswith("_"):
            message = f"a metric cannot be called {new!r}; names with a leading '_' are Runhaven's own."
            raise UsageError(message)
        if any(series.key == new for series in self.series(stream)):
            message = f"run {self.name} has a metric {new!r} already; rename that one first, or choose another name."
            raise UsageError(message)
        self._edit({"event": "rename", "stream": stream, "old": old, "new": new})

    def correct(self, key: str, step: int, value: object, *, note: str = "", stream: str = "") -> None:
        """Correct what a series has at a step, wherever the run is read.

        Args:
            key: The series.
            step: The step.
            value: What it should have been; None takes the points away.
            note: Why.
            stream: Its stream.

        Raises:
            NotFoundError: If the series has nothing at that step.
            UsageError: If the value is of another kind than the series.
            StoreError: If the run cannot be written.
        """
        self._check_keys([key], stream)
        (series,) = (one for one in self.series(stream) if one.key == key)
        found = _like(series, value)
        name = stream or "default"
        if not any(True for _ in self.scan_history([key], min_step=step, max_step=step + 1, stream=name)):
            message = (
                f"run {self.name} has no {key!r} at step {step}; "
                f"its steps go from {series.step_min} to {series.step_max}."
            )
            raise NotFoundError(message)
        event = {"event": "correction", "stream": stream, "key": key, "step": step, "value": found, "note": note}
        self._edit(event if stream else event | self._summed_up(key, step, found))

    def _summed_up(self, key: str, step: int, value: object) -> dict[str, Any]:
        """Return what a series comes to in the summary once it is corrected."""
        rule = rule_for(self._facts.metrics, key)
        values = [value if row["_step"] == step else row[key] for row in self.scan_history([key])]
        values = [value for value in values if value is not None]
        found: dict[str, Any] = {}
        words: list[str] = []
        if rule is not None and rule.summary:
            aggregate = Aggregate(rule)
            for number in map(to_number, values):
                if number is not None:
                    aggregate.add(number)
            words = [f"{key}.{word}" for word in rule.summary]
            found |= {f"{key}.{word}": result for word, result in aggregate.result().items()}
        if values and keeps_plain_value(rule):
            found[key] = values[-1]
        return {"summary": to_json(found), "gone": [name for name in (key, *words) if name not in found]}

    # Files

    @property
    def _folder(self) -> RunFolder:
        return RunFolder(self.directory, self._edit)

    def files(
        self,
        names: Sequence[str] | None = None,
        pattern: str | None = None,
        per_page: int = 50,  # noqa: ARG002 - W&B's argument; nothing is paged here
    ) -> Files:
        """List the files that were saved into the run.

        Args:
            names: Only these.
            pattern: Only those that fit: "%.json" as in SQL, or "*.json" as in a shell.
            per_page: Accepted for W&B's sake.
        """
        return self._folder.files(names, pattern)

    def file(self, name: str) -> File:
        """Return a file that was saved into the run.

        Raises:
            NotFoundError: If there is none.
            UsageError: If the name leads out of the run's files.
        """
        return self._folder.file(name)

    def upload_file(self, path: str | os.PathLike[str], root: str | os.PathLike[str] = ".") -> File:
        """Copy a file into the run, under its path below `root`; one that is there is set aside.

        Raises:
            UsageError: If there is no such file, or it lies outside `root`.
            StoreError: If the run cannot be written.
        """
        return self._folder.upload(path, root)

    # The run as a whole

    @property
    def _store(self) -> Store:
        return Store(self.directory.path.parents[2])

    def stop(self) -> None:
        """Ask the run to stop: it raises KeyboardInterrupt in its main thread.

        Raises:
            UsageError: If it is not running.
            StoreError: If the run cannot be written.
        """
        if self.state != "running":
            message = f"run {self.name} is {self.state}; only a running one can be stopped."
            raise UsageError(message)
        try:
            replace_atomically(self.directory.control / "stop", b"")
        except OSError as error:
            message = f"{self.directory.control} cannot be written: {error}. Ask the run's owner to stop it."
            raise StoreError(message) from error

    def delete(self, delete_artifacts: bool = False, *, force: bool = False) -> None:  # noqa: ARG002 - W&B's argument; artifacts are not a run's alone
        """Move the run to the trash; `api.store.restore(run.ulid)` or `runhaven rm --undo` brings it back.

        Args:
            delete_artifacts: Accepted for W&B's sake.
            force: Do so even while it is running.

        Raises:
            UsageError: If it is running.
            StoreError: If the store cannot be written.
        """
        if self.state == "running" and not force:
            message = f"run {self.name} is running; stop it first, or pass force=True."
            raise UsageError(message)
        self._store.remove(self.directory)

    def move(self, project: str | None = None, entity: str | None = None, id: str | None = None) -> None:  # noqa: A002 - W&B's term
        """Give the run another project, entity or id; its directory stays where it is.

        Raises:
            UsageError: If the id is taken there, or a name cannot be one.
            StoreError: If the store cannot be written.
        """
        self._store.move(self.directory, entity=entity, project=project, id=id)
        self.refresh()

    def copy(self, project: str | None = None, entity: str | None = None, id: str | None = None) -> Self:  # noqa: A002 - W&B's term
        """Make a copy of the run, which may be running, and return it.

        The copy keeps its id in another project, and gets a new one in the same.

        Raises:
            UsageError: If the id is taken there, or a name cannot be one.
            StoreError: If the store cannot be written.
        """
        return self._open(self._store.copy(self.directory, entity=entity, project=project, id=id))


def _step_of(row: object) -> int | None:
    if not isinstance(row, Mapping):
        message = f"a row is a dict of values by key, not {type(row).__name__}."
        raise UsageError(message)
    step: Any = row.get("_step")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - of any dict
    if step is not None and (not isinstance(step, int) or isinstance(step, bool)):
        message = f"step={step!r} is no integer."
        raise UsageError(message)
    return step


def _like(series: Series, value: object) -> Any:
    """Return a value as a correction of a series keeps it.

    Raises:
        UsageError: If it is of another kind.
    """
    if value is None:
        return None
    number = to_number(value)
    if series.type in "fib":
        if number is None:
            message = (
                f"{series.key!r} holds numbers; {value!r} is none. Pass a number, or None to take the points away."
            )
            raise UsageError(message)
        return number
    if series.type == "s" and not isinstance(value, str):
        message = f"{series.key!r} holds texts; {value!r} is none. Pass a str, or None to take the points away."
        raise UsageError(message)
    return to_json(value)
