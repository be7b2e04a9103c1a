"""The public read API over a store."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal, overload

from runhaven.api.artifacts import ArtifactReading
from runhaven.api.frame import check_format, to_frame
from runhaven.api.run import Run
from runhaven.catalogue.filters import matches, ordered
from runhaven.catalogue.record import Project
from runhaven.errors import NotFoundError, StoreError
from runhaven.settings import store_directory
from runhaven.store.layout import Store

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping

    from runhaven.api.artifacts import ArtifactCollection, Artifacts, ArtifactType
    from runhaven.api.frame import Format
    from runhaven.api.history import Keep
    from runhaven.artifacts import Artifact
    from runhaven.catalogue.index import Catalogue
    from runhaven.catalogue.record import Record
    from runhaven.store.layout import RunDirectory


_FEW = 500
"""Up to so many runs are read as fast as a database is opened."""
_MOST_NEIGHBOURS = 2000


class Runs(Sequence[Run]):
    """Runs that match a query, read as they are asked for."""

    def __init__(self, runs: Sequence[Run] | Sequence[str], find: Callable[[str], Run] | None = None) -> None:
        """Hold the runs.

        Args:
            runs: The runs, or their ulids.
            find: Returns the run of a ulid.
        """
        self._runs = runs
        self._find = find

    @overload
    def __getitem__(self, index: int) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | slice) -> Run | Runs:
        """Return one run, or some."""
        if isinstance(index, slice):
            return Runs(self._runs[index], self._find)
        found = self._runs[index]
        if isinstance(found, Run):
            return found
        assert self._find is not None
        return self._find(found)

    def __len__(self) -> int:
        """Count the runs."""
        return len(self._runs)

    def histories(
        self,
        samples: int = 500,
        keys: Sequence[str] | None = None,
        x_axis: str = "_step",
        format: Literal["default"] | Format = "default",  # noqa: A002 - W&B's argument
        stream: str = "default",
        *,
        keep: Keep = "latest",
    ) -> Any:
        """Return the histories of all runs one below the other, each row with the `run_id` that it belongs to.

        Args:
            samples: How many rows of each run at most.
            keys: Only rows that hold all of these; runs that never logged them are left out.
            x_axis: What orders the rows of a run.
            format: "default" or "rows" for a list of dicts, "pandas" or "polars" for a frame.
            stream: "default", "system" for the load of the machines, or the name of another stream.
            keep: "all" brings in what later sessions repeat, and what a rewind hides.

        Raises:
            ImportError: If the package that `format` names is missing.
            NotFoundError: If no run logged the keys.
            UsageError: If `format` or `keep` is not known.
        """
        form = "rows" if format == "default" else format
        check_format(form)
        rows: list[dict[str, Any]] = []
        missing: NotFoundError | None = None
        for run in self:
            fresh = type(run)(run.directory)
            try:
                own = fresh.history(samples, keys, x_axis, stream=stream, keep=keep, format="rows")
            except NotFoundError as error:
                missing = error
            else:
                rows += [{"run_id": run.id} | row | {"run_id": run.id} for row in own]
        if missing is not None and not rows:
            raise missing
        return to_frame(rows, form)

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
        self._index: Catalogue | None = None

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

    @property
    def catalogue(self) -> Catalogue | None:
        """The index over the store's runs; None for a store of few, and without SQLAlchemy."""
        if self._index is None and self._store.has_more_than(_FEW) and find_spec("sqlalchemy"):
            from runhaven.catalogue.index import Catalogue

            self._index = Catalogue(self._store)
        return self._index

    def _by_ulid(self, ulid: str) -> Run:
        directory = self._store.open(ulid)
        run = self._get(directory) if directory else None
        if run is None:
            message = f"run {ulid} was removed from {self._store.root} meanwhile. List the runs again."
            raise NotFoundError(message)
        return run

    def projects(self) -> list[Project]:
        """List the projects, the one that was written to last first."""
        if (catalogue := self.catalogue) is not None:
            return catalogue.projects()
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
        if (catalogue := self.catalogue) is not None:
            wanted = [{"entity": entity}] if entity else []
            wanted += [{"project": project}] if project else []
            return Runs(catalogue.find({"$and": [*wanted, filters or {}]}, order or None), self._by_ulid)
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
        among: Sequence[Run | Record]
        if (catalogue := self.catalogue) is not None:
            # To a filter, id and name are both names.
            named = [run for run in catalogue.page({"name": last}) if _is_in(run, places)]
            among = named or [run for run in catalogue.page(limit=_MOST_NEIGHBOURS) if _is_in(run, places)]
        else:
            among = [run for run in self._all() if _is_in(run, places)]
        found = [run for run in among if run.id == last] or [run for run in among if run.name == last]
        if len(found) == 1:
            return found[0] if isinstance(found[0], Run) else self._by_ulid(found[0].ulid)
        raise NotFoundError(_ambiguous(path, found) if found else _unknown(path, among, self._store))

    def sql(self, query: str, format: Format = "rows") -> Any:  # noqa: A002 - as in `history`
        """Return the answer to a question in SQL over `runs`, `points`, `values`, `events` and `console`; needs DuckDB.

        Args:
            query: One SELECT; nothing can be changed.
            format: "rows" for a list of dicts, "pandas" or "polars" for a frame.

        Raises:
            ImportError: If a package is missing.
            NotFoundError: If there are no runs.
            UsageError: If DuckDB does not understand the query, or `format` is not known.
        """
        from runhaven.api.sql import ask, to_rows

        check_format(format)
        with ask(self, query) as answer:
            return to_rows(answer, format)

    # Artifacts

    @property
    def _artifacts(self) -> ArtifactReading:
        return ArtifactReading(self._store.root)

    def artifact(self, name: str, type: str | None = None) -> Artifact:  # noqa: A002 - W&B's name
        """Return a version of an artifact.

        Args:
            name: `name:alias`, `project/name:alias` or `entity/project/name:v3`; `latest` without an alias.
            type: The type that it must have.

        Raises:
            NotFoundError: If there is none.
        """
        return self._artifacts.one(name, type)

    def artifacts(
        self,
        type_name: str,
        name: str,
        order: str | None = None,  # noqa: ARG002 - W&B's argument; the newest comes first
        per_page: int = 50,  # noqa: ARG002 - W&B's argument; nothing is paged here
        tags: Sequence[str] | None = None,
    ) -> Artifacts:
        """List the versions of an artifact, the newest first; with `tags`, those that have all of them.

        Raises:
            NotFoundError: If there is no such artifact.
        """
        return self._artifacts.versions(type_name, name, tags)

    def artifact_versions(self, type_name: str, name: str, per_page: int = 50) -> Artifacts:  # noqa: ARG002 - W&B's argument
        """List the versions of an artifact; W&B's old name for `artifacts`.

        Raises:
            NotFoundError: If there is no such artifact.
        """
        return self._artifacts.versions(type_name, name, None)

    def artifact_types(self, project: str | None = None) -> list[ArtifactType]:
        """List the types of a project's artifacts, sorted by name."""
        return self._artifacts.types(project)

    def artifact_type(self, type_name: str, project: str | None = None) -> ArtifactType:
        """Return a type of a project's artifacts.

        Raises:
            NotFoundError: If there is none.
        """
        return self._artifacts.type(type_name, project)

    def artifact_collections(
        self,
        project_name: str,
        type_name: str,
        order: str | None = None,  # noqa: ARG002 - W&B's argument; they are sorted by name
        per_page: int = 50,  # noqa: ARG002 - W&B's argument
    ) -> list[ArtifactCollection]:
        """List a project's artifacts of a type, sorted by name.

        Raises:
            NotFoundError: If there is no such type.
        """
        return self._artifacts.type(type_name, project_name).collections()

    def all_artifact_collections(self) -> list[ArtifactCollection]:
        """List all artifacts of the store, whatever their project and type, sorted by name."""
        return self._artifacts.everything()

    def artifact_collection(self, type_name: str, name: str) -> ArtifactCollection:
        """Return an artifact with all its versions.

        Raises:
            NotFoundError: If there is none of that name and type.
        """
        return self._artifacts.collection(type_name, name)

    def artifact_exists(self, name: str, type: str | None = None) -> bool:  # noqa: A002 - W&B's name
        """Tell whether there is a version of an artifact."""
        return self._artifacts.exists(name, type)

    def artifact_collection_exists(self, name: str, type: str) -> bool:  # noqa: A002 - W&B's name
        """Tell whether there is an artifact with any version."""
        return self._artifacts.collection_exists(name, type)

    def forget(self, ulid: str) -> None:
        """Free the memory that a run's rows take; it is read again when asked for."""
        self._known.pop(ulid, None)


def _is_in(run: Run | Record, places: Sequence[str]) -> bool:
    entity, project = ([None, None, *places])[-2:]
    return (project is None or run.project == project) and (entity is None or run.entity == entity)


def _ambiguous(path: str, found: Sequence[Run | Record]) -> str:
    paths = ", ".join("/".join(run.path) for run in found[:5])
    return f"{path!r} could mean any of {len(found)} runs: {paths}. Give the project too, or the id."


def _unknown(path: str, among: Sequence[Run | Record], store: Store) -> str:
    words = {word: run for run in among[:_MOST_NEIGHBOURS] for word in (run.id, run.name)}
    near = difflib.get_close_matches(path.rpartition("/")[2], words, n=3)
    if near:
        hint = "Did you mean " + ", ".join(f"{words[word].name} ({'/'.join(words[word].path)})" for word in near) + "?"
    else:
        hint = "List what is there with `runhaven ls`."
    return f"there is no run {path!r} in {store.root}. {hint}"
