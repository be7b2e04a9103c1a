"""Collections as they are read: again only if something changed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, NamedTuple, Self

from runhaven_server.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runhaven.artifacts.collection import Collection, Version
    from runhaven.artifacts.events import State

_KEPT_VERSIONS = 100_000
# Two changes within a tick of the file system's clock leave the same time; some count in seconds.
_SETTLED_NS = 2_000_000_000


class Found(NamedTuple):
    """A collection, read once.

    Attributes:
        collection: The collection.
        state: What was said about its versions.
        versions: All of them, deleted ones too, the newest first.
    """

    collection: Collection
    state: State
    versions: list[Version]

    @classmethod
    def of(cls, collection: Collection) -> Self:
        """Read a collection."""
        return cls(collection, collection.events.read(), collection.versions()[::-1])

    @property
    def standing(self) -> list[Version]:
        """The versions that were not deleted."""
        return [version for version in self.versions if version.deleted is None]

    def aliases(self) -> dict[int, list[str]]:
        """Return the aliases of each version that stands, `latest` first, the newest version first."""
        newest = self.collection.newest(self.state)
        found = {version.number: list[str]() for version in self.standing}
        if newest is not None:
            found[newest.number].append("latest")
        for word, number in sorted(self.state.aliases.values().items()):
            if word != "latest" and number in found:
                found[number].append(word)
        return found


class Finder:
    """Reads collections; what did not change since it was read is not read again. Thread-safe."""

    def __init__(self) -> None:
        """Start with nothing read."""
        self._held: Recent[Path, tuple[tuple[tuple[str, int, int], ...], Found]] = Recent(_KEPT_VERSIONS)

    def read(self, collection: Collection) -> Found:
        """Return a collection as it is now."""
        stamp = tuple(sorted(_stamps(collection)))
        held = self._held.get(collection.path)
        if held is not None and held[0] == stamp:
            return held[1]
        found = Found.of(collection)
        if time.time_ns() - max(changed for _, changed, _ in stamp) > _SETTLED_NS:
            self._held.put(collection.path, (stamp, found), len(found.versions) + 1)
        return found


def _stamps(collection: Collection) -> Iterator[tuple[str, int, int]]:
    """Go through what changes with a collection: its directory (claims come and are replaced), and its events' files."""
    status = collection.path.stat()
    yield "", status.st_mtime_ns, 0
    try:
        with os.scandir(collection.events.directory) as entries:
            for entry in entries:
                status = entry.stat()
                yield entry.name, status.st_mtime_ns, status.st_size
    except FileNotFoundError:
        return
