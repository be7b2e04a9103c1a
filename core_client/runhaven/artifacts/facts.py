"""What an artifact is: names, versions, and what can be said of it before and after it is logged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from runhaven.artifacts.checked import read_manifest
from runhaven.artifacts.collection import Place
from runhaven.artifacts.contents import Contents
from runhaven.artifacts.names import check_aliases
from runhaven.artifacts.retention import retention_of
from runhaven.artifacts.ttl import ArtifactTTL
from runhaven.errors import StoreError, UsageError
from runhaven.value import from_json, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runhaven.artifacts.collection import Collection, Version
    from runhaven.artifacts.events import State
    from runhaven.artifacts.manifest import Manifest
    from runhaven.artifacts.resolving import Home


class Facts(Contents):
    """The part of `Artifact` that says what it is. What is assigned after it was logged is kept by `save()`."""

    def __init__(self, name: str, kind: str) -> None:
        """Start with nothing said."""
        super().__init__()
        self._name, self._kind = name, kind
        self._description: str | None = None
        self._metadata: dict[str, Any] = {}
        self._ttl: timedelta | ArtifactTTL | None = ArtifactTTL.INHERIT
        self._aliases: list[str] = []
        self._tags: list[str] = []
        self._collection: Collection | None = None
        self._version: Version | None = None
        self._at: Home | None = None
        self._failure: str | None = None
        # What is kept of description, metadata, ttl, aliases and tags: what differs from it, `save()` keeps.
        self._kept: dict[str, Any] = {}

    def _load(self, collection: Collection, version: Version, state: State) -> None:
        """Become a version that is in the store."""
        self._collection, self._version, self._entries = collection, version, None
        self._name, self._kind = collection.place.name, collection.facts()["type"]
        said: dict[str, Any] = {
            "description": version.description,
            "metadata": version.metadata,
            "ttl_s": version.ttl_s,
        }
        said |= state.set_fields(version.number)
        self._description = said["description"]
        self._metadata = from_json(said["metadata"])
        self._ttl = ArtifactTTL.INHERIT if said["ttl_s"] is None else timedelta(seconds=said["ttl_s"]) or None
        self._aliases = collection.aliases_of(version.number, state)
        self._tags = sorted(tag for tag, is_on in state.tags_of(version.number).items() if is_on)
        self._kept = self._said()

    def _said(self) -> dict[str, Any]:
        """Return what can be changed, as the store holds it."""
        return {
            "description": self._description,
            "metadata": to_json(self._metadata),
            "ttl_s": self._ttl_s(),
            "aliases": list(self._aliases),
            "tags": list(self._tags),
        }

    def _ttl_s(self) -> float | None:
        """Return the time to live as the store holds it: 0 for no end, None for what the collection says."""
        if isinstance(self._ttl, ArtifactTTL):
            return None
        return 0.0 if self._ttl is None else self._ttl.total_seconds()

    def _logged(self, what: str) -> tuple[Collection, Version]:
        """Return the version; UsageError if it was not logged."""
        if self._collection is None or self._version is None:
            reason = f" ({self._failure})" if self._failure else ""
            message = f"artifact {self._name!r} was not logged yet{reason}, so that it has no {what}. Call run.log_artifact(artifact) first."
            raise UsageError(message)
        return self._collection, self._version

    # Names

    def is_draft(self) -> bool:
        """Tell whether it can be added to: it was not logged yet."""
        return self._version is None

    @property
    def _place(self) -> Place:
        if self._collection is not None:
            return self._collection.place
        home = self._home()
        return Place(home.entity, home.project, self._name)

    @property
    def id(self) -> str | None:
        """Unique in the world; None for a draft."""
        if self._collection is None or self._version is None:
            return None
        return f"{self._collection.facts()['id']}-{self._version.label}"

    @property
    def entity(self) -> str:
        """User or team."""
        return self._place.entity

    @property
    def project(self) -> str:
        """The project."""
        return self._place.project

    @property
    def name(self) -> str:
        """Name and version, as `name:v3`; the mere name of a draft."""
        return self._name if self._version is None else f"{self._name}:{self._version.label}"

    @property
    def qualified_name(self) -> str:
        """`entity/project/name:v3`."""
        return f"{self.entity}/{self.project}/{self.name}"

    @property
    def version(self) -> str:
        """`v<n>`.

        Raises:
            UsageError: If it was not logged.
        """
        return self._logged("version")[1].label

    @property
    def _source(self) -> tuple[Place, str]:
        collection, version = self._logged("version")
        if version.source is None:
            return collection.place, version.label
        entity, project, name, number = version.source
        return Place(entity, project, name), f"v{number}"

    @property
    def source_entity(self) -> str:
        """Entity of the version that it is a link to; else its own."""
        return self._source[0].entity

    @property
    def source_project(self) -> str:
        """Project of the version that it is a link to; else its own."""
        return self._source[0].project

    @property
    def source_name(self) -> str:
        """Name and version of what it is a link to; else its own."""
        place, label = self._source
        return f"{place.name}:{label}"

    @property
    def source_qualified_name(self) -> str:
        """`entity/project/name:v3` of what it is a link to; else its own."""
        place, label = self._source
        return f"{place}:{label}"

    @property
    def source_version(self) -> str:
        """Version of what it is a link to; else its own."""
        return self._source[1]

    @property
    def is_link(self) -> bool:
        """Whether it is a link to a version of another collection."""
        return self._version is not None and self._version.source is not None

    @property
    def type(self) -> str:
        """What kind of artifact it is."""
        return self._kind

    @property
    def url(self) -> str:
        """A URI that names it."""
        return f"runhaven-artifact://{self.qualified_name}"

    # What can be said of it

    @property
    def description(self) -> str | None:
        """A text about it."""
        return self._description

    @description.setter
    def description(self, description: str | None) -> None:
        self._description = description

    @property
    def metadata(self) -> dict[str, Any]:
        """Anything about it; may be changed in place."""
        return self._metadata

    @metadata.setter
    def metadata(self, metadata: Mapping[str, Any] | None) -> None:
        self._metadata = dict(metadata or {})

    @property
    def ttl(self) -> timedelta | None:
        """How long it is kept after it was logged, by its own rule or its collection's; None without an end.

        Once that is over, `runhaven gc` deletes it. Assign `ArtifactTTL.INHERIT` to leave it to the collection.
        """
        if not isinstance(self._ttl, ArtifactTTL):
            return self._ttl
        return retention_of(self._collection.events.read()).ttl if self._collection else None

    @ttl.setter
    def ttl(self, ttl: timedelta | ArtifactTTL | None) -> None:
        if isinstance(ttl, timedelta) and ttl <= timedelta():
            message = f"ttl={ttl} lies in the past; give a time above 0, or None for no end."
            raise UsageError(message)
        self._ttl = ttl

    @property
    def aliases(self) -> list[str]:
        """Names of this version; may be changed in place.

        Raises:
            UsageError: If it was not logged.
        """
        self._logged("aliases")
        return self._aliases

    @aliases.setter
    def aliases(self, aliases: Iterable[str]) -> None:
        self._logged("aliases")
        self._aliases = check_aliases(aliases)

    @property
    def tags(self) -> list[str]:
        """Labels of this version; may be changed in place.

        Raises:
            UsageError: If it was not logged.
        """
        self._logged("tags")
        return self._tags

    @tags.setter
    def tags(self, tags: Iterable[str]) -> None:
        self._logged("tags")
        self._tags = check_aliases(tags, kind="tag")

    # What it holds

    @property
    def manifest(self) -> Manifest:
        """Its entries.

        Raises:
            StoreError: If the store has lost them.
        """
        if self._entries is None:
            collection, version = self._logged("manifest")
            found = read_manifest(collection.store, version.manifest, owner=self._as_artifact)
            if found.digest != version.digest:
                message = f"the manifest of {self.qualified_name} is not the one that was logged."
                raise StoreError(message)
            self._entries = found
        return self._entries

    @property
    def state(self) -> str:
        """PENDING before it is logged, then COMMITTED; FAILED if that could not be, DELETED afterwards."""
        if self._version is None:
            return "FAILED" if self._failure else "PENDING"
        return "COMMITTED" if self._version.deleted is None else "DELETED"

    @property
    def digest(self) -> str:
        """What it holds, in 64 characters: equal content, equal digest."""
        return self._version.digest if self._version else self.manifest.digest

    @property
    def digest_algorithm(self) -> str:
        """How digests are computed."""
        return "SHA256"

    @property
    def size(self) -> int:
        """Bytes of all its files."""
        return self._version.size if self._version else self.manifest.size

    @property
    def file_count(self) -> int:
        """How many files it has, references among them."""
        return self._version.file_count if self._version else len(self.manifest.entries)

    @property
    def commit_hash(self) -> str:
        """SHA-256 of its manifest.

        Raises:
            UsageError: If it was not logged.
        """
        return self._logged("commit_hash")[1].manifest

    @property
    def created_at(self) -> str:
        """When it was logged, ISO 8601 in UTC.

        Raises:
            UsageError: If it was not logged.
        """
        return _iso(self._logged("created_at")[1].created)

    @property
    def created(self) -> int:
        """When it was logged, microseconds since the epoch.

        Raises:
            UsageError: If it was not logged.
        """
        return self._logged("created")[1].created

    @property
    def updated_at(self) -> str:
        """When something was said about its collection last, ISO 8601 in UTC.

        Raises:
            UsageError: If it was not logged.
        """
        collection, version = self._logged("updated_at")
        return _iso(max(version.created, collection.events.read().newest_us))

    @property
    def linked_at(self) -> str | None:
        """When it was linked; None for what is no link."""
        return self.created_at if self.is_link else None

    @property
    def history_step(self) -> int | None:
        """The step that the run was at when it was logged; None without a run."""
        run = self._version.run if self._version else None
        return None if run is None else run.get("step")

    def json_encode(self) -> dict[str, Any]:
        """Return a reference to it as JSON, for a configuration or a row.

        Raises:
            UsageError: If it was not logged.
        """
        collection, version = self._logged("reference")
        return {
            "_type": "artifactVersion",
            "id": cast("str", self.id),
            "version": version.label,
            "sequenceName": collection.place.name,
            "usedAs": None,
            "name": self.qualified_name,
            "digest": version.digest,
        }


def _iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat(timespec="seconds")
