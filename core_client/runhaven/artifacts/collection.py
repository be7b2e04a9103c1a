"""A collection on the disk: the versions of one artifact, each claimed by a file that only one process can create."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.artifacts import note
from runhaven.artifacts.digests import LAG, keep_digests, read_digests
from runhaven.artifacts.events import Events
from runhaven.artifacts.names import VERSION, check_name
from runhaven.artifacts.run_notes import RunNotes
from runhaven.capture.environment import user_name
from runhaven.errors import NotFoundError, StoreError, UsageError
from runhaven.platform.files import create_exclusive, replace_atomically
from runhaven.store.ids import new_ulid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runhaven.artifacts.events import State


class Place(NamedTuple):
    """What names a collection.

    Attributes:
        entity: User or team.
        project: The project.
        name: Unique in the project, whatever the type.
    """

    entity: str
    project: str
    name: str

    def __str__(self) -> str:
        """Return it as people write it."""
        return f"{self.entity}/{self.project}/{self.name}"

    @property
    def directory(self) -> str:
        """The name of its directory: one that people recognise, and that no other collection has on any system."""
        slug = re.sub(r"[^a-z0-9._-]", "_", self.name.lower())[:40].strip(".") or "_"
        return f"{slug}-{hashlib.sha256(chr(0).join(self).encode('utf-8', 'surrogatepass')).hexdigest()[:24]}"


@dataclass(frozen=True, kw_only=True)
class Version:
    """What the claim of a version says, once and for all.

    Attributes:
        number: n of `v<n>`; -1 before it is claimed.
        digest: That of its manifest's entries.
        manifest: SHA-256 of the blob that holds the manifest.
        size: Bytes of all its files.
        file_count: How many they are.
        description: A text.
        metadata: Anything, as JSON.
        ttl_s: How long it shall be kept, in seconds; 0 without an end, None for as long as the collection says.
        created: When it was claimed, microseconds since the epoch.
        run: The run that logged it: ulid, entity, project, id, name and step; None without one.
        user: Who logged it.
        source: The version that this one is a link to: entity, project, name and number; None for any other.
        deleted: When it was deleted; its number stays taken.
    """

    number: int = -1
    digest: str
    manifest: str
    size: int
    file_count: int
    description: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    ttl_s: float | None = None
    created: int = 0
    run: dict[str, Any] | None = None
    user: str = ""
    source: list[Any] | None = None
    deleted: int | None = None

    @property
    def label(self) -> str:
        """`v<n>`."""
        return f"v{self.number}"


class Collection:
    """The directory of a collection.

    Attributes:
        store: The store's directory.
    """

    def __init__(self, store: Path, place: Place) -> None:
        """Name a collection, by any name that it has or had; touches nothing yet."""
        self.store = store
        self._asked = place
        self._facts: dict[str, Any] | None = None
        self._known: dict[int, Version] = {}

    @cached_property
    def path(self) -> Path:
        """Its directory; that of a name which it was given later only leads there."""
        own = self.store / "artifacts" / self._asked.directory
        try:
            facts = note.read(own / "collection.json")
        except StoreError:
            return own
        if "home" in facts:
            return own.with_name(str(facts["home"]))
        self._facts = facts
        return own

    @property
    def place(self) -> Place:
        """What names it by now."""
        if not self.exists:
            return self._asked
        facts = self.facts()
        return Place(facts["entity"], facts["project"], facts["name"])

    @cached_property
    def events(self) -> Events:
        """What was said about its versions afterwards."""
        return Events(self.store / "journal" / "artifacts" / self.path.name)

    @cached_property
    def uses(self) -> RunNotes:
        """The runs that used its versions."""
        return RunNotes(self.path / "uses")

    @cached_property
    def repeats(self) -> RunNotes:
        """The runs that logged what a version held already."""
        return RunNotes(self.path / "repeats")

    @property
    def exists(self) -> bool:
        """Whether it is there."""
        return self._facts is not None or (self.path / "collection.json").is_file()

    def facts(self) -> dict[str, Any]:
        """Return what `collection.json` says: id, entity, project, name, type, created, is_sequence.

        Raises:
            NotFoundError: If there is no such collection.
            StoreError: If it cannot be read.
        """
        if self._facts is None:
            if not self.exists:
                message = (
                    f"there is no artifact {str(self._asked)!r} in {self.store}. List them with `runhaven artifact ls`."
                )
                raise NotFoundError(message)
            self._facts = note.read(self.path / "collection.json")
        return self._facts

    def create(self, kind: str, *, is_sequence: bool = True) -> None:
        """Make the directory, unless it is there.

        Args:
            kind: The type of its artifacts.
            is_sequence: Whether runs log into it; a collection of links is none.

        Raises:
            UsageError: If it is there, and its type is another.
            OSError: If it cannot be written.
        """
        if not self.exists:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            facts = {"id": new_ulid(), **self.place._asdict(), "type": kind, "is_sequence": is_sequence}
            data = note.to_bytes({**facts, "created": time.time_ns() // 1000, "user": user_name()})
            create_exclusive(self.path / "collection.json", data)
        facts = self.facts()
        if facts["type"] != kind:
            message = f"the artifact {str(self.place)!r} has the type {facts['type']!r}, not {kind!r}. Use that type, or another name."
            raise UsageError(message)
        if facts["is_sequence"] != is_sequence:
            holds = (
                "what runs log into it; a link needs a collection"
                if facts["is_sequence"]
                else "links; log under a name"
            )
            message = f"{str(self.place)!r} holds {holds} of its own. Choose another name."
            raise UsageError(message)

    def rename(self, name: str) -> None:
        """Give it another name; the names that it had lead to it as before.

        Raises:
            UsageError: If that cannot be a name, or belongs to another artifact.
            OSError: If it cannot be written.
        """
        facts = self.facts()
        place = self.place._replace(name=check_name(name))
        sign = self.path.with_name(place.directory) / "collection.json"
        if sign.parent != self.path:
            sign.parent.mkdir(mode=0o700, exist_ok=True)
            create_exclusive(sign, note.to_bytes({**place._asdict(), "home": self.path.name}))
            if note.read(sign).get("home") != self.path.name:
                message = f"the name {str(place)!r} belongs to another artifact. Choose another name."
                raise UsageError(message)
        facts = {**facts, "name": name, "first_name": facts.get("first_name", facts["name"])}
        replace_atomically(self.path / "collection.json", note.to_bytes(facts))
        self._facts = None

    # Versions

    def versions(self, *, is_strict: bool = False) -> list[Version]:
        """Return all versions, deleted ones too, in order; one whose claim is damaged is left out, unless `is_strict`."""
        found: list[Version] = []
        for number in sorted(self._numbers()):
            with contextlib.suppress(*() if is_strict else (StoreError,)):
                found.append(self.version(number))
        return found

    def _newest_first(self) -> Iterator[Version]:
        for number in sorted(self._numbers(), reverse=True):
            with contextlib.suppress(StoreError):
                yield self.version(number)

    def newest_us(self) -> int:
        """Return when the newest version was claimed, deleted ones too; 0 without versions. Times ascend with numbers."""
        return next((version.created for version in self._newest_first()), 0)

    def parts(self) -> list[str]:
        """Return the manifests of the parts that wait to become a version, as SHA-256."""
        return [str(note.read(path)["manifest"]) for path in self.path.glob("parts/*/[!.]*.json")]

    def version(self, number: int) -> Version:
        """Return a version, be it deleted.

        Raises:
            NotFoundError: If there never was one.
            StoreError: If its claim is damaged.
        """
        path = self.path / f"v{number}.json"
        if number not in self._known:
            if not path.exists():
                message = f"there is no version v{number} of {str(self.place)!r}; the newest is v{max(self._numbers(), default='?')}."
                raise NotFoundError(message)
            data = note.read(path)
            fields: dict[str, Any] = {name: data[name] for name in Version.__dataclass_fields__ if name in data}
            self._known[number] = Version(**fields)
        return self._known[number]

    def _numbers(self) -> Iterator[int]:
        try:
            names = os.listdir(self.path)  # noqa: PTH208 - names alone are wanted
        except OSError:
            return
        for name in names:
            if name.endswith(".json") and VERSION.fullmatch(name[:-5]):
                yield int(name[1:-5])

    def claim(self, wanted: Version) -> tuple[Version, bool]:
        """Give a version the next number, or find the one that has the same content.

        Args:
            wanted: All that shall be said of it but number and time.

        Returns:
            The version, and whether it is new.

        Raises:
            OSError: If it cannot be written.
        """
        summed = read_digests(self.path)
        seen: set[int] = set()
        number = -1
        while True:
            numbers = {*self._numbers(), number} - {-1}
            number = max(numbers, default=-1)
            for known in numbers - seen:
                same = self._same(known, wanted) if summed.get(known, wanted.digest) == wanted.digest else None
                if same is not None:
                    return same, False
            seen |= numbers
            # A directory listing on a network file system may be old: the next number that nobody has decides.
            number += 1
            data = asdict(wanted) | {"number": number, "created": max(time.time_ns() // 1000, self.newest_us() + 1)}
            if create_exclusive(self.path / f"v{number}.json", note.to_bytes(data)):
                self._sum_up(summed)
                return self.version(number), True

    def _sum_up(self, summed: dict[int, str]) -> None:
        """Sum up the claims that were read, once they are many."""
        read = {number: version.digest for number, version in self._known.items()}
        if len(read.keys() - summed.keys()) >= LAG:
            keep_digests(self.path, summed | read)

    def _same(self, number: int, wanted: Version) -> Version | None:
        """Return a version if it is what is wanted."""
        found = self._standing(number)
        is_same = found is not None and found.digest == wanted.digest and found.source == wanted.source
        return found if is_same else None

    def delete(self, number: int) -> None:
        """Delete a version: its claim becomes a tombstone, so that the number is never given again.

        Raises:
            NotFoundError: If there never was one.
            OSError: If it cannot be written.
        """
        found = self.version(number)
        gone: dict[str, Any] = {"deleted": time.time_ns() // 1000, "metadata": {}, "description": None}
        data = asdict(found) | gone
        replace_atomically(self.path / f"v{number}.json", note.to_bytes(data))
        self.forget()

    def forget(self) -> None:
        """Read the versions again when they are asked for next."""
        self._known.clear()

    # What words mean

    def newest(self, state: State) -> Version | None:
        """Return what `latest` means: the version that was logged last; None without versions."""
        newest = next((version for version in self._newest_first() if version.deleted is None), None)
        stamp = state.aliases.stamp("latest")
        if newest is not None and stamp is not None and stamp.time > newest.created:
            return self._standing(state.aliases.values().get("latest")) or newest
        return newest

    def _standing(self, number: int | None) -> Version | None:
        """Return a version; None if there is none of that number, or it was deleted."""
        try:
            found = self.version(number) if number is not None else None
        except (NotFoundError, StoreError):
            return None
        return found if found is not None and found.deleted is None else None

    def find(self, word: str, state: State | None = None) -> Version:
        """Return the version that a word means: `v<n>`, an alias, `latest` or a digest.

        Raises:
            NotFoundError: If there is none, or it was deleted.
        """
        self.facts()
        if VERSION.fullmatch(word):
            found = self.version(int(word[1:]))
            if found.deleted is not None:
                message = f"version {word} of {str(self.place)!r} was deleted. The others: {self._listed()}."
                raise NotFoundError(message)
            return found
        state = state or self.events.read()
        if word == "latest":
            found = self.newest(state)
        else:
            found = self._standing(state.aliases.values().get(word)) or self._holding(word)
        if found is None:
            message = f"no version of {str(self.place)!r} is called {word!r}. There are: {self._listed()}."
            raise NotFoundError(message)
        return found

    def _holding(self, digest: str) -> Version | None:
        return next((one for one in self.versions() if one.deleted is None and one.digest == digest), None)

    def _listed(self) -> str:
        words = [version.label for version in self.versions() if version.deleted is None]
        words += [word for word, number in self.events.read().aliases.values().items() if number is not None]
        return ", ".join(words[-20:]) or "none"

    def aliases_of(self, number: int, state: State) -> list[str]:
        """Return the aliases of a version, `latest` among them where it is."""
        found = sorted(word for word, at in state.aliases.values().items() if at == number and word != "latest")
        newest = self.newest(state)
        return ["latest", *found] if newest is not None and newest.number == number else found


def collections(store: Path, *, is_strict: bool = False) -> Iterator[Collection]:
    """Go through the collections of a store, sorted by name; what cannot be read is passed over, unless `is_strict`."""
    root = store / "artifacts"
    try:
        names = sorted(os.listdir(root))  # noqa: PTH208 - names alone are wanted
    except OSError:
        return
    for name in names:
        if _is_being_made(root / name):
            continue
        with contextlib.suppress(*() if is_strict else (StoreError, KeyError)):
            facts = note.read(root / name / "collection.json")
            place = Place(facts["entity"], facts["project"], facts.get("first_name", facts["name"]))
            if place.directory == name and "home" not in facts:
                yield Collection(store, place)


def _is_being_made(directory: Path) -> bool:
    """Whether a collection has nothing yet, not even its facts: these come first, and within a moment."""
    return not (directory / "collection.json").exists() and not any(directory.glob("[!.]*"))
