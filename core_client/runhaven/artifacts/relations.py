"""Which runs made and used which versions: what all collections of a store say, gathered."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.artifacts.collection import Collection, Place, collections
from runhaven.errors import StoreError

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.artifacts.collection import Version


class Key(NamedTuple):
    """What names a version, whatever its collection is called.

    Attributes:
        directory: The collection's.
        number: n of `v<n>`.
    """

    directory: str
    number: int


class Relations:
    """Who made and used the versions of a store. Runs need not be there any more, and neither need versions."""

    def __init__(self, store: Path) -> None:
        """Look through all collections."""
        self._store = store
        self._collections = {one.path.name: one for one in collections(store)}
        self.versions: dict[Key, Version] = {}
        self._makers: dict[Key, list[str]] = {}
        self._users: dict[Key, list[str]] = {}
        self._links: dict[Key, list[Key]] = {}
        self._notes: dict[str, dict[str, Any]] = {}
        for collection in self._collections.values():
            self._take(collection)
        self._made, self._used = _turned(self._makers), _turned(self._users)

    def _take(self, collection: Collection) -> None:
        name = collection.path.name
        for version in collection.versions():
            key = Key(name, version.number)
            self.versions[key] = version
            if version.source is not None:
                entity, project, source, number = version.source
                origin = Collection(self._store, Place(entity, project, source)).path.name
                self._links.setdefault(Key(origin, number), []).append(key)
            elif version.run is not None:
                self._makers[key] = [str(version.run["ulid"])]
                self._notes[self._makers[key][0]] = version.run
        for notes, found in ((collection.repeats, self._makers), (collection.uses, self._users)):
            for number in notes.numbers():
                known = found.setdefault(Key(name, number), [])
                known += [ulid for ulid in notes.ulids(number) if ulid not in known]

    def collection(self, key: Key) -> Collection:
        """Return the collection of a version."""
        return self._collections[key.directory]

    def makers(self, key: Key) -> list[str]:
        """Return the ulids of the runs that logged a version, the first one first."""
        return self._makers.get(key, [])

    def users(self, key: Key) -> list[str]:
        """Return the ulids of the runs that used a version."""
        return self._users.get(key, [])

    def made(self, ulid: str) -> list[Key]:
        """Return the versions that a run logged."""
        return self._made.get(ulid, [])

    def used(self, ulid: str) -> list[Key]:
        """Return the versions that a run used."""
        return self._used.get(ulid, [])

    def links(self, key: Key) -> list[Key]:
        """Return the links to a version."""
        return self._links.get(key, [])

    def source(self, key: Key) -> Key | None:
        """Return what a link leads to; None for any other version."""
        version = self.versions[key]
        if version.source is None:
            return None
        entity, project, name, number = version.source
        found = Key(Collection(self._store, Place(entity, project, name)).path.name, number)
        return found if found in self.versions else None

    def use_of(self, key: Key, ulid: str) -> dict[str, Any]:
        """Return what was noted of a run that used a version; nothing if that cannot be read."""
        with contextlib.suppress(StoreError):
            return self.collection(key).uses.read(key.number, ulid)
        return {}

    def facts_of(self, ulid: str) -> dict[str, Any]:
        """Return what versions know of a run: entity, project, id and name; nothing if they know nothing."""
        if ulid in self._notes:
            return self._notes[ulid]
        for key in self.used(ulid):
            if found := self.use_of(key, ulid):
                return found
        for key in self.made(ulid):
            with contextlib.suppress(StoreError):
                return self.collection(key).repeats.read(key.number, ulid)
        return {}


def _turned(found: dict[Key, list[str]]) -> dict[str, list[Key]]:
    turned: dict[str, list[Key]] = {}
    for key, ulids in found.items():
        for ulid in ulids:
            turned.setdefault(ulid, []).append(key)
    return turned
