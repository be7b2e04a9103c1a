"""Links: versions of a collection that lead to versions of others."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from runhaven.artifacts import committing
from runhaven.artifacts.collection import Collection, Place
from runhaven.artifacts.resolving import Home, split
from runhaven.errors import NotFoundError, StoreError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven.artifacts.collection import Version

STAGES = ("staging", "production", "archived")


class Linked(NamedTuple):
    """A version and where it is."""

    collection: Collection
    version: Version


def link(collection: Collection, version: Version, target: str, aliases: Sequence[str]) -> Linked:
    """Link a version into a collection of links.

    Raises:
        UsageError: If the target is no name, or holds versions of its own.
        OSError: If the store cannot be written.
    """
    origin = source(collection, version)
    home = Home(collection.store, origin.collection.place.entity, origin.collection.place.project)
    place, word = split(target, home)
    if word is not None:
        message = f"link({target!r}): a collection has no alias; pass aliases={[word]!r}."
        raise UsageError(message)
    found = Collection(collection.store, place)
    found.create(collection.facts()["type"], is_sequence=False)
    back = [*origin.collection.place, origin.version.number]
    made, _ = found.claim(replace(origin.version, number=-1, source=back))
    state = found.events.read()
    committing.append(found, committing.alias_events(found, made, aliases=aliases, tags=(), state=state), state)
    _note(origin, Linked(found, made))
    return Linked(found, made)


def _note(origin: Linked, made: Linked) -> None:
    """Say at the version where it was linked to, and that it has the stage, if that is one."""
    collection, number = origin.collection, origin.version.number
    state = collection.events.read()
    key = json.dumps([number, *made.collection.place, made.version.number])
    events: list[dict[str, object]] = []
    if not state.links.values().get(key):
        events.append({"event": "links", "links": {key: True}})
    stage = made.collection.place.name
    if stage in STAGES and state.aliases.values().get(stage) != number:
        events.append({"event": "aliases", "aliases": {stage: number}})
    committing.append(collection, events, state)


def source(collection: Collection, version: Version) -> Linked:
    """Return the version that a link leads to; else the version itself."""
    if version.source is None:
        return Linked(collection, version)
    entity, project, name, number = version.source
    found = Collection(collection.store, Place(entity, project, name))
    return Linked(found, found.version(number))


def links(collection: Collection, version: Version) -> list[Linked]:
    """Return the links to a version that stand."""
    found: list[Linked] = []
    for key in collection.events.read().links.values():
        number, entity, project, name, at = json.loads(key)
        if number == version.number:
            target = Collection(collection.store, Place(entity, project, name))
            with contextlib.suppress(NotFoundError, StoreError):
                linked = target.version(at)
                found += [Linked(target, linked)] if linked.deleted is None else []
    return found
