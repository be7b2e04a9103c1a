"""A run as its journals tell it: every record folded, in whatever order the writers' files are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runhaven.journal.reader import JournalReader
from runhaven.journal.record import Damage, RowBlock
from runhaven.metric import Aggregate, keeps_plain_value, metric_from_event, rule_for
from runhaven.platform.process import ProcessIdentity
from runhaven.store.console import Console
from runhaven.store.liveness import Signs
from runhaven.store.register import Register, Stamp
from runhaven.store.table import Tables, cell
from runhaven.value import from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runhaven.journal.record import Event
    from runhaven.metric import Metric
    from runhaven.store.layout import RunDirectory


@dataclass(slots=True)
class Session:
    """One process's part in the run.

    Attributes:
        writer: Name of its journal; names sort by start.
        start: Its `start` event.
        last_us: Its newest record.
        exit_code: That of its `finish`.
        signal: The signal that ended it.
        is_preempting: Whether it said so.
        snapshot: Record number of its newest snapshot.
        lost: What its journal lacks, if anything.
    """

    writer: str
    start: dict[str, Any]
    last_us: int = 0
    exit_code: int | None = None
    signal: str | None = None
    is_preempting: bool = False
    snapshot: int = -1
    lost: dict[str, Any] | None = None

    @property
    def is_main(self) -> bool:
        """Whether it owned the run."""
        return self.start.get("role") == "main"

    @property
    def process(self) -> ProcessIdentity | None:
        """The process, if it said which."""
        try:
            return ProcessIdentity(**{name: self.start[name] for name in ProcessIdentity.__dataclass_fields__})
        except KeyError:
            return None


class RunView:
    """Folds the records of a run.

    Attributes:
        sessions: Each process's part, by writer.
        tables: The rows, if they are kept.
        metrics: What `define_metric` said, by name.
        alerts: Alerts, in the order of time.
        exceptions: Exceptions, in the order of time.
        config_history: Each change of the configuration, in the order of time.
        console: What was printed.
        damage: Events that make no sense.
        environment: What was captured about the place of the run.
        devices: Facts about each node's hardware, by stream.
        last_step: Greatest step of the default stream's rows; None without rows.
    """

    def __init__(self, *, keeps_rows: bool, keeps_lines: bool = False) -> None:
        """Start with nothing.

        Args:
            keeps_rows: Whether rows are kept, or only what they come to.
            keeps_lines: Whether printed lines are kept, or only counted.
        """
        self.sessions: dict[str, Session] = {}
        self.tables = Tables()
        self.metrics: dict[str, Metric] = {}
        self.alerts: list[dict[str, Any]] = []
        self.exceptions: list[dict[str, Any]] = []
        self.config_history: list[dict[str, Any]] = []
        self.console = Console() if keeps_lines else Console(limit=0)
        self.damage: list[Damage] = []
        self.environment: dict[str, Any] = {}
        self.devices: dict[str, Any] = {}
        self.last_step: int | None = None
        self._keeps_rows = keeps_rows
        self._meta, self._config = Register(), Register()
        self._repeated, self._computed, self._written = Register(), Register(), Register()
        self._aggregates: dict[str, Aggregate] = {}
        self._summed_up_by = ""
        self._new_lines: list[tuple[int, str, str]] = []
        self._handlers: dict[str, Callable[[Session, Event], None]] = {
            "start": self._on_start,
            "meta": self._on_meta,
            "config": self._on_config,
            "summary": self._on_summary,
            "snapshot": self._on_snapshot,
            "metric": self._on_metric,
            "environment": self._on_environment,
            "console": self._on_console,
            "alert": self._on_alert,
            "exception": self._on_exception,
            "incomplete": self._on_incomplete,
            "device": self._on_device,
            "signal": self._on_signal,
            "preempting": self._on_preempting,
            "finish": self._on_finish,
        }

    def close(self) -> None:
        """Take in nothing more: without its handlers nothing in it refers back to it, and it is freed when it is let go."""
        self._handlers = {}

    def fold(self, records: Iterable[RowBlock | Event]) -> None:
        """Take in what one poll of the journals found."""
        blocks: list[RowBlock] = []
        for record in records:
            session = self.sessions.setdefault(record.writer, Session(record.writer, {}))
            if isinstance(record, RowBlock):
                session.last_us = max(session.last_us, record.times[-1])
                blocks.append(record)
            else:
                self._take(session, record)
        # A batch's events come before its rows: only now is it known which rows a snapshot sums up already.
        for block in blocks:
            self._add(block)
        self.console.add(self._new_lines)
        self._new_lines = []
        for found in (self.alerts, self.exceptions, self.config_history):
            found.sort(key=lambda entry: entry["time"])

    # Rows

    def _add(self, block: RowBlock) -> None:
        if self._keeps_rows:
            self.tables.add(block)
        if block.schema.stream.startswith("node="):
            return
        greatest = max(block.steps)
        self.last_step = greatest if self.last_step is None else max(self.last_step, greatest)
        recent = block.since(self.sessions[block.writer].snapshot)
        if not len(recent):
            return
        stamp = Stamp(recent.times[-1], recent.writer, recent.numbers[-1])
        for (key, kind), column in zip(recent.schema.cells, recent.columns, strict=True):
            self._computed.put(key, cell(kind, column[-1]), stamp)
            rule = rule_for(self.metrics, key)
            if rule is not None and rule.summary and kind in "fib" and recent.writer >= self._summed_up_by:
                aggregate = self._aggregates.setdefault(key, Aggregate(rule))
                for value in column:
                    aggregate.add(value)

    # Events

    def _take(self, session: Session, event: Event) -> None:
        handler = self._handlers.get(str(event.data.get("event")))
        try:
            event.data["time"] = int(event.data["time"])
            session.last_us = max(session.last_us, event.data["time"])
            if handler is not None:
                handler(session, event)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            reason = f"event {event.number} of kind {event.data.get('event')!r}: {error!r}"
            self.damage.append(Damage(f"{event.writer}.rhj", 0, 0, reason))

    def _on_start(self, session: Session, event: Event) -> None:
        session.start = event.data

    def _on_meta(self, _: Session, event: Event) -> None:
        self._meta.apply(event.data["set"], _stamp(event))

    def _on_config(self, _: Session, event: Event) -> None:
        data = event.data
        changed, deleted = from_json(data.get("set", {})), list(data.get("delete", []))
        self._config.apply(changed, _stamp(event), deleted=deleted)
        change = {"time": data["time"] / 1e6, "step": data.get("step"), "set": changed, "delete": deleted}
        self.config_history.append(change)

    def _on_summary(self, _: Session, event: Event) -> None:
        data = event.data
        self._written.apply(from_json(data.get("set", {})), _stamp(event), deleted=data.get("delete", []))

    def _on_snapshot(self, session: Session, event: Event) -> None:
        summary: Mapping[str, Any] = from_json(event.data["summary"])
        session.snapshot = event.number
        # A process that joined repeats what it found when it came: its owner's own words stand over that.
        (self._computed if session.is_main else self._repeated).apply(summary, _stamp(event))
        last = event.data.get("last_step")
        if last is not None:
            self.last_step = int(last) if self.last_step is None else max(self.last_step, int(last))
        counts: Mapping[str, int] = event.data.get("counts", {}) if session.is_main else {}
        if session.start.get("resumed"):
            # It went on from what earlier sessions had summed up, their last rows included.
            self._summed_up_by = max(self._summed_up_by, session.writer)
        for key, count in counts.items():
            rule = rule_for(self.metrics, key)
            if rule is not None and session.writer >= self._summed_up_by:
                known = {word: summary[f"{key}.{word}"] for word in rule.summary if f"{key}.{word}" in summary}
                self._aggregates[key] = Aggregate(rule)
                self._aggregates[key].restore(known, count)

    def _on_metric(self, _: Session, event: Event) -> None:
        rule = metric_from_event(event.data)
        self.metrics.pop(rule.name, None)
        self.metrics[rule.name] = rule

    def _on_environment(self, _: Session, event: Event) -> None:
        self.environment |= event.data["set"]

    def _on_console(self, _: Session, event: Event) -> None:
        stream = str(event.data["stream"])
        self._new_lines += [(int(time), stream, str(text)) for time, text in event.data["lines"]]

    def _on_alert(self, _: Session, event: Event) -> None:
        self.alerts.append(
            {name: event.data.get(name) for name in ("title", "text", "level")} | {"time": event.data["time"]}
        )

    def _on_exception(self, _: Session, event: Event) -> None:
        self.exceptions.append({key: value for key, value in event.data.items() if key != "event"})

    def _on_incomplete(self, session: Session, event: Event) -> None:
        session.lost = {"reason": str(event.data["reason"]), "lost_rows": int(event.data["lost_rows"])}

    def _on_device(self, _: Session, event: Event) -> None:
        self.devices[event.data["stream"]] = event.data["attributes"]

    def _on_signal(self, session: Session, event: Event) -> None:
        session.signal = event.data["signal"]

    def _on_preempting(self, session: Session, _: Event) -> None:
        session.is_preempting = True

    def _on_finish(self, session: Session, event: Event) -> None:
        session.exit_code = int(event.data["exit_code"])

    # What it comes to

    @property
    def meta(self) -> dict[str, Any]:
        """Name, notes, tags, group, job type."""
        return self._meta.values()

    @property
    def config(self) -> dict[str, Any]:
        """The configuration."""
        return self._config.values()

    @property
    def summary(self) -> dict[str, Any]:
        """The summary, keys flat: what the user wrote before what was computed."""
        computed = self._repeated.values() | self._computed.values()
        found = {key: value for key, value in computed.items() if self._is_shown(key)} if self._aggregates else computed
        for key, aggregate in self._aggregates.items():
            found |= {f"{key}.{word}": value for word, value in aggregate.result().items()}
        gone = self._written.deleted()
        return {key: value for key, value in found.items() if key not in gone} | self._written.values()

    @property
    def aggregates(self) -> dict[str, Aggregate]:
        """What rules made of the series that they are about."""
        return self._aggregates

    @property
    def plain_values(self) -> dict[str, Any]:
        """The newest value of each series."""
        return {
            key: value
            for key, value in (self._repeated.values() | self._computed.values()).items()
            if key.rpartition(".")[0] not in self._aggregates
        }

    def _is_shown(self, key: str) -> bool:
        return keeps_plain_value(rule_for(self.metrics, key)) or key not in self._aggregates

    @property
    def incomplete(self) -> dict[str, Any] | None:
        """Why and how many rows are missing; None when none are."""
        lost = [session.lost for session in self.sessions.values() if session.lost]
        return {"reason": lost[-1]["reason"], "lost_rows": sum(one["lost_rows"] for one in lost)} if lost else None

    @property
    def fatal_exception(self) -> dict[str, Any] | None:
        """The first exception that ended a process since the run was opened last; None without one."""
        newest = self.newest
        since = newest.start.get("time", 0) if newest else 0
        return next((error for error in self.exceptions if error.get("fatal") and error["time"] >= since), None)

    @property
    def newest(self) -> Session | None:
        """The newest session that owned the run; any session where none did."""
        owners = [session for session in self.sessions.values() if session.is_main]
        return max(owners or self.sessions.values(), key=lambda session: session.writer, default=None)

    @property
    def updated_us(self) -> int:
        """When the newest record was written."""
        return max((session.last_us for session in self.sessions.values()), default=0)

    @property
    def signs(self) -> Signs:
        """What the newest session left behind of its state."""
        session = self.newest
        if session is None:
            return Signs(None, 0)
        return Signs(session.process, session.last_us, session.exit_code, session.signal, session.is_preempting)

    def resumptions(self) -> list[str]:
        """Return the writers that went on with the run, in order; what earlier ones wrote past their start is hidden."""
        return sorted(
            writer for writer, session in self.sessions.items() if session.is_main and session.start.get("resumed")
        )


def _stamp(event: Event) -> Stamp:
    return Stamp(event.data["time"], event.writer, event.number)


def read_view(directory: RunDirectory) -> RunView:
    """Return what a run's journals come to, without keeping its rows."""
    view = RunView(keeps_rows=False)
    view.fold(JournalReader(directory.journal, spool=directory.manifest().spool_here(), rows="recent").poll())
    view.close()
    return view
