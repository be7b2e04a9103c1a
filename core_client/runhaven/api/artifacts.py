"""Artifacts as the store holds them, for reading and for what can be said of them afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, overload

from runhaven.artifacts import committing
from runhaven.artifacts.artifact import Artifact
from runhaven.artifacts.collection import Collection, Place, collections
from runhaven.artifacts.names import check_aliases, check_name
from runhaven.artifacts.resolving import find_collection, home_of
from runhaven.artifacts.retention import retention_of
from runhaven.errors import NotFoundError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from runhaven.artifacts.collection import Version
    from runhaven.artifacts.resolving import Home


class Artifacts(Sequence[Artifact]):
    """Versions of a collection, the newest first, or those of a run."""

    def __init__(self, found: Iterable[Artifact]) -> None:
        """Hold the artifacts."""
        self._found = list(found)

    @overload
    def __getitem__(self, index: int) -> Artifact: ...
    @overload
    def __getitem__(self, index: slice) -> Artifacts: ...
    def __getitem__(self, index: int | slice) -> Artifact | Artifacts:
        """Return one artifact, or some."""
        return Artifacts(self._found[index]) if isinstance(index, slice) else self._found[index]

    def __len__(self) -> int:
        """Count the artifacts."""
        return len(self._found)

    def __repr__(self) -> str:
        """Show how many there are."""
        return f"<Artifacts {len(self)}>"


class ArtifactCollection:
    """All versions of one artifact, or a collection of links. What is assigned is kept by `save()`.

    Attributes:
        retention: Which versions it keeps.
    """

    def __init__(self, collection: Collection) -> None:
        """Hold a collection that is in the store."""
        self._collection = collection
        self._facts = collection.facts()
        self._name = collection.place.name
        state = collection.events.read()
        self._description: str | None = state.set_fields(None).get("description")
        self._tags = sorted(tag for tag, is_on in state.tags_of(None).items() if is_on)
        self.retention = retention_of(state)
        self._kept = self._description, list(self._tags), self.retention

    @property
    def id(self) -> str:
        """Unique in the world."""
        return self._facts["id"]

    @property
    def entity(self) -> str:
        """User or team."""
        return self._collection.place.entity

    @property
    def project(self) -> str:
        """The project."""
        return self._collection.place.project

    @property
    def name(self) -> str:
        """Its name. The names that it had before lead to it too."""
        return self._name

    @name.setter
    def name(self, name: str) -> None:
        self._name = check_name(name)

    @property
    def type(self) -> str:
        """The type of its artifacts."""
        return self._facts["type"]

    @property
    def created_at(self) -> str:
        """When it was made, ISO 8601 in UTC."""
        return datetime.fromtimestamp(self._facts["created"] / 1e6, UTC).isoformat(timespec="seconds")

    @property
    def updated_at(self) -> str | None:
        """When a version was logged or something said about it last, ISO 8601 in UTC."""
        versions = [version.deleted or version.created for version in self._collection.versions()]
        newest = max([self._collection.events.read().newest_us, *versions], default=0)
        return datetime.fromtimestamp(newest / 1e6, UTC).isoformat(timespec="seconds") if newest else None

    @property
    def aliases(self) -> list[str]:
        """All names of its versions, besides `v<n>`."""
        state = self._collection.events.read()
        standing = [version.number for version in self._collection.versions() if version.deleted is None]
        return [word for number in reversed(standing) for word in self._collection.aliases_of(number, state)]

    @property
    def description(self) -> str | None:
        """A text about it."""
        return self._description

    @description.setter
    def description(self, description: str | None) -> None:
        self._description = description

    @property
    def tags(self) -> list[str]:
        """Its labels; may be changed in place."""
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._tags = check_aliases(tags, kind="tag")

    def is_sequence(self) -> bool:
        """Tell whether runs log into it; a collection of links is none."""
        return bool(self._facts["is_sequence"])

    def artifacts(self, per_page: int = 50, start: str | None = None) -> Artifacts:  # noqa: ARG002 - W&B's arguments
        """Return its versions, the newest first."""
        return Artifacts(Artifact.of(self._collection, version) for version in _standing(self._collection))

    versions = artifacts

    def save(self) -> None:
        """Keep what was assigned to name, description, tags and retention.

        Raises:
            UsageError: If a tag cannot be one, or the name belongs to another artifact.
            OSError: If the store cannot be written.
        """
        tags, (description, before, rules) = check_aliases(self._tags, kind="tag"), self._kept
        if self._name != self._collection.place.name:
            self._collection.rename(self._name)
        events: list[dict[str, Any]] = []
        if self._description != description:
            events.append({"event": "set", "version": None, "fields": {"description": self._description}})
        if self.retention != rules:
            events.append({"event": "set", "version": None, "fields": {"retention": self.retention.to_json()}})
        changed = dict.fromkeys(set(tags) - set(before), True) | dict.fromkeys(set(before) - set(tags), False)
        if changed:
            events.append({"event": "tags", "version": None, "tags": changed})
        committing.append(self._collection, events, self._collection.events.read())
        self._kept = self._description, list(tags), self.retention

    def delete(self) -> None:
        """Delete all versions, whatever their aliases. Their numbers stay taken, should the name be used again.

        Raises:
            OSError: If the store cannot be written.
        """
        for artifact in self.artifacts():
            artifact.delete(delete_aliases=True)

    def __repr__(self) -> str:
        """Show name and type."""
        return f"<ArtifactCollection {self._collection.place} {self.type}>"


class ArtifactType:
    """All collections of one type in a project."""

    def __init__(self, home: Home, name: str) -> None:
        """Name a type."""
        self._home = home
        self.name = name

    def collections(
        self,
        filters: Mapping[str, Any] | None = None,  # noqa: ARG002 - W&B's argument
        order: str | None = None,  # noqa: ARG002 - W&B's argument
        per_page: int = 50,  # noqa: ARG002 - W&B's argument
        start: str | None = None,  # noqa: ARG002 - W&B's argument
    ) -> list[ArtifactCollection]:
        """Return its collections, sorted by name."""
        return [one for one in in_project(self._home) if one.type == self.name]

    def collection(self, name: str) -> ArtifactCollection:
        """Return one collection.

        Raises:
            NotFoundError: If there is none of that name and type.
        """
        found = ArtifactCollection(Collection(self._home.store, self._home.place(name)))
        if found.type != self.name:
            message = f"{found!r} is of the type {found.type!r}, not {self.name!r}."
            raise NotFoundError(message)
        return found

    def __repr__(self) -> str:
        """Show the name."""
        return f"<ArtifactType {self.name}>"


def in_project(home: Home) -> list[ArtifactCollection]:
    """Return a project's collections that have versions, sorted by name; an entity of "" stands for any."""
    wanted = (home.entity, home.project)
    return sorted(
        (
            ArtifactCollection(one)
            for one in collections(home.store)
            if wanted in {one.place[:2], ("", one.place.project), ("", "")} and _standing(one)
        ),
        key=lambda one: (one.name, one.entity, one.project),
    )


def _standing(collection: Collection) -> list[Version]:
    return [version for version in reversed(collection.versions()) if version.deleted is None]


class ArtifactReading:
    """The part of `Api` that is about artifacts. A name without project or entity is looked for in the user's own."""

    def __init__(self, store: Path) -> None:
        """Name a store."""
        self._home = home_of(store)

    def _in(self, project: str | None) -> Home:
        entity, _, name = (project or self._home.project).rpartition("/")
        home = self._home._replace(project=name)
        return home._replace(entity=entity) if entity else home

    def one(self, name: str, kind: str | None) -> Artifact:
        """Return a version; see `Api.artifact`."""
        collection, word = find_collection(name, self._home)
        found = Artifact.of(collection, collection.find(word))
        if kind is not None and found.type != kind:
            message = f"{found.qualified_name} has the type {found.type!r}, not {kind!r}."
            raise NotFoundError(message)
        return found

    def versions(self, kind: str, name: str, tags: Sequence[str] | None) -> Artifacts:
        """Return the versions of a collection; see `Api.artifacts`."""
        found = self.collection(kind, name).artifacts()
        return Artifacts(one for one in found if not tags or set(tags) <= set(one.tags))

    def collection(self, kind: str, name: str) -> ArtifactCollection:
        """Return a collection; see `Api.artifact_collection`."""
        found = ArtifactCollection(find_collection(name, self._home)[0])
        if found.type != kind:
            message = f"there is no artifact {name!r} of the type {kind!r}; its type is {found.type!r}."
            raise NotFoundError(message)
        return found

    def everything(self) -> list[ArtifactCollection]:
        """Return all collections; see `Api.all_artifact_collections`."""
        return in_project(self._home._replace(entity="", project=""))

    def types(self, project: str | None) -> list[ArtifactType]:
        """Return the types of a project; see `Api.artifact_types`."""
        home = self._in(project)
        return [ArtifactType(home, name) for name in sorted({one.type for one in in_project(home)})]

    def type(self, name: str, project: str | None) -> ArtifactType:
        """Return a type; see `Api.artifact_type`."""
        found = {one.name: one for one in self.types(project)}
        if name not in found:
            message = f"project {self._in(project).project!r} has no artifacts of the type {name!r}; it has {', '.join(found) or 'none'}."
            raise NotFoundError(message)
        return found[name]

    def exists(self, name: str, kind: str | None) -> bool:
        """Tell whether there is a version; see `Api.artifact_exists`."""
        try:
            self.one(name, kind)
        except (NotFoundError, StoreError):
            return False
        return True

    def collection_exists(self, name: str, kind: str) -> bool:
        """Tell whether there is a collection; see `Api.artifact_collection_exists`."""
        try:
            return bool(self.collection(kind, name).artifacts())
        except (NotFoundError, UsageError):
            return False


def of_run(store: Path, notes: Sequence[Mapping[str, Any]], direction: str) -> Artifacts:
    """Return the artifacts that a run logged ("output") or used ("input"), each version once; those deleted are left out."""
    found: dict[tuple[Any, ...], Artifact] = {}
    for note in notes:
        place = Place(str(note.get("entity")), str(note.get("project")), str(note.get("name")))
        key = (*place, note.get("version"))
        if note.get("direction") != direction or key in found:
            continue
        collection = Collection(store, place)
        try:
            found[key] = Artifact.of(collection, collection.find(f"v{note['version']}"))
        except (NotFoundError, StoreError):
            continue
    return Artifacts(found.values())
