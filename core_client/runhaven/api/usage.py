"""How much room projects, types, runs and artifacts take on the disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from runhaven.api.collecting import blobs_of
from runhaven.api.run import Run
from runhaven.artifacts.checked import read_manifest
from runhaven.artifacts.collection import collections
from runhaven.errors import StoreError
from runhaven.store.blobs import Blobs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runhaven.artifacts.collection import Collection, Version
    from runhaven.store.layout import Store

By = Literal["project", "type", "run", "artifact"]


@dataclass
class Group:
    """What is measured together.

    Attributes:
        name: Of the project, type, run or artifact.
        bytes: Room on the disk; blobs that several groups share count for each of them.
        runs: How many runs are in it.
        versions: How many versions of artifacts are in it.
    """

    name: str
    bytes: int = 0
    runs: int = 0
    versions: int = 0


class Usage(NamedTuple):
    """What was measured.

    Attributes:
        groups: The largest first.
        total: Room of all of them; blobs that they share count once.
        unnamed: Room of blobs that nothing names, of the whole store; `runhaven gc` takes those that are old.
    """

    groups: list[Group]
    total: int
    unnamed: int


class _Item(NamedTuple):
    """A run or a version: in which groups it is, the room of its own files, and its blobs."""

    names: dict[By, str]
    own: int
    blobs: set[str]
    is_run: bool


def measure(store: Store, by: By = "project", *, project: str | None = None) -> Usage:
    """Measure what a store holds.

    Args:
        store: The store.
        by: What to group by. Runs are of the type "run"; what a run logged counts for that run, media and artifacts too.
        project: Only what is in this one, "entity/project" or "project".
    """
    sizes = {path.name: room(path) for path in Blobs(store.root).all()}

    def room_of(blobs: Iterable[str]) -> int:
        return sum(sizes.get(sha256, 0) for sha256 in blobs)

    groups: dict[str, Group] = {}
    members: dict[str, set[str]] = {}
    own, named, elsewhere = 0, set[str](), set[str]()
    for item in _items(store):
        if project and not f"/{item.names['project']}".endswith(f"/{project}"):
            elsewhere |= item.blobs
            continue
        group = groups.setdefault(item.names[by], Group(item.names[by]))
        members.setdefault(group.name, set()).update(item.blobs)
        group.bytes += item.own
        group.runs += item.is_run
        group.versions += not item.is_run
        own, named = own + item.own, named | item.blobs
    for name, group in groups.items():
        group.bytes += room_of(members[name])
    unnamed = sum(sizes.values()) - room_of(named | elsewhere)
    return Usage(sorted(groups.values(), key=lambda one: -one.bytes), own + room_of(named), unnamed)


def _items(store: Store) -> Iterator[_Item]:
    names: dict[str, str] = {}
    for directory in store.run_directories():
        try:
            run = Run(directory)
            names[run.ulid] = f"{run.name} ({'/'.join(run.path)})"
        except StoreError:
            continue
        try:
            media = blobs_of(store, directory)
        except (StoreError, ImportError):
            # Its own files count all the same.
            media = set[str]()
        place: dict[By, str] = {"project": f"{run.entity}/{run.project}", "type": "run"}
        place |= {"run": names[run.ulid], "artifact": "runs"}
        yield _Item(place, room_below(directory.path), media, is_run=True)
    for collection in collections(store.root):
        for version in collection.versions():
            if version.deleted is None and version.source is None:
                yield _version(collection, version, names)


def _version(collection: Collection, version: Version, runs: dict[str, str]) -> _Item:
    try:
        blobs = {version.manifest, *(blob.sha256 for blob in read_manifest(collection.store, version.manifest).blobs())}
    except StoreError:
        blobs = {version.manifest}
    maker = runs.get(str((version.run or {}).get("ulid")), "no run")
    place: dict[By, str] = {"project": "/".join(collection.place[:2]), "type": str(collection.facts()["type"])}
    place |= {"run": maker, "artifact": str(collection.place)}
    return _Item(place, 0, blobs, is_run=False)


def room(path: Path) -> int:
    """Return how much room a file takes on the disk; 0 if it is gone."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return 0
    return getattr(status, "st_blocks", 0) * 512 or status.st_size


def room_below(directory: Path) -> int:
    """Return how much room a directory with all that is in it takes on the disk."""
    return sum(room(Path(place) / name) for place, _, names in os.walk(directory) for name in names)
