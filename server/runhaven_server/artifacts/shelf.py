"""The artifacts of a store, as the dashboard shows them."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from runhaven.artifacts.artifact import Artifact
from runhaven.artifacts.collection import Collection, Place, collections
from runhaven.artifacts.linking import links
from runhaven.errors import NotFoundError
from runhaven.media.filing import stem_of
from runhaven.store.blobs import Blobs
from runhaven_server.artifacts.drawing import Drawing
from runhaven_server.artifacts.finding import Finder
from runhaven_server.artifacts.shapes import (
    AliasShape,
    CollectionDetail,
    CollectionRow,
    LineageShape,
    PlaceShape,
    RunArtifact,
    RunArtifacts,
    RunLink,
    VersionDetail,
    VersionRow,
)
from runhaven_server.values import legible, plain

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runhaven.api.lineage import Check, Direction
    from runhaven.artifacts.collection import Version
    from runhaven.artifacts.manifest import Entry
    from runhaven_server.artifacts.finding import Found
    from runhaven_server.library import Library


class Shelf:
    """Reads artifacts; thread-safe."""

    def __init__(self, library: Library) -> None:
        """Read from the store of a library, which knows the runs."""
        self._library = library
        self._finder = Finder()

    def listing(self, entity: str, project: str) -> list[CollectionRow]:
        """List the artifacts of a project that have versions, sorted by type and name."""
        found = [
            self._finder.read(one) for one in collections(self._library.store) if one.place[:2] == (entity, project)
        ]
        rows = [CollectionRow(**_row(one)) for one in found if one.standing]
        return sorted(rows, key=lambda row: (row.type, row.name))

    def collection(self, place: Place) -> CollectionDetail:
        """Return an artifact with all its versions.

        Raises:
            NotFoundError: If there is none.
        """
        found = self._finder.read(self._named(place))
        aliases = found.aliases()
        versions = [
            VersionRow(**self._version_row(found, version, aliases.get(version.number, [])))
            for version in found.versions
        ]
        return CollectionDetail(**_row(found), all_versions=versions)

    def version(self, place: Place, word: str) -> VersionDetail:
        """Return all that the page of a version shows.

        Raises:
            NotFoundError: If there is none.
            StoreError: If its manifest is lost.
        """
        found = self._finder.read(self._named(place))
        version = found.collection.find(word, found.state)
        artifact = Artifact.of(found.collection, version)
        source = version.source
        more: dict[str, Any] = {
            **found.collection.place._asdict(),
            "type": artifact.type,
            "description": legible(artifact.description or ""),
            "metadata": plain(artifact.metadata),
            "ttl_s": artifact.ttl.total_seconds() if artifact.ttl else None,
            "history_step": artifact.history_step,
            "references": sum(entry.ref is not None for entry in self.entries(artifact)),
            "source": PlaceShape(**Place(*source[:3])._asdict(), version=f"v{source[3]}") if source else None,
            "links": [
                PlaceShape(**to.collection.place._asdict(), version=to.version.label)
                for to in links(found.collection, version)
            ],
            "used_by": [self._run({"ulid": ulid}) for ulid in found.collection.uses.ulids(version.number)],
        }
        return VersionDetail(**self._version_row(found, version, artifact.aliases), **more)

    def artifact(self, place: Place, word: str) -> Artifact:
        """Return a version.

        Raises:
            NotFoundError: If there is none.
        """
        collection = self._named(place)
        return Artifact.of(collection, collection.find(word))

    def entries(self, artifact: Artifact) -> tuple[Entry, ...]:
        """Return the entries of a version in the order of their paths, in which each has its number.

        Raises:
            StoreError: If the manifest is lost.
        """
        entity, project, (name, _, label) = artifact.entity, artifact.project, artifact.name.partition(":")
        return _entries(self._library.store, Place(entity, project, name), int(label[1:]), artifact.commit_hash)

    def holding(self, artifact: Artifact, sha256: str) -> Entry:
        """Return the file of a version that has these bytes.

        Args:
            artifact: The version.
            sha256: The file's digest; of media in chunks also the SHA-256 of all their bytes, which references give.

        Raises:
            NotFoundError: If the version has none.
            StoreError: If the manifest is lost.
        """
        entries = self.entries(artifact)
        entry = _by_digest(entries).get(sha256) or _chunked_media(entries).get(stem_of(sha256))
        if entry is None:
            message = f"{artifact.qualified_name} has no file with the SHA-256 {sha256[:64]!r}."
            raise NotFoundError(message)
        return entry

    def read(self, sha256: str, within: PlaceShape | None) -> bytes:
        """Return the bytes with a hash, of the store or of a version.

        Raises:
            NotFoundError: If they are not there.
            StoreError: If the manifest, or a part of the bytes, is lost.
        """
        if within is None:
            return Blobs(self._library.store).find({"sha256": sha256}).read_bytes()
        artifact = self.artifact(Place(within.entity, within.project, within.name), within.version)
        with artifact.open_entry(self.holding(artifact, sha256)) as file:
            return file.read()

    def lineage(self, place: Place, word: str, direction: Direction, check: Check) -> LineageShape:
        """Return what a version was made from and what was made from it.

        Raises:
            NotFoundError: If there is none.
        """
        found = self.artifact(place, word).lineage(direction, check=check)
        return Drawing(self._library, self._finder).draw(found)

    def of_run(self, ulid: str) -> RunArtifacts:
        """Return what a run used and logged, those that were deleted left out.

        Raises:
            NotFoundError: If there is no such run.
        """
        run = self._library.run(ulid)
        return RunArtifacts(
            inputs=[_of_run(one) for one in run.used_artifacts()],
            outputs=[_of_run(one) for one in run.logged_artifacts()],
        )

    def _named(self, place: Place) -> Collection:
        found = Collection(self._library.store, place)
        found.facts()
        return found

    def _version_row(self, found: Found, version: Version, aliases: list[str]) -> dict[str, Any]:
        names = ("digest", "size", "file_count", "created", "deleted")
        tags = found.state.tags_of(version.number)
        return {name: getattr(version, name) for name in names} | {
            "version": version.label,
            "aliases": [legible(word) for word in aliases],
            "tags": sorted(legible(tag) for tag, is_on in tags.items() if is_on),
            "user": legible(version.user),
            "run": self._run(version.run) if version.run else None,
        }

    def _run(self, facts: Mapping[str, Any]) -> RunLink:
        """Return a run by what was noted of it, and what is known of it now."""
        ulid = str(facts["ulid"])
        record = self._library.record(ulid)
        if record is None:
            name = str(facts.get("name") or facts.get("id") or ulid)
            return RunLink(ulid=ulid, name=legible(name), entity="", project="", state="")
        names = ("ulid", "name", "entity", "project", "state")
        return RunLink(**{name: getattr(record, name) for name in names})


def _row(found: Found) -> dict[str, Any]:
    facts, said, standing = found.collection.facts(), found.state.set_fields(None), found.standing
    newest = standing[0] if standing else None
    aliases = [
        AliasShape(name=legible(word), version=f"v{number}")
        for number, words in found.aliases().items()
        for word in words
    ]
    changed = max(
        [found.state.newest_us, *(version.deleted or version.created for version in found.versions)], default=0
    )
    return {
        **{name: facts[name] for name in ("name", "type", "is_sequence", "created")},
        "description": legible(said.get("description") or (_described(found, newest) if newest else "")),
        "tags": sorted(legible(tag) for tag, is_on in found.state.tags_of(None).items() if is_on),
        "aliases": aliases,
        "versions": len(standing),
        "latest": newest.label if newest else "",
        "size": newest.size if newest else 0,
        "file_count": newest.file_count if newest else 0,
        "updated": changed,
    }


def _described(found: Found, version: Version) -> str:
    return found.state.set_fields(version.number).get("description", version.description) or ""


def _of_run(artifact: Artifact) -> RunArtifact:
    names = ("entity", "project", "version", "type", "aliases", "digest", "size", "file_count", "created")
    return RunArtifact(name=artifact.name.partition(":")[0], **{name: getattr(artifact, name) for name in names})


@lru_cache(maxsize=8)
def _entries(store: Path, place: Place, number: int, _manifest: str) -> tuple[Entry, ...]:
    """Read a manifest; what its hash names never changes, and large ones take their time."""
    collection = Collection(store, place)
    found = Artifact.of(collection, collection.version(number)).manifest.entries
    return tuple(found[path] for path in sorted(found))


@lru_cache(maxsize=8)
def _by_digest(entries: tuple[Entry, ...]) -> dict[str, Entry]:
    return {entry.digest: entry for entry in entries if entry.ref is None}


@lru_cache(maxsize=8)
def _chunked_media(entries: tuple[Entry, ...]) -> dict[str, Entry]:
    """Return the files in chunks by their names before the dot; those of media begin with the SHA-256 of the bytes."""
    return {entry.path.partition(".")[0]: entry for entry in entries if entry.chunks}
