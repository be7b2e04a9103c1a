"""The artifact: a draft that files are added to, then a version in the store."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Self

from runhaven.artifacts import committing, linking
from runhaven.artifacts.bringing import Bringing
from runhaven.artifacts.collection import Collection
from runhaven.artifacts.difference import compare
from runhaven.artifacts.manifest import Manifest
from runhaven.artifacts.names import check_aliases, check_name
from runhaven.artifacts.resolving import Home, home_of
from runhaven.errors import StoreError, UsageError
from runhaven.settings import store_directory
from runhaven.store.layout import Store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runhaven.api.artifacts import ArtifactCollection
    from runhaven.api.lineage import Check, Direction, Lineage
    from runhaven.api.run import Run
    from runhaven.artifacts.collection import Place, Version
    from runhaven.artifacts.difference import Difference


class Artifact(Bringing):
    """A named, versioned set of files.

    Example:
        artifact = runhaven.Artifact("digits", type="dataset")
        artifact.add_dir("data")
        run.log_artifact(artifact, aliases=["clean"])
    """

    def __init__(  # noqa: PLR0913, PLR0917 - W&B's signature
        self,
        name: str,
        type: str,  # noqa: A002 - W&B's name
        description: str | None = None,
        metadata: dict[str, Any] | None = None,
        incremental: bool = False,
        use_as: str | None = None,
        storage_region: str | None = None,  # noqa: ARG002 - W&B's argument
        digest_algorithm: str = "SHA256",  # noqa: ARG002 - W&B's argument
    ) -> None:
        """Begin a draft.

        Args:
            name: Its name, unique in the project.
            type: What kind it is, such as "dataset" or "model".
            description: A text about it.
            metadata: Anything about it.
            incremental: Whether it adds to the newest version, rather than stand for itself.
            use_as: Accepted for W&B's sake.
            storage_region: Accepted for W&B's sake.
            digest_algorithm: Accepted for W&B's sake; digests are SHA-256.

        Raises:
            UsageError: If name or type cannot be one.
        """
        super().__init__(check_name(name), check_name(type, kind="artifact type"))
        self.description = description
        self.metadata = metadata
        self._incremental = bool(incremental)
        self._use_as = use_as
        self.distributed_id: str | None = None

    @classmethod
    def of(cls, collection: Collection, version: Version) -> Self:
        """Return a version that is in the store."""
        found = cls(collection.place.name, collection.facts()["type"])
        found._load(collection, version, collection.events.read())
        return found

    @classmethod
    def in_store(cls, store: Path, place: Place, kind: str) -> Self:
        """Return a draft that goes to a place in a store."""
        draft = cls(place.name, kind)
        draft._at = Home(store, place.entity, place.project)
        return draft

    @property
    def _as_artifact(self) -> Artifact:
        return self

    def _home(self) -> Home:
        if self._at is None:
            # A draft knows no run; its bytes go where that of the process, if there is one, has its own.
            session = sys.modules.get("runhaven.session")
            run = session.current() if session else None
            directory = run.identity.directory if run else None
            if run is not None and directory is not None:
                self._at = Home(directory.parents[2], run.entity, run.project)
            else:
                self._at = home_of(store_directory())
        return self._at

    @property
    def incremental(self) -> bool:
        """Whether it adds to the newest version."""
        return self._incremental

    @property
    def use_as(self) -> str | None:
        """What it was used as."""
        return self._use_as

    def new_draft(self) -> Artifact:
        """Return a draft with what this version holds, to be changed and logged as the next one.

        Raises:
            UsageError: If it was not logged.
        """
        collection, _ = self._logged("version to start from")
        draft = Artifact(self._name, self._kind, self._description, dict(self._metadata))
        draft._ttl = self._ttl
        draft._at = Home(collection.store, self.entity, self.project)
        draft._kept_in = collection.store
        draft._entries = committing.merged(Manifest(), self.manifest)
        for entry in draft._entries.entries.values():
            entry.owner = draft
        return draft

    # Into the store

    def commit(
        self,
        home: Home | None = None,
        *,
        aliases: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        run: dict[str, Any] | None = None,
    ) -> None:
        """Make the draft a version, or add aliases and tags to what is one already; `run.log_artifact` calls it.

        Args:
            home: Store, entity and project; by default the current run's, else what `init()` would choose.
            aliases: More names of the version.
            tags: Labels of the version.
            run: The run that logs it: ulid, entity, project, id, name, step.

        Raises:
            UsageError: If an alias or a tag cannot be one, or the name belongs to another type.
            StoreError: If its bytes could not be kept.
            OSError: If the store cannot be written.
        """
        words, labels = check_aliases(aliases or ()), check_aliases(tags or (), kind="tag")
        if self._version is None:
            collection, version, is_new = self._commit_draft(home or self._home(), run)
        else:
            (collection, version), is_new = self._logged("version"), True
        state = collection.events.read()
        events = committing.alias_events(collection, version, aliases=words, tags=labels, state=state)
        if not is_new:
            fields = {"description": self._description, "metadata": self._said()["metadata"]}
            fields = {name: value for name, value in fields.items() if value and value != getattr(version, name)}
            events += [{"event": "set", "version": version.number, "fields": fields}] if fields else []
        committing.append(collection, events, state)
        self._load(collection, version, state)

    def _commit_draft(self, home: Home, run: dict[str, Any] | None) -> tuple[Collection, Version, bool]:
        self.check_trouble()
        collection = Collection(home.store, home.place(self._name))
        manifest = self.manifest
        if self._kept_in is not None:
            committing.bring(manifest, self._kept_in, home.store)
        if self._incremental:
            manifest = committing.merged(committing.base_of(collection), manifest)
        version, is_new = committing.commit(collection, self._kind, manifest, self._said(), run)
        return collection, version, is_new

    def commit_part(self, home: Home, distributed_id: str) -> None:
        """Keep the draft as one process's part of a version; `run.upsert_artifact` calls it."""
        self.check_trouble()
        if self._kept_in is not None:
            committing.bring(self.manifest, self._kept_in, home.store)
        collection = Collection(home.store, home.place(self._name))
        committing.put_part(collection, self._kind, distributed_id, self.manifest)

    def gather(self, home: Home, distributed_id: str) -> list[Path]:
        """Take in the parts that all processes made, and return the files to remove once it is logged."""
        self.check_trouble()
        if self._kept_in is not None:
            committing.bring(self.manifest, self._kept_in, home.store)
        whole, paths = committing.take_parts(Collection(home.store, home.place(self._name)), distributed_id)
        self._entries, self._kept_in = committing.merged(whole, self.manifest), home.store
        return paths

    def fail(self, reason: str) -> None:
        """Note that it could not be logged."""
        self._failure = reason

    def save(self, project: str | None = None, settings: object = None) -> None:  # noqa: ARG002 - W&B's argument
        """Keep what was assigned since it was logged; a draft is logged, without a run.

        Raises:
            UsageError: If an alias or a tag cannot be one.
            StoreError: If its bytes could not be kept.
            OSError: If the store cannot be written.
        """
        if self._version is None:
            home = self._home()
            self.commit(home._replace(project=project) if project else home)
            return
        collection, version = self._logged("version")
        self._aliases = check_aliases(self._aliases)
        self._tags = check_aliases(self._tags, kind="tag")
        state, said, events = collection.events.read(), self._said(), list[dict[str, Any]]()
        fields = {name: said[name] for name in ("description", "metadata", "ttl_s") if said[name] != self._kept[name]}
        if fields:
            events.append({"event": "set", "version": version.number, "fields": fields})
        aliases = _changes(self._kept["aliases"], said["aliases"], on=version.number, off=None)
        aliases = {word: number for word, number in aliases.items() if number is not None or word != "latest"}
        if aliases:
            events.append({"event": "aliases", "aliases": aliases})
        if tags := _changes(self._kept["tags"], said["tags"], on=True, off=False):
            events.append({"event": "tags", "version": version.number, "tags": tags})
        committing.append(collection, events, state)
        self._kept = said

    def finalize(self) -> None:
        """Do nothing: a draft is final when it is logged."""

    def wait(self, timeout: int | None = None) -> Artifact:  # noqa: ARG002 - W&B's argument; nothing is under way
        """Return the artifact: what was logged is in the store when `log_artifact` returns.

        Raises:
            StoreError: If it could not be logged.
        """
        if self._failure:
            message = f"artifact {self._name!r} could not be logged: {self._failure}"
            raise StoreError(message)
        return self

    def delete(self, delete_aliases: bool = False) -> None:
        """Delete the version; its number stays taken, and what other versions do not share becomes waste.

        Args:
            delete_aliases: Delete it even if aliases other than `latest` name it.

        Raises:
            UsageError: If such aliases name it, or it was not logged.
            OSError: If the store cannot be written.
        """
        collection, version = self._logged("version")
        state = collection.events.read()
        words = [word for word in collection.aliases_of(version.number, state) if word != "latest"]
        if words and not delete_aliases:
            message = f"{self.qualified_name} is called {', '.join(words)}; pass delete_aliases=True to delete it all the same."
            raise UsageError(message)
        if words:
            committing.append(collection, [{"event": "aliases", "aliases": dict.fromkeys(words)}], state)
        collection.delete(version.number)
        self._version = collection.version(version.number)

    # Relations

    def diff(self, other: Artifact) -> Difference:
        """Return how it differs from another artifact: which files were added, removed or changed since that one.

        Raises:
            StoreError: If the store has lost what one of them holds.
        """
        return compare(other.manifest, self.manifest, (other.metadata, self.metadata))

    def link(self, target_path: str, aliases: Iterable[str] | None = None) -> Artifact:
        """Link the version into a collection of links; see `run.link_artifact`.

        Args:
            target_path: `collection`, `project/collection` or `entity/project/collection`. A last part `staging`,
                `production` or `archived` is a stage too, and becomes an alias of the version itself.
            aliases: More names of the link.

        Returns:
            The link.

        Raises:
            UsageError: If it was not logged, or the target holds versions of its own.
            OSError: If the store cannot be written.
        """
        collection, version = self._logged("version to link")
        linked = linking.link(collection, version, target_path, check_aliases(aliases or ()))
        self._load(collection, version, collection.events.read())
        return Artifact.of(*linked)

    def unlink(self) -> None:
        """Remove this link; the version that it leads to stays.

        Raises:
            UsageError: If it is no link.
            OSError: If the store cannot be written.
        """
        if not self.is_link:
            message = f"{self.qualified_name} is no link; use delete() to delete a version."
            raise UsageError(message)
        self.delete(delete_aliases=True)

    @property
    def linked_artifacts(self) -> list[Artifact]:
        """The links to it."""
        return [Artifact.of(*found) for found in linking.links(*self._logged("links"))]

    @property
    def source_artifact(self) -> Artifact:
        """What it is a link to; else itself."""
        if not self.is_link:
            return self
        return Artifact.of(*linking.source(*self._logged("source")))

    @property
    def collection(self) -> ArtifactCollection:
        """The collection that it is a version of."""
        from runhaven.api.artifacts import ArtifactCollection

        return ArtifactCollection(self._logged("collection")[0])

    @property
    def source_collection(self) -> ArtifactCollection:
        """The collection of what it is a link to; else its own."""
        return self.source_artifact.collection

    def used_as(self, use_as: str | None) -> None:
        """Note what it is used as."""
        self._use_as = use_as or self._use_as

    def note_use(self, run: dict[str, Any]) -> None:
        """Note that a run uses it, so that `used_by` knows; `run.use_artifact` calls it.

        Raises:
            OSError: If the store cannot be written.
        """
        collection, version = self._logged("runs")
        collection.uses.add(version.number, run)

    def lineage(self, direction: Direction = "both", depth: int | None = None, *, check: Check = "local") -> Lineage:
        """Return the runs and versions that it was made from, and those that were made from it.

        Deleted ones are among them, and versions say which of their references do not hold any more.

        Args:
            direction: "upstream" (what it was made from), "downstream" (what was made from it), "both", or "connected"
                (whatever any way leads to, such as what else was made from the same data).
            depth: How many steps to go, from a version to a run or on; by default all the way.
            check: Which references are compared with what they lead to: "local" files, "all" (which asks the hosts of
                remote ones) or "none".

        Raises:
            UsageError: If it was not logged, or an argument is not known.
        """
        from runhaven.api.lineage import of_version

        return of_version(*self._logged("lineage"), direction, depth, check)

    def used_by(self) -> list[Run]:
        """Return the runs that used it, oldest first; those that were removed are left out."""
        collection, version = self._logged("runs")
        return self._runs(collection.uses.ulids(version.number))

    def logged_by(self) -> Run | None:
        """Return the run that logged it first; None without one, or if it was removed."""
        run = self._logged("run")[1].run
        return next(iter(self._runs([str(run["ulid"])] if run else [])), None)

    def _runs(self, ulids: Iterable[str]) -> list[Run]:
        from runhaven.api.run import Run

        store = Store(self._logged("runs")[0].store)
        return [Run(found) for ulid in ulids if (found := store.open(ulid)) is not None]

    def __repr__(self) -> str:
        """Show name, type and state."""
        return f"<Artifact {self.qualified_name if self._version else self._name} {self._kind} ({self.state})>"


def _changes(before: Iterable[str], after: Iterable[str], *, on: object, off: object) -> dict[str, Any]:
    """Return what is to be said of the words that were added and taken away."""
    old, new = set(before), set(after)
    return dict.fromkeys(sorted(new - old), on) | dict.fromkeys(sorted(old - new), off)
