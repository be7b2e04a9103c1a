"""A run as its journals tell it: every record folded, in whatever order the writers' files are read."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from runhaven.journal.column import bounds
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import Damage, Event, RowBlock
from runhaven.metric import SUMMARIES, Aggregate, keeps_plain_value, metric_from_event, rule_for
from runhaven.store.console import Console
from runhaven.store.edits import Correction, Edits
from runhaven.store.liveness import Signs
from runhaven.store.register import Register, Stamp
from runhaven.store.session import Session
from runhaven.store.table import Tables, cell
from runhaven.store.usage import to_summary, usage_of
from runhaven.value import from_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runhaven.journal.record import Column
    from runhaven.metric import Metric
    from runhaven.store.layout import Parent, RunDirectory


# All that a fork takes over besides rows: the rest is about the processes that ran its parent.
_INHERITED = frozenset({"start", "config", "metric", "incomplete", "edit", "rename", "correction"})


class RunView:
    """Folds the records of a run.

    Attributes:
        sessions: Each process's part, by writer.
        tables: The rows, if they are kept.
        rules: What `define_metric` said, by the names that it gave.
        edits: Series that were renamed or corrected.
        changes: Each change that somebody made afterwards, in the order of time.
        alerts: Alerts, in the order of time.
        artifacts: Artifacts that it logged or used, in the order of time.
        exceptions: Exceptions, in the order of time.
        config_history: Each change of the configuration, in the order of time.
        console: What was printed.
        damage: Events that make no sense.
        environment: What was captured about the place of the run.
        devices: Facts about each node's hardware, by stream.
        graphs: The trees of the modules of watched models, by number.
        last_step: Greatest step of the default stream's rows; None without rows.
    """

    def __init__(self, *, keeps_rows: bool, keeps_lines: bool = False, parent: Parent | None = None) -> None:
        """Start with nothing.

        Args:
            keeps_rows: Whether rows are kept, or only what they come to.
            keeps_lines: Whether printed lines are kept, or only counted.
            parent: The run that this one is a fork of.
        """
        self.sessions: dict[str, Session] = {}
        self.edits = Edits()
        self.tables = Tables(self.edits)
        self.rules: dict[str, Metric] = {}
        self.changes: list[dict[str, Any]] = []
        self.alerts: list[dict[str, Any]] = []
        self.artifacts: list[dict[str, Any]] = []
        self.exceptions: list[dict[str, Any]] = []
        self.config_history: list[dict[str, Any]] = []
        self.console = Console() if keeps_lines else Console(limit=0)
        self.damage: list[Damage] = []
        self.environment: dict[str, Any] = {}
        self.devices: dict[str, Any] = {}
        self.graphs: dict[int, dict[str, Any]] = {}
        self.last_step: int | None = None
        self._keeps_rows = keeps_rows
        self._meta, self._config = Register(), Register()
        self._repeated, self._computed, self._written = Register(), Register(), Register()
        self._corrected = Register()
        self._aggregates: dict[str, Aggregate] = {}
        self._late: dict[str, list[float]] = {}
        self._ruled_at: dict[str, tuple[str, int]] = {}
        self._edits_known, self._summed_up_by, self._rewound_by = 0, "", ""
        self._new_lines: list[tuple[int, str, str]] = []
        self._handlers = self._handlers_by_kind()
        self._inherited = frozenset(parent.writers if parent else ())
        if parent is not None and parent.writers:
            # Should the fork's process have died before it could say a word, the branch hides what lies beyond it.
            branch = Session(max(parent.writers) + "~", {}, is_inherited=True)
            self.sessions[branch.writer] = branch
            start: dict[str, Any] = {"event": "start", "role": "main", "rewind": parent.step, "summary": {}, "time": 0}
            self._take(branch, Event(branch.writer, 0, start))

    def _handlers_by_kind(self) -> dict[str, Callable[[Session, Event], None]]:
        """Return what takes in each kind of event; the others are passed over."""
        return {
            "start": self._on_start,
            "meta": self._on_meta,
            "config": self._on_config,
            "summary": self._on_summary,
            "snapshot": self._on_snapshot,
            "metric": self._on_metric,
            "environment": self._on_environment,
            "console": self._on_console,
            "alert": self._on_alert,
            "artifact": self._on_artifact,
            "exception": self._on_exception,
            "incomplete": self._on_incomplete,
            "device": self._on_device,
            "graph": self._on_graph,
            "gpus": self._on_gpus,
            "usage": self._on_usage,
            "signal": self._on_signal,
            "preempting": self._on_preempting,
            "finish": self._on_finish,
            "edit": self._on_edit,
            "rename": self._on_rename,
            "correction": self._on_correction,
        }

    def close(self) -> None:
        """Take in nothing more: without its handlers nothing in it refers back to it, and it is freed when it is let go."""
        self._handlers = {}

    def fold(self, records: Iterable[RowBlock | Event]) -> bool:
        """Take in what one poll of the journals found; True if any of it is of the run's own processes."""
        blocks: list[RowBlock] = []
        is_alive = False
        for record in records:
            session = self.sessions.get(record.writer)
            if session is None:
                is_inherited = record.writer in self._inherited
                session = self.sessions[record.writer] = Session(record.writer, {}, is_inherited=is_inherited)
            if isinstance(record, RowBlock):
                session.last_us = max(session.last_us, record.times[-1])
                blocks.append(record)
            else:
                self._take(session, record)
            is_alive |= not session.is_edit
        if self._edits_known != (known := len(self.edits.renames) + len(self.edits.corrections)):
            self._edits_known = known
            self.tables.reindex()
        # A batch's events come before its rows: only now is it known which rows a snapshot sums up already.
        for _, alike in groupby(blocks, key=lambda block: (block.writer, block.schema)):
            self._add(list(alike))
        self.console.add(self._new_lines)
        self._new_lines = []
        for found in (self.alerts, self.artifacts, self.exceptions, self.config_history, self.changes):
            found.sort(key=lambda entry: entry["time"])
        return is_alive

    # Rows

    def _add(self, blocks: Sequence[RowBlock]) -> None:
        """Take in blocks of one writer and schema; opening a long run brings hundreds of them at once."""
        writer, schema = blocks[0].writer, blocks[0].schema
        session = self.sessions[writer]
        is_of_machine = schema.stream.startswith("node=")
        if self._keeps_rows and not (is_of_machine and session.is_inherited):
            self.tables.add(blocks)
        if is_of_machine or writer < self._rewound_by:
            return
        greatest = max(bounds(block.steps)[1] for block in blocks)
        self.last_step = greatest if self.last_step is None else max(self.last_step, greatest)
        recent = [block for block in (block.since(session.snapshot) for block in blocks) if len(block)]
        if not recent:
            return
        if session.is_edit:
            self._note_rows(session, blocks)
        newest = max(recent, key=lambda block: (block.times[-1], block.numbers[-1]))
        stamp = Stamp(newest.times[-1], writer, newest.numbers[-1])
        for index, (key, kind) in enumerate(schema.cells):
            self._computed.put(key, cell(kind, newest.columns[index][-1]), stamp)
            rule = rule_for(self.rules, key)
            if rule is not None and rule.summary and kind in "fib" and writer >= self._summed_up_by:
                for block in recent:
                    self._aggregate(key, rule, block, block.columns[index])
                    if session.is_edit:
                        self._late.setdefault(key, []).extend(block.columns[index])

    def _note_rows(self, session: Session, blocks: Sequence[RowBlock]) -> None:
        for block in blocks:
            keys, steps = [key for key, _ in block.schema.cells], sorted(set(block.steps))
            self._note(session, {"event": "log", "time": block.times[-1], "keys": keys, "steps": steps})

    def _aggregate(self, key: str, rule: Metric, block: RowBlock, column: Column) -> None:
        """Sum up a column; a rule holds for the rows that its writer wrote after it, and for later writers'."""
        writer, number = self._ruled_at[rule.name]
        start = bisect_left(block.numbers, number) if writer == block.writer else 0
        if writer <= block.writer and start < len(column):
            aggregate = self._aggregates.setdefault(key, Aggregate(rule))
            for value in column[start:]:
                aggregate.add(value)

    # Events

    def _take(self, session: Session, event: Event) -> None:
        kind = str(event.data.get("event"))
        handler = self._handlers.get(kind)
        if session.is_inherited and kind not in _INHERITED:
            return
        try:
            event.data["time"] = int(event.data["time"])
            session.last_us = max(session.last_us, event.data["time"])
            if handler is not None:
                handler(session, event)
            if session.is_edit and handler not in (self._on_start, self._on_edit):
                self._note(session, event.data)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            reason = f"event {event.number} of kind {event.data.get('event')!r}: {error!r}"
            self.damage.append(Damage(f"{event.writer}.rhj", 0, 0, reason))

    def _note(self, session: Session, data: Mapping[str, Any]) -> None:
        who = {name: session.start.get(name) for name in ("user", "host")}
        self.changes.append(who | dict(data) | {"time": data["time"] / 1e6})

    def _on_start(self, session: Session, event: Event) -> None:
        session.start = event.data
        if "rewind" not in event.data or not session.is_main:
            return
        session.rewind = int(event.data["rewind"])
        if session.writer >= self._rewound_by:
            # What came before is in part hidden now: only what this event says of it stands.
            self._rewound_by = self._summed_up_by = session.writer
            for register in (self._repeated, self._computed, self._written):
                register.forget_before(session.writer)
            self._aggregates, self.last_step = {}, None
            self._on_snapshot(session, event)
            self._on_summary(session, event)

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
        if session.is_edit:
            return
        summary: Mapping[str, Any] = from_json(event.data["summary"])
        session.snapshot = event.number
        if session.writer < self._rewound_by:
            return
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
            rule = rule_for(self.rules, key)
            if rule is not None and session.writer >= self._summed_up_by:
                known = {word: summary[f"{key}.{word}"] for word in rule.summary if f"{key}.{word}" in summary}
                self._aggregates[key] = Aggregate(rule)
                self._aggregates[key].restore(known, count)
                for value in self._late.get(key, ()):
                    self._aggregates[key].add(value)

    def _on_metric(self, _: Session, event: Event) -> None:
        rule = metric_from_event(event.data)
        if self.rules.pop(rule.name, None) != rule:
            self._ruled_at[rule.name] = event.writer, event.number
        self.rules[rule.name] = rule

    def _on_environment(self, _: Session, event: Event) -> None:
        self.environment |= event.data["set"]

    def _on_console(self, _: Session, event: Event) -> None:
        stream = str(event.data["stream"])
        self._new_lines += [(int(time), stream, str(text)) for time, text in event.data["lines"]]

    def _on_alert(self, _: Session, event: Event) -> None:
        self.alerts.append(
            {name: event.data.get(name) for name in ("title", "text", "level")} | {"time": event.data["time"]}
        )

    def _on_artifact(self, _: Session, event: Event) -> None:
        self.artifacts.append({key: value for key, value in event.data.items() if key != "event"})

    def _on_exception(self, _: Session, event: Event) -> None:
        self.exceptions.append({key: value for key, value in event.data.items() if key != "event"})

    def _on_incomplete(self, session: Session, event: Event) -> None:
        session.lost = {"reason": str(event.data["reason"]), "lost_rows": int(event.data["lost_rows"])}

    def _on_graph(self, _: Session, event: Event) -> None:
        self.graphs[int(event.data.get("idx", 0))] = {key: event.data[key] for key in event.data if key != "event"}

    def _on_device(self, _: Session, event: Event) -> None:
        self.devices[event.data["stream"]] = event.data["attributes"]

    def _on_gpus(self, session: Session, event: Event) -> None:
        # Once it has computed somewhere it has, even if it gave the memory back.
        known = session.gpus.setdefault(event.data["stream"], [])
        known += [gpu for gpu in event.data["gpus"] if gpu not in known]

    def _on_usage(self, session: Session, event: Event) -> None:
        session.usage[event.data["stream"]] = event.data

    def _on_signal(self, session: Session, event: Event) -> None:
        session.signal = event.data["signal"]

    def _on_preempting(self, session: Session, _: Event) -> None:
        session.is_preempting = True

    def _on_finish(self, session: Session, event: Event) -> None:
        session.exit_code = int(event.data["exit_code"])

    def _on_edit(self, session: Session, event: Event) -> None:
        for data in event.data["events"]:
            self._take(session, Event(event.writer, event.number, {"time": event.data["time"], **data}))

    def _on_rename(self, _: Session, event: Event) -> None:
        data = event.data
        self.edits.rename(str(data["stream"]), str(data["old"]), str(data["new"]), _stamp(event))

    def _on_correction(self, _: Session, event: Event) -> None:
        data, stamp = event.data, _stamp(event)
        place = str(data["stream"]), str(data["key"]), int(data["step"])
        self.edits.correct(Correction(stamp, *place, from_json(data["value"])))
        self._corrected.apply(from_json(data.get("summary", {})), stamp, deleted=data.get("gone", []))

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
    def metrics(self) -> dict[str, Metric]:
        """What `define_metric` said, by the names that the series have by now."""
        if not self.edits.renames:
            return self.rules
        found: dict[str, Metric] = {}
        for rule in self.rules.values():
            axis = None if rule.step_metric is None else self.edits.name("", rule.step_metric)
            name = rule.name if rule.is_pattern else self.edits.name("", rule.name)
            found[name] = replace(rule, name=name, step_metric=axis)
        for old in {rename.old for rename in self.edits.renames if not rename.stream}:
            rule, name = rule_for(self.rules, old), self.edits.name("", old)
            if rule is not None and rule.is_pattern and name not in found:
                found[name] = replace(found[rule.name], name=name)
        return found

    @property
    def summary(self) -> dict[str, Any]:
        """The summary, keys flat: what the user wrote before what was computed."""
        computed = to_summary(self.usage) | self._repeated.values() | self._computed.values()
        found = {key: value for key, value in computed.items() if self._is_shown(key)} if self._aggregates else computed
        for key, aggregate in self._aggregates.items():
            found |= {f"{key}.{word}": value for word, value in aggregate.result().items()}
        written = self._written
        if self.edits.renames:
            # Where both names were logged, somebody has mended the script: the new name is the newer one.
            shown = {key: self._name(key) for key in found}
            renamed = {shown[key]: value for key, value in found.items() if shown[key] != key}
            found = renamed | {key: value for key, value in found.items() if shown[key] == key}
            written = written.renamed(lambda key, stamp: self._name(key, since=stamp))
        if self.edits.corrections:
            self._correct(found)
        gone = written.deleted()
        return {key: value for key, value in found.items() if key not in gone} | written.values()

    def _name(self, key: str, *, since: Stamp | None = None) -> str:
        """Return what a key of the summary is called by now."""
        base, _, word = key.rpartition(".")
        if base in self._aggregates and word in SUMMARIES:
            return f"{self.edits.name('', base, since=since)}.{word}"
        return self.edits.name("", key, since=since)

    def _correct(self, found: dict[str, Any]) -> None:
        """Put what a summary came to when it was corrected over what was computed before."""
        newest = self._computed.renamed(lambda key, _: self._name(key))

        def name(key: str, stamp: Stamp) -> str | None:
            base = next((one for one in (key, key.rpartition(".")[0]) if newest.stamp(one)), key)
            known = newest.stamp(base)
            return self._name(key, since=stamp) if known is None or stamp.time >= known.time else None

        standing = self._corrected.renamed(name)
        for key in standing.deleted():
            found.pop(key, None)
        found |= standing.values()

    @property
    def usage(self) -> dict[str, Any]:
        """What its processes used of their machines; empty where nothing was read."""
        return usage_of(self.sessions.values())

    @property
    def written(self) -> dict[str, Any]:
        """What the user said about the summary, as the fields of a `summary` event."""
        return {"set": self._written.values(), "delete": sorted(self._written.deleted())}

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
        return keeps_plain_value(rule_for(self.rules, key)) or key not in self._aggregates

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
        own = [session for session in self.sessions.values() if not (session.is_inherited or session.is_edit)]
        owners = [session for session in own if session.is_main]
        return max(owners or own, key=lambda session: session.writer, default=None)

    @property
    def updated_us(self) -> int:
        """When the newest record of the run's own processes was written."""
        own = (one for one in self.sessions.values() if not (one.is_inherited or one.is_edit))
        return max((session.last_us for session in own), default=0)

    @property
    def signs(self) -> Signs:
        """What the newest session left behind of its state."""
        session = self.newest
        if session is None:
            return Signs(None, 0)
        return Signs(session.process, session.last_us, session.exit_code, session.signal, session.is_preempting)

    def resumptions(self) -> list[str]:
        """Return the writers that went on with the run, in order; what earlier ones wrote past their start is hidden."""
        owners = [session for session in self.sessions.values() if session.is_main]
        return sorted(one.writer for one in owners if one.start.get("resumed") or one.rewind is not None)

    def rewinds(self) -> dict[str, int]:
        """Return the writers that rewound the run, each with the last step of earlier ones that it left in sight."""
        return {one.writer: one.rewind for one in self.sessions.values() if one.rewind is not None}


def _stamp(event: Event) -> Stamp:
    return Stamp(event.data["time"], event.writer, event.number)


def read_journals(directory: RunDirectory) -> RunView:
    """Return what a run's journals come to, without keeping its rows, and without what is sealed and gone from them."""
    manifest = directory.manifest()
    view = RunView(keeps_rows=False, parent=manifest.parent)
    view.fold(JournalReader(directory.journal, spool=manifest.spool_here(), rows="recent").poll())
    view.close()
    return view
