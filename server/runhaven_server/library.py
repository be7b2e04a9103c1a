"""The runs of a store as the server holds them: read once, kept up to date, told apart by what changed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven import Api, NotFoundError
from runhaven_server.shapes import LiveRun, MetricShape, ProjectShape, RunDetail, RunRow
from runhaven_server.values import flat, plain

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.api import Run

_FRESH_FOR_S = 0.5
_OVER = frozenset({"finished", "failed", "killed", "preempted", "crashed"})


class Changes(NamedTuple):
    """What a look at the store found new.

    Attributes:
        runs: Runs that moved.
        projects: Whether runs appeared or vanished.
    """

    runs: list[LiveRun]
    projects: bool


class Library:
    """Thread-safe; every request sees a store that was looked at less than half a second ago."""

    def __init__(self, store: Path) -> None:
        """Open a store; reads nothing yet."""
        self._api = Api(store)
        self._lock = threading.RLock()
        self._runs: dict[str, Run] = {}
        self._seen: dict[str, tuple[str, float]] = {}
        self._colors: dict[str, int] = {}
        self._looked_at = float("-inf")

    @property
    def store(self) -> Path:
        """The directory of the store."""
        return self._api.store.root

    def look(self) -> Changes:
        """Take in what changed since the last look."""
        with self._lock:
            runs = {run.ulid: run for run in self._api.runs()}
            has_new = runs.keys() != self._runs.keys()
            if has_new:
                self._number(runs)
            self._runs = runs
            moved = [live(run) for run in runs.values() if self._has_moved(run)]
            self._looked_at = time.monotonic()
            return Changes(moved, has_new)

    def _has_moved(self, run: Run) -> bool:
        """Poll a run that may still grow; one that is over grows only by a new journal, such as a resumed session's."""
        state, stamp = self._seen.get(run.ulid, ("", 0.0))
        try:
            newest = run.directory.journal.stat().st_mtime
        except OSError:
            newest = 0.0
        if state in _OVER and newest == stamp:
            return False
        has_grown = run.refresh()
        found = run.state, newest
        self._seen[run.ulid] = found
        return has_grown or found[0] != state

    def _number(self, runs: dict[str, Run]) -> None:
        """Give each run its place in the order of creation within its project, which chooses its colour."""
        counts: dict[tuple[str, str], int] = {}
        for ulid in sorted(runs):
            project = runs[ulid].entity, runs[ulid].project
            self._colors[ulid] = counts.get(project, 0)
            counts[project] = self._colors[ulid] + 1

    def _fresh(self) -> None:
        if time.monotonic() - self._looked_at > _FRESH_FOR_S:
            self.look()

    def projects(self) -> list[ProjectShape]:
        """List the projects, the one that was written to last first."""
        with self._lock:
            self._fresh()
            found = self._api.projects()
        return [
            ProjectShape(entity=one.entity, name=one.name, runs=one.run_count, running=one.running, updated=one.updated)
            for one in found
        ]

    def runs(self, entity: str, project: str) -> list[Run]:
        """Return the runs of a project, newest first."""
        with self._lock:
            self._fresh()
            return [run for run in self._runs.values() if run.entity == entity and run.project == project]

    def run(self, ulid: str) -> Run:
        """Return one run.

        Raises:
            NotFoundError: If there is none.
        """
        with self._lock:
            self._fresh()
            try:
                return self._runs[ulid]
            except KeyError:
                message = f"there is no run {ulid!r} in {self.store}."
                raise NotFoundError(message) from None

    def known(self) -> list[Run]:
        """Return all runs that the last look found."""
        with self._lock:
            return list(self._runs.values())

    def reopen(self, run: Run) -> None:
        """Forget what was read of a run, for it is sealed now: from here on a few pages of it will do."""
        with self._lock:
            self._api.forget(run)
            self._looked_at = float("-inf")

    def row(self, run: Run) -> RunRow:
        """Return what the table of runs shows of a run."""
        return RunRow.model_construct(**self._row(run))

    def _row(self, run: Run) -> dict[str, Any]:
        names = ("ulid", "id", "name", "state", "created", "updated", "runtime_s", "last_step", "user", "host", "group")
        return {name: getattr(run, name) for name in (*names, "job_type", "tags", "notes")} | {
            "color": self._colors.get(run.ulid, 0),
            "config": flat(run.config),
            "summary": flat(run.summary),
        }

    def detail(self, run: Run) -> RunDetail:
        """Return all that the page of a run shows."""
        more: dict[str, Any] = {
            "entity": run.entity,
            "project": run.project,
            "metadata": plain(run.metadata),
            "alerts": run.alerts,
            "exception": run.exception,
            "incomplete": run.incomplete,
            "config_tree": plain(run.config),
            "config_history": plain(run.config_history),
            "damage": len(run.damage),
        }
        return RunDetail.model_construct(**self._row(run), **more)

    def metrics(self, entity: str, project: str) -> list[MetricShape]:
        """Return the metrics of a project: each with the series that its runs have of it."""
        found: dict[tuple[str, bool], MetricShape] = {}
        for run in self.runs(entity, project):
            for series in run.series():
                if series.type not in "fib":
                    continue
                system = series.stream.startswith("node=")
                metric = found.setdefault(
                    (series.key, system),
                    MetricShape(key=series.key, system=system, axis=series.axis, hidden=series.is_hidden, sources=[]),
                )
                metric.sources.append((run.ulid, series.stream))
        return list(found.values())


def live(run: Run) -> LiveRun:
    """Return what the live socket says of a run that moved."""
    return LiveRun(
        ulid=run.ulid,
        entity=run.entity,
        project=run.project,
        last_step=run.last_step,
        state=run.state,
        updated=run.updated,
    )
