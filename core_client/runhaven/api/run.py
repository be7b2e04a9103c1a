"""A run as the store holds it, for reading."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from runhaven.api.artifact_relations import ArtifactRelations
from runhaven.api.data import RunData
from runhaven.api.editing import Editing
from runhaven.api.familiar import Familiar
from runhaven.api.frame import to_frame
from runhaven.api.history import OWN_KEYS, Scan, bucketed, check_keys, only
from runhaven.api.series import list_series
from runhaven.api.streams import by_time, keys_of, streams_of
from runhaven.api.values import read_values
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import Event
from runhaven.platform.process import is_alive
from runhaven.sealed.seal import open_sealed, seal
from runhaven.sealed.view import follow
from runhaven.store.blobs import Blobs
from runhaven.store.liveness import state
from runhaven.store.usage import with_ranks
from runhaven.store.view import RunView

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence

    from runhaven.api.frame import Format
    from runhaven.api.history import Keep
    from runhaven.api.series import Curve, Series
    from runhaven.api.sheet import FileFormat
    from runhaven.api.values import Logged
    from runhaven.journal.record import Damage
    from runhaven.metric import Metric
    from runhaven.platform.process import ProcessIdentity
    from runhaven.store.console import LogLine
    from runhaven.store.layout import Parent, RunDirectory
    from runhaven.store.liveness import State


_SEEMS_GONE = ("crashed", "lost", "preempted")


class _Facts(NamedTuple):
    reader: JournalReader
    view: RunView
    has_lines: bool


class Run(Editing, ArtifactRelations, Familiar):
    """Reads one run. Cheap to make; what it is asked for is read then, sealed parts page by page.

    What was read stays; `refresh` takes in what was written since.
    """

    def __init__(self, directory: RunDirectory) -> None:
        """Name a run; reads nothing yet."""
        self._directory = directory
        self._lock = threading.RLock()
        self._facts_held: _Facts | None = None
        self._data_held: RunData | None = None
        self._seen_us = 0

    @classmethod
    def _open(cls, directory: RunDirectory) -> Self:
        return cls(directory)

    # Reading

    def refresh(self) -> bool:
        """Take in what was written since; True if there was anything."""
        with self._lock:
            is_new = self._facts_held is None and self._data_held is None
            return bool(self._facts.sessions) if is_new else self._poll()

    def _poll(self) -> bool:
        """Go on with everything that was read."""
        is_new = False
        for held in (self._facts_held, self._data_held):
            records = held.reader.poll() if held else []
            if held and records:
                is_new = True
                if held.view.fold(records):
                    # A sign of life by this machine's clock, should that of the run's host be wrong.
                    self._seen_us = time.time_ns() // 1000
                if held.view.changes:
                    # It may have been moved.
                    self._directory.forget()
        return is_new

    @property
    def _facts(self) -> RunView:
        return self._view()

    def _view(self, *, has_lines: bool = False) -> RunView:
        """Return all events folded; of a run without a sealed part, the rows' view serves."""
        with self._lock:
            data = self._data_held
            if data is not None and data.sealed is None:
                return data.view
            if self._facts_held is None or (has_lines and not self._facts_held.has_lines):
                sealed = data.sealed if data else open_sealed(self._directory)
                reader, view = follow(self._directory, sealed, has_lines=has_lines)
                view.fold(reader.poll())
                if view.changes:
                    # It may have been moved.
                    self._directory.forget()
                self._facts_held = _Facts(reader, view, has_lines)
            return self._facts_held.view

    @property
    def _data(self) -> RunData:
        """The rows: the sealed part unread, and what the journals hold beyond it."""
        with self._lock:
            if self._data_held is None:
                sealed = open_sealed(self._directory)
                manifest = self._directory.manifest()
                since = sealed.manifest.positions if sealed else None
                reader = JournalReader(self._directory.journal, spool=manifest.spool_here(), since=since)
                view = RunView(keeps_rows=True, keeps_lines=True, parent=manifest.parent)
                if sealed is not None and sealed.manifest.is_edited:
                    # Rows take their names and corrections from every edit, sealed or not.
                    view.fold(record for record in sealed.replay() if isinstance(record, Event))
                view.fold(reader.poll())
                self._data_held = RunData(reader, view, sealed)
                if sealed is None:
                    self._facts_held = None
            return self._data_held

    def seal(self) -> bool:
        """Write what only the journals hold as Parquet, so that it reads faster and any tool can open it.

        Returns:
            Whether there was anything.

        Raises:
            ImportError: If a package that it needs is missing.
            OSError: If neither the run nor the user's cache can be written.
        """
        with self._lock:
            done = seal(self._directory)
            if done is not None:
                self._facts_held = self._data_held = None
            return done is not None

    # What it is

    @property
    def directory(self) -> RunDirectory:
        """Where the run lies."""
        return self._directory

    @property
    def ulid(self) -> str:
        """Unique in the world."""
        return self._directory.ulid

    @property
    def id(self) -> str:
        """Unique in the project."""
        return self._directory.manifest().id

    @property
    def entity(self) -> str:
        """User or team."""
        return self._directory.manifest().entity

    @property
    def project(self) -> str:
        """The project."""
        return self._directory.manifest().project

    @property
    def path(self) -> list[str]:
        """Entity, project and id."""
        return [self.entity, self.project, self.id]

    @property
    def parent(self) -> Parent | None:
        """Which run it is a fork of, and the last step that it has of it; None for any other."""
        return self._directory.manifest().parent

    @property
    def created(self) -> int:
        """When it was created, microseconds since the epoch."""
        return self._directory.manifest().created

    @property
    def created_at(self) -> str:
        """When it was created, ISO 8601 in UTC."""
        return datetime.fromtimestamp(self.created / 1e6, UTC).isoformat(timespec="seconds")

    @property
    def updated(self) -> int:
        """When its newest record was written, microseconds since the epoch."""
        return self._facts.updated_us or self.created

    @property
    def state(self) -> State:
        """running, finished, failed, killed, preempted, crashed or lost; computed now."""
        with self._lock:
            found = self._state()
            # A process that ended a moment ago may have said so since the last poll.
            return self._state() if found in _SEEMS_GONE and self._poll() else found

    def _state(self) -> State:
        signs = self._facts.signs
        last_us = max(signs.last_us, self._seen_us) or self.created
        copied = self._directory.manifest().copied
        # No process writes a copy but those that went on with it.
        is_copied = copied is not None and self._started_by().get("time", 0) < copied
        return state(
            signs._replace(last_us=last_us),
            now_us=time.time_ns() // 1000,
            is_alive=_is_gone if is_copied else is_alive,
        )

    @property
    def runtime_s(self) -> float:
        """Seconds between its first and its newest record."""
        return max(0.0, (self.updated - self.created) / 1e6)

    @property
    def config_history(self) -> list[dict[str, Any]]:
        """Each change of the configuration, with "time" (seconds since the epoch), "step" and "set"."""
        return list(self._facts.config_history)

    @property
    def metadata(self) -> dict[str, Any]:
        """Where it took place: python, packages, git, hardware, command, variables."""
        view = self._facts
        devices = with_ranks(view.devices, view.sessions.values())
        return view.environment | ({"devices": devices} if devices else {})

    @property
    def usage(self) -> dict[str, Any]:
        """What it used of its machines: GPU-hours, energy, load, and where GPUs idled; empty where nothing was read.

        `runhaven_gpu_monitor.usage.summarise` says what each key means.
        """
        return self._facts.usage

    @property
    def graphs(self) -> list[dict[str, Any]]:
        """The trees of the modules of the models that `watch(log_graph=True)` described; docs/formats.md names the fields."""
        return [graph for _, graph in sorted(self._facts.graphs.items())]

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """What `define_metric` said, by name."""
        return self._facts.metrics

    @property
    def user(self) -> str:
        """Login name of who started it."""
        return self._started_by().get("user") or ""

    @property
    def host(self) -> str:
        """Where it runs or ran."""
        return self._started_by().get("host") or self._directory.manifest().host

    def _started_by(self) -> Mapping[str, Any]:
        newest = self._facts.newest
        return newest.start if newest else {}

    @property
    def last_step(self) -> int | None:
        """The greatest step that was logged; None without rows."""
        return self._facts.last_step

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """What `alert` kept."""
        return list(self._facts.alerts)

    @property
    def exception(self) -> dict[str, Any] | None:
        """The exception that ended it; None without one."""
        return self._facts.fatal_exception

    @property
    def incomplete(self) -> dict[str, Any] | None:
        """Why and how many rows are missing; None when none are."""
        return self._facts.incomplete

    @property
    def damage(self) -> list[Damage]:
        """Stretches of its journals that cannot be read."""
        with self._lock:
            found = self._facts.damage
            held = self._facts_held or self._data_held
            if held is None:
                return found
            # What nobody will complete any more is no longer "not yet".
            is_over = self.state != "running" or not self._facts.sessions
            unread = held.reader.unread() if is_over else []
            return [*held.reader.damage, *unread, *found]

    # Series

    def series(self, stream: str | None = None) -> list[Series]:
        """List the series, of one stream or of all."""
        with self._lock:
            data, metrics = self._data, self._facts.metrics
            return list_series(data, metrics, stream)

    def curve(  # noqa: PLR0913 - what a chart asks for
        self,
        key: str,
        *,
        stream: str = "",
        x: str = "step",
        buckets: int = 1000,
        start: float | None = None,
        stop: float | None = None,
        keep: Keep = "latest",
    ) -> Curve:
        """Return a series reduced to buckets, each with its exact least, greatest and last value.

        Args:
            key: The series.
            stream: Its stream.
            x: "step", "wall" (seconds since the epoch), "relative" (seconds since the run began), or a key of the
                same stream, whose values in the same rows are then the x of the points.
            buckets: How many to divide the points' range into; with fewer points, each is a bucket of its own.
            start: Leave out the points before this x.
            stop: Leave out the points after this x.
            keep: "all" brings in what later sessions repeat, and what a rewind hides.

        Raises:
            ImportError: If numpy is missing.
            UsageError: If `keep` is not known.
        """
        from runhaven.api.curve import make_curve

        with self._lock:
            return make_curve(
                self._data,
                key,
                stream=stream,
                x=x,
                buckets=buckets,
                bounds=(start, stop),
                origin_us=self._directory.manifest().began,
                keep=keep,
            )

    def values(self, key: str, *, stream: str = "", keep: Keep = "latest") -> list[Logged]:
        """Return what was logged of a series whose values are no numbers: media, histograms, texts; by step.

        Args:
            key: The series.
            stream: Its stream.
            keep: "all" brings in what later sessions repeat, and what a rewind hides.

        Raises:
            UsageError: If `keep` is not known.
        """
        with self._lock:
            return read_values(self._data, stream, key, keep=keep)

    def scan_history(
        self,
        keys: Sequence[str] | None = None,
        page_size: int = 1000,  # noqa: ARG002 - W&B's argument; nothing is paged here
        min_step: int | None = None,
        max_step: int | None = None,
        *,
        stream: str = "default",
        keep: Keep = "latest",
    ) -> Iterator[dict[str, Any]]:
        """Go through all rows as they were logged; rows of one process with an equal step are one.

        Args:
            keys: Only rows that hold all of these, and of them only these and `_step`.
            page_size: Accepted for W&B's sake.
            min_step: Leave out the rows before this step.
            max_step: Leave out this step and the rows after it.
            stream: "default", "system" for the load of the machines, or the name of another stream.
            keep: "all" brings in what later sessions repeat, and what a rewind hides.

        Yields:
            A dict with `_step`, `_timestamp` (seconds since the epoch), `_runtime` (seconds) and the values; with
            `_node` for the load of several machines.

        Raises:
            UsageError: If `keep` is not known.
        """
        with self._lock:
            began = self._directory.manifest().began
            data = self._data
            scans = {one: Scan(data, stream=one, origin_us=began, keep=keep) for one in streams_of(data, stream)}
        rows = by_time({one: scan.rows(min_step=min_step, max_step=max_step) for one, scan in scans.items()})
        yield from rows if keys is None else only(rows, ["_step", *(["_node"] if len(scans) > 1 else []), *keys])

    def history(  # noqa: PLR0913 - W&B's arguments, and ours
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        pandas: bool = True,
        stream: str = "default",
        *,
        keep: Keep = "latest",
        format: Format | None = None,  # noqa: A002 - as W&B calls it
    ) -> Any:
        """Return the rows, or at most `samples` buckets of them when there are more.

        A bucket holds each key's last value, and its exact extremes as `<key>.min` and `<key>.max`: nothing is sampled
        away.

        Args:
            samples: How many rows at most.
            keys: Only rows that hold all of these.
            x_axis: What orders the rows: "_step", "_timestamp", "_runtime" or a key.
            pandas: Return a `pandas.DataFrame` when pandas is installed.
            stream: "default", "system" for the load of the machines (with `_node` if there are several), or another.
            keep: "all" brings in what later sessions repeat, and what a rewind hides.
            format: "rows", "pandas" or "polars", whatever `pandas` says.

        Raises:
            ImportError: If the package that `format` names is missing.
            NotFoundError: If a key was never logged.
            UsageError: If `keep` or `format` is not known.
        """
        axis = [] if x_axis in OWN_KEYS else [x_axis]
        wanted = None if keys is None else [*keys, *axis]
        with self._lock:
            data, began = self._data, self._directory.manifest().began
            streams = streams_of(data, stream)
            check_keys([*(keys or []), *axis], keys_of(data, streams), self.name)
            each = -(-samples // max(1, len(streams)))
            ask = partial(bucketed, data, origin_us=began, samples=each, keys=wanted, x_axis=x_axis, keep=keep)
            found = list(by_time({one: ask(stream=one) for one in streams}))
        return to_frame(found, format or (None if pandas else "rows"))

    def export(self, path: str | os.PathLike[str], format: FileFormat | None = None, **choice: Any) -> Path:  # noqa: A002 - as in `history`
        """Write its rows to a file, exactly, and return where that is.

        Args:
            path: The file; it is replaced once the new one is whole.
            format: "parquet", "csv" or "jsonl"; by default what the name ends with.
            **choice: `shape="long"` for a row a point, `stream=` as for `history` or "all", and `keys=`.

        Raises:
            NotFoundError: If it never logged one of the keys.
            UsageError: If the format is not known, or the file cannot be written.
        """
        from runhaven.api.export import Choice, format_of, replacing, write_history

        found = Path(path)
        form = format_of(found, format)
        with replacing(found) as file:
            write_history([self], file, form, Choice(**choice))
        return found

    def _check_keys(self, keys: Sequence[str], stream: str) -> None:
        check_keys(keys, self._data.keys(stream), self.name)

    @property
    def held_bytes(self) -> int:
        """About how many bytes of memory its rows take; none before somebody asks for them."""
        with self._lock:
            return self._data_held.view.tables.weight if self._data_held else 0

    @property
    def stored(self) -> RunData:
        """The rows as they are stored, sealed or not, for those that read them column by column."""
        return self._data

    def logs(self, after: int = 0, limit: int | None = None) -> list[LogLine]:
        """Return what the run printed.

        Args:
            after: Leave out the lines up to this number.
            limit: How many lines at most, the newest.
        """
        return self._view(has_lines=True).console.lines(after=after, limit=limit)

    @property
    def log_count(self) -> int:
        """How many lines the run printed."""
        return self._view(has_lines=True).console.count

    def open_media(self, reference: Mapping[str, Any]) -> Path:
        """Return where the bytes of media lie that a row of `scan_history` or the summary refers to.

        Raises:
            NotFoundError: If the reference names no bytes, or they are not in the store.
        """
        return Blobs(self._directory.path.parents[2]).find(reference)

    def __repr__(self) -> str:
        """Show name, path and state."""
        return f"<Run {self.name} {'/'.join(self.path)} ({self.state})>"


def _is_gone(_: ProcessIdentity) -> bool:
    return False
