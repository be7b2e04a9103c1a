"""The public read API over a store."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from runhaven.catalogue.filters import matches, ordered
from runhaven.api.run import Run
from runhaven.errors import NotFoundError, StoreError
from runhaven.settings import store_directory
from runhaven.store.layout import Store

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping

    from runhaven.store.layout import RunDirectory


@dataclass(frozen=True, slots=True)
class Project:
    """A project of a store.

    Attributes:
        entity: User or team.
        name: Its name.
        run_count: How many runs it has.
        running: How many of them are running.
        updated: When the newest of them wrote last, microseconds since the epoch.
    """

    entity: str
    name: str
    run_count: int
    running: int
    updated: int


class Runs(Sequence[Run]):
    """Runs that match a query, read as they are asked for."""

    def __init__(self, runs: Iterable[Run]) -> None:
        """Hold the runs."""
        self._runs = list(runs)

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        """Return one run, or some."""
        return Runs(self._runs[index]) if isinstance(index, slice) else self._runs[index]

    def __len__(self) -> int:
        """Count the runs."""
        return len(self._runs)

    def __repr__(self) -> str:
        """Show how many there are."""
        return f"<Runs {len(self)}>"


class Api:
    """Reads a store; needs no server and no network.

    Example:
        best = runhaven.Api().runs("digits", order="-summary.val/accuracy")[0]
    """

    def __init__(self, dir: str | os.PathLike[str] | None = None) -> None:  # noqa: A002 - as in `init()`
        """Open a store for reading.

        Args:
            dir: The store; by default the one that `init()` writes to.

        Raises:
            StoreError: If it is of a newer format.
        """
        self._store = Store(store_directory(dir))
        self._store.check()
        self._known: dict[str, Run] = {}

    @property
    def store(self) -> Store:
        """The store."""
        return self._store

    def _all(self) -> Iterator[Run]:
        """Go through all readable runs, newest first; a run stays the same object."""
        for directory in self._store.run_directories():
            run = self._get(directory)
            if run is not None:
                yield run

    def _get(self, directory: RunDirectory) -> Run | None:
        run = self._known.get(directory.ulid)
        if run is None:
            try:
                directory.manifest()
            except StoreError:
                return None
            run = self._known[directory.ulid] = Run(directory)
        return run

    def projects(self) -> list[Project]:
        """List the projects, the one that was written to last first."""
        found: dict[tuple[str, str], list[Run]] = {}
        for run in self._all():
            found.setdefault((run.entity, run.project), []).append(run)
        projects = [
            Project(
                entity, name, len(runs), sum(run.state == "running" for run in runs), max(run.updated for run in runs)
            )
            for (entity, name), runs in found.items()
        ]
        return sorted(projects, key=lambda project: -project.updated)

    def runs(
        self,
        path: str | None = None,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 50,  # noqa: ARG002 - W&B's argument; nothing is paged here
    ) -> Runs:
        """List runs.

        Args:
            path: "entity/project" or "project"; all by default.
            filters: A filter in the style of MongoDB over state, tags, name, `config.<key>`, `summary.<key>` and more.
            order: A field to order by, "-" before it for the greatest first; by default the newest run comes first.
            per_page: Accepted for W&B's sake.

        Raises:
            UsageError: If a filter or an order names what no run can have.
        """
        entity, _, project = (path or "").rpartition("/")
        found = [
            run
            for run in self._all()
            if (not project or run.project == project)
            and (not entity or run.entity == entity)
            and (filters is None or matches(run, filters))
        ]
        return Runs(ordered(found, order) if order else found)

    def run(self, path: str) -> Run:
        """Return one run.

        Args:
            path: "entity/project/id", "project/id", an id, a name, or a ulid.

        Raises:
            NotFoundError: If there is none, or several that the path could mean.
        """
        directory = self._store.open(path.rpartition("/")[2])
        if directory is not None and (run := self._get(directory)) is not None:
            return run
        *places, last = path.strip("/").split("/")
        among = [run for run in self._all() if _is_in(run, places)]
        found = [run for run in among if run.id == last] or [run for run in among if run.name == last]
        if len(found) == 1:
            return found[0]
        raise NotFoundError(_ambiguous(path, found) if found else _unknown(path, among, self._store))

    def forget(self, run: Run) -> None:
        """Free the memory that a run's rows take; it is read again when asked for."""
        self._known.pop(run.ulid, None)


def _is_in(run: Run, places: Sequence[str]) -> bool:
    entity, project = ([None, None, *places])[-2:]
    return (project is None or run.project == project) and (entity is None or run.entity == entity)


def _ambiguous(path: str, found: Sequence[Run]) -> str:
    paths = ", ".join("/".join(run.path) for run in found[:5])
    return f"{path!r} could mean any of {len(found)} runs: {paths}. Give the project too, or the id."


def _unknown(path: str, among: Sequence[Run], store: Store) -> str:
    words = {word: run for run in among[:2000] for word in (run.id, run.name)}
    near = difflib.get_close_matches(path.rpartition("/")[2], words, n=3)
    if near:
        hint = "Did you mean " + ", ".join(f"{words[word].name} ({'/'.join(words[word].path)})" for word in near) + "?"
    else:
        hint = "List what is there with `runhaven ls`."
    return f"there is no run {path!r} in {store.root}. {hint}"
