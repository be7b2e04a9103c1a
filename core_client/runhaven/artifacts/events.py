"""What is said about a collection's versions afterwards: aliases, tags, descriptions; the last word stands.

Each process appends to a file of its own, one checked JSON object a line, so that nobody waits for anybody and two hosts on
a network file system never write the same file. A stamp orders what they say: the time, but later than all that was read.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.artifacts import note
from runhaven.store.register import Register, Stamp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_writers: dict[int, str] = {}


def writer_name() -> str:
    """Return the name of this process's files; a forked child has one of its own."""
    pid = os.getpid()
    if pid not in _writers:
        _writers.clear()
        _writers[pid] = f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(4)}"
    return _writers[pid]


class Link(NamedTuple):
    """Where a version was linked to.

    Attributes:
        entity: Of the collection.
        project: Of the collection.
        name: Of the collection.
        number: The version there.
    """

    entity: str
    project: str
    name: str
    number: int


def _registers() -> dict[int | None, Register]:
    return {}


@dataclass
class State:
    """What a collection's events come to.

    Attributes:
        newest_us: The newest stamp.
        fields: Fields that were set, by version; None stands for the collection itself.
        aliases: Which version an alias means, and since when.
        tags: Tags that were given to a version or taken from it.
        links: Where versions were linked to.
    """

    newest_us: int = 0
    fields: dict[int | None, Register] = field(default_factory=_registers)
    tags: dict[int | None, Register] = field(default_factory=_registers)
    aliases: Register = field(default_factory=Register)
    links: Register = field(default_factory=Register)

    def set_fields(self, number: int | None) -> dict[str, Any]:
        """Return what was set of a version, or of the collection."""
        return self.fields[number].values() if number in self.fields else {}

    def tags_of(self, number: int | None) -> dict[str, bool]:
        """Return the tags that were given (True) or taken (False)."""
        return self.tags[number].values() if number in self.tags else {}

    def take(self, event: Mapping[str, Any], stamp: Stamp) -> None:
        """Take in one event; one that makes no sense is passed over."""
        self.newest_us = max(self.newest_us, stamp.time)
        kind, number = event.get("event"), event.get("version")
        if kind == "set":
            self.fields.setdefault(number, Register()).apply(event["fields"], stamp)
        elif kind == "tags":
            self.tags.setdefault(number, Register()).apply(event["tags"], stamp)
        elif kind == "aliases":
            self.aliases.apply(event["aliases"], stamp)
        elif kind == "links":
            self.links.apply(event["links"], stamp)


class Events:
    """The events of one collection.

    Attributes:
        directory: Where the files of its writers lie.
    """

    def __init__(self, directory: Path) -> None:
        """Name a directory; touches nothing yet."""
        self.directory = directory

    def read(self) -> State:
        """Return what all events come to."""
        state = State()
        for name in sorted(_names(self.directory)):
            for number, event in enumerate(_lines(self.directory / name)):
                with contextlib.suppress(AttributeError, LookupError, TypeError, ValueError):
                    state.take(event, Stamp(int(event["time"]), name, number))
        return state

    def append(self, events: Sequence[Mapping[str, Any]], state: State, *, after_us: int) -> None:
        """Add events, later than all that was read, and take them into what was read.

        Raises:
            OSError: If they cannot be written.
        """
        now_us = max(time.time_ns() // 1000, after_us + 1, state.newest_us + 1)
        # Each starts a line of its own, should a full disk have cut the last one short.
        text = b"".join(b"\n" + note.to_bytes({"time": now_us, **event}) + b"\n" for event in events)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"{writer_name()}.jsonl"
        with (self.directory / name).open("ab", buffering=0) as file:
            while text:
                text = text[file.write(text) :]
            os.fsync(file.fileno())
        for number, event in enumerate(events):
            state.take(event, Stamp(now_us, name, number))


def _names(directory: Path) -> list[str]:
    try:
        return [name for name in os.listdir(directory) if name.endswith(".jsonl")]  # noqa: PTH208 - names alone are wanted
    except OSError:
        return []


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Go through the sound lines; one that is being written has no end yet."""
    try:
        data = path.read_bytes()
    except OSError:
        return
    for line in data.split(b"\n"):
        if line:
            with contextlib.suppress(ValueError):
                yield note.parse(line)
