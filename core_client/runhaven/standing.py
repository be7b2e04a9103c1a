"""What a run had come to at a step: where a rewound run, or a fork, goes on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven.api.data import RunData
from runhaven.api.history import hidden_from
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import Event
from runhaven.metric import Aggregate, keeps_plain_value, rule_for
from runhaven.redaction import redact_value
from runhaven.sealed.seal import open_sealed
from runhaven.sealed.view import replay
from runhaven.store.register import Register, Stamp
from runhaven.store.table import cell
from runhaven.store.view import RunView
from runhaven.value import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runhaven.metric import Metric
    from runhaven.store.layout import RunDirectory
    from runhaven.store.table import Table

_BEYOND = 1 << 63


class Standing:
    """The rows of a run up to a step, summed up.

    Attributes:
        view: The whole run.
        last_step: The greatest step up to there; None without rows.
    """

    def __init__(self, directory: RunDirectory, step: int) -> None:
        """Read the run.

        Args:
            directory: The run.
            step: The last step that counts.
        """
        sealed = open_sealed(directory)
        since = sealed.manifest.positions if sealed else None
        manifest = directory.manifest()
        reader = JournalReader(directory.journal, spool=manifest.spool_here(), since=since)
        records = reader.poll()
        self.view, rows = (
            RunView(keeps_rows=False, parent=manifest.parent),
            RunView(keeps_rows=True, parent=manifest.parent),
        )
        if sealed is not None:
            replay(self.view, sealed)
        for view in (self.view, rows):
            view.fold(records)
        data = RunData(reader, rows, sealed)
        self.last_step: int | None = None
        self._step = step
        self._newest = Register()
        self._points: dict[str, list[tuple[str, int, float]]] = {}
        streams = {*data.streams, ""}
        self._tables = [table for of in streams if not of.startswith("node=") for table in data.tables(of)]
        for table in self._tables:
            self._sum_up(table, hidden_from(data, table.schema.stream).get(table.writer, {}))
        said = [*(sealed.replay() if sealed else ()), *records]
        self._written = self._words([record for record in said if isinstance(record, Event)])

    def fields(self) -> dict[str, Any]:
        """Return the fields of the `start` event that goes on from here."""
        aggregates = self._aggregates()
        rules = self.view.metrics
        summary: dict[str, Any] = {
            key: value
            for key, value in self._newest.values().items()
            if keeps_plain_value(rule_for(rules, key)) or key not in aggregates
        }
        for key, aggregate in aggregates.items():
            summary |= {f"{key}.{word}": value for word, value in aggregate.result().items()}
        counts = {key: aggregate.count for key, aggregate in aggregates.items()}
        facts = {"summary": summary, "counts": counts, "last_step": self.last_step, **self._written}
        return {"rewind": self._step} | redact_value({key: to_json(value) for key, value in facts.items()})

    # Rows

    def _sum_up(self, table: Table, hidden: Mapping[str, int]) -> None:
        """Take in the cells of a table that nothing hides."""
        known: dict[int, Sequence[int]] = {}
        cells = [("_step", None, None), *((*named, at) for at, named in enumerate(table.schema.cells))]
        for key, kind, at in cells if not table.schema.cells else cells[1:]:
            limit = min(hidden.get(key, _BEYOND), self._step + 1)
            if limit not in known:
                known[limit] = [place for place, step in enumerate(table.steps) if step < limit]
            places = known[limit]
            if not places:
                continue
            greatest = max(table.steps[place] for place in places)
            self.last_step = greatest if self.last_step is None else max(self.last_step, greatest)
            if kind is None or at is None:
                continue
            last, column = places[-1], table.columns[at]
            self._newest.put(key, cell(kind, column[last]), Stamp(table.times[last], table.writer, table.numbers[last]))
            if kind in "fib" and (rule := rule_for(self.view.metrics, key)) is not None and rule.summary:
                points = self._points.setdefault(key, [])
                points += [(table.writer, table.numbers[place], column[place]) for place in places]

    def _aggregates(self) -> dict[str, Aggregate]:
        found: dict[str, Aggregate] = {}
        for key, points in self._points.items():
            rule: Metric | None = rule_for(self.view.metrics, key)
            if rule is not None:
                found[key] = Aggregate(rule)
                for _, _, value in sorted(points, key=lambda point: point[:2]):
                    found[key].add(value)
        return found

    # What the user said about the summary

    def _words(self, events: Sequence[Event]) -> dict[str, Any]:
        """Return what was said before the step was passed."""
        ends = {writer: self._end_of(writer) for writer in self.view.sessions}
        said = RunView(keeps_rows=False)
        said.fold(
            event for event in events if event.data.get("event") == "summary" and event.number < ends[event.writer]
        )
        return said.written

    def _end_of(self, writer: str) -> int:
        """Return the number of the first record of a writer that came when the step was passed."""
        limit = min([self._step, *(step for later, step in self.view.rewinds().items() if later > writer)])
        began_at = self.view.sessions[writer].start.get("step")
        if isinstance(began_at, int) and began_at > limit + 1:
            return 0
        return min(
            (
                number
                for table in self._tables
                if table.writer == writer
                for number, step in zip(table.numbers, table.steps, strict=True)
                if step > limit
            ),
            default=_BEYOND,
        )
