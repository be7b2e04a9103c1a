"""The runs of a store as the server holds them: what the catalogue knows of all, and those opened that are looked at."""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven import Api, NotFoundError
from runhaven.catalogue.index import Catalogue
from runhaven_server.media.picking import type_of
from runhaven_server.recent import Recent
from runhaven_server.shapes import LiveRun, MetricShape, ProjectShape, RunDetail, RunRow
from runhaven_server.values import flat, plain, without_media

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runhaven.api import Run
    from runhaven.api.values import Logged
    from runhaven.catalogue.record import Record
    from runhaven.store.directory import RunDirectory

_FRESH_FOR_S = 0.5
MOST_BYTES = 512 << 20
"""How much memory the rows of opened runs may take."""
_MOST_VALUES = 200_000
_OVER = frozenset({"finished", "failed", "killed", "preempted", "crashed"})


class Changes(NamedTuple):
    """What a look at the store found new.

    Attributes:
        runs: Runs that moved.
        projects: Whether runs appeared or vanished.
    """

    runs: list[LiveRun]
    projects: bool


class _Listed(NamedTuple):
    """A series as lists of metrics name it."""

    key: str
    stream: str
    type: str
    axis: str | None
    is_hidden: bool


class Library:
    """Thread-safe; every request sees a store that was looked at less than half a second ago.

    What tables show comes from the catalogue; a run is opened when somebody looks at it, and let go when others need
    the memory.
    """

    def __init__(self, store: Path) -> None:
        """Open a store; reads nothing yet."""
        self._api = Api(store)
        self._catalogue = Catalogue(self._api.store)
        self._lock = threading.RLock()
        self._stamp = ""
        self._records: dict[str, Record] = {}
        self._states: dict[str, str] = {}
        self._opened: Recent[str, Run] = Recent(MOST_BYTES)
        self._listed: dict[str, list[_Listed]] = {}
        self._values: Recent[tuple[str, str, str], list[Logged]] = Recent(_MOST_VALUES)
        self._colors: dict[str, int] = {}
        self._looked_at = float("-inf")

    @property
    def store(self) -> Path:
        """The directory of the store."""
        return self._api.store.root

    def look(self) -> Changes:
        """Take in what changed since the last look."""
        with self._lock:
            found = self._catalogue.changes(self._stamp)
            changed = {record.ulid: record for record in found.records}
            has_new = not changed.keys() <= self._records.keys() or len(self._records) > len(found.ulids)
            kept = {ulid: record for ulid, record in self._records.items() if ulid in found.ulids}
            records = {**kept, **changed}
            if has_new:
                records = dict(sorted(records.items(), reverse=True))
                self._number(records)
            self._records, self._stamp = records, found.stamp
            moved = [live(record) for record in records.values() if self._has_moved(record, changed)]
            self._looked_at = time.monotonic()
            return Changes(moved, has_new)

    def _has_moved(self, record: Record, changed: Mapping[str, Record]) -> bool:
        """Tell whether a run changed, or came to another state by what its process did not do."""
        before = self._states.get(record.ulid, "")
        if record.ulid not in changed and before in _OVER:
            return False
        state = self._states[record.ulid] = record.state
        if record.ulid in changed:
            self._listed.pop(record.ulid, None)
            self._values.drop(lambda place: place[0] == record.ulid)
            if (opened := self._opened.get(record.ulid)) is not None:
                opened.refresh()
        return record.ulid in changed or state != before

    def _number(self, records: Mapping[str, Record]) -> None:
        """Give each run its place in the order of creation within its project, which chooses its colour."""
        counts: dict[tuple[str, str], int] = {}
        for ulid in sorted(records):
            project = records[ulid].entity, records[ulid].project
            self._colors[ulid] = counts.get(project, 0)
            counts[project] = self._colors[ulid] + 1

    def _fresh(self) -> None:
        if time.monotonic() - self._looked_at > _FRESH_FOR_S:
            self.look()

    def projects(self) -> list[ProjectShape]:
        """List the projects, the one that was written to last first."""
        return [
            ProjectShape(entity=one.entity, name=one.name, runs=one.run_count, running=one.running, updated=one.updated)
            for one in self._catalogue.projects()
        ]

    def runs(self, entity: str, project: str) -> list[Record]:
        """Return what the catalogue knows of the runs of a project, newest first."""
        with self._lock:
            self._fresh()
            return [run for run in self._records.values() if run.entity == entity and run.project == project]

    def run(self, ulid: str) -> Run:
        """Open a run.

        Raises:
            NotFoundError: If there is none.
        """
        with self._lock:
            self._fresh()
            if ulid not in self._records:
                # It may have begun a moment ago.
                self.look()
            if ulid not in self._records:
                message = f"there is no run {ulid!r} in {self.store}."
                raise NotFoundError(message)
            found = self._opened.get(ulid)
            if found is None:
                found = self._api.run(ulid)
            self._hold(found)
            return found

    def _hold(self, run: Run) -> None:
        """Keep a run open, and let go of those that nobody looked at for the longest if all of them are too much."""
        for ulid in self._opened.put(run.ulid, run, run.held_bytes):
            self._api.forget(ulid)

    def values(self, ulid: str, stream: str, key: str) -> list[Logged]:
        """Return what a run logged of a series that is no numbers.

        Raises:
            NotFoundError: If there is no such run.
        """
        run, place = self.run(ulid), (ulid, stream, key)
        found = self._values.get(place)
        if found is None:
            found = run.values(key, stream=stream)
            self._values.put(place, found, len(found) + 1)
        return found

    def record(self, ulid: str) -> Record | None:
        """Return what the catalogue knows of a run; None if there is none."""
        with self._lock:
            self._fresh()
            return self._records.get(ulid)

    def states(self) -> dict[str, str]:
        """Return the state of each run that the last look found."""
        with self._lock:
            return {record.ulid: record.state for record in self._records.values()}

    def directory(self, ulid: str) -> RunDirectory | None:
        """Return where a run lies; None if it is gone."""
        return self._api.store.open(ulid)

    def reopen(self, ulid: str) -> None:
        """Forget what was read of a run, for it is sealed now: from here on a few pages of it will do."""
        with self._lock:
            self._opened.drop(lambda held: held == ulid)
            self._api.forget(ulid)

    def row(self, run: Record) -> RunRow:
        """Return what the table of runs shows of a run."""
        return RunRow.model_construct(**self._row(run))

    def _row(self, run: Run | Record) -> dict[str, Any]:
        names = ("ulid", "id", "name", "state", "created", "updated", "runtime_s", "last_step", "user", "host", "group")
        return {name: getattr(run, name) for name in (*names, "job_type", "tags", "notes")} | {
            "color": self._colors.get(run.ulid, 0),
            "config": flat(run.config),
            "summary": flat(without_media(run.summary)),
        }

    def detail(self, run: Run) -> RunDetail:
        """Return all that the page of a run shows."""
        more: dict[str, Any] = {
            "entity": run.entity,
            "project": run.project,
            "metadata": plain(run.metadata),
            "usage": plain(run.usage),
            "alerts": run.alerts,
            "exception": run.exception,
            "incomplete": run.incomplete,
            "graphs": len(run.graphs),
            "config_tree": plain(run.config),
            "config_history": plain(run.config_history),
            "damage": len(run.damage),
        }
        return RunDetail.model_construct(**self._row(run), **more)

    def metrics(self, entity: str, project: str) -> list[MetricShape]:
        """Return the metrics of a project: each with the series that its runs have of it."""
        found: dict[tuple[str, bool], MetricShape] = {}
        for run in self.runs(entity, project):
            for series in self._list(run.ulid):
                system = series.stream.startswith("node=")
                metric = found.get((series.key, system))
                if metric is None:
                    metric = found[series.key, system] = MetricShape(
                        key=series.key,
                        type=series.type,
                        system=system,
                        axis=series.axis,
                        hidden=series.is_hidden,
                        sources=[],
                    )
                if metric.type == series.type or "number" not in (metric.type, series.type):
                    metric.sources.append((run.ulid, series.stream))
        return list(found.values())

    def _list(self, ulid: str) -> list[_Listed]:
        """Return the series of a run; a run is opened for it once, until it moves."""
        found = self._listed.get(ulid)
        if found is None:
            run = self.run(ulid)
            named = ((one, type_of(one.type, one.last)) for one in run.series())
            found = [
                _Listed(sys.intern(one.key), one.stream, kind, one.axis, one.is_hidden) for one, kind in named if kind
            ]
            self._listed[ulid] = found
            self._hold(run)
        return found


def live(run: Record) -> LiveRun:
    """Return what the live socket says of a run that moved."""
    return LiveRun(
        ulid=run.ulid,
        entity=run.entity,
        project=run.project,
        last_step=run.last_step,
        state=run.state,
        updated=run.updated,
    )
