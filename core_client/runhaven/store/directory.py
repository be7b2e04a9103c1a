"""The directory of one run, and what it says of itself."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import socket
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from runhaven.errors import StoreError
from runhaven.platform.files import replace_atomically
from runhaven.store.claims import Address

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Parent:
    """Where a fork branched off.

    Attributes:
        run: The parent's ulid.
        id: Its id.
        entity: Its user or team.
        project: Its project.
        step: The last step that the fork has of it.
        began: When the first run of the line was created, microseconds since the epoch.
        writers: The writers whose journals were copied from it.
    """

    run: str
    id: str
    entity: str
    project: str
    step: int
    began: int
    writers: tuple[str, ...]

    @property
    def path(self) -> list[str]:
        """Entity, project and id."""
        return [self.entity, self.project, self.id]


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `run.json` says, written once, and what a move made of it.

    Attributes:
        format: Version of the directory's layout.
        run: The run's ulid.
        id: The id that the user sees, unique in entity and project.
        entity: User or team.
        project: The project.
        created: When the run was created, microseconds since the epoch.
        host: Where it was created.
        spool: On a network file system, the directory on `host` that holds the tails.
        copied_from: The ulid of the run that this one is a copy of.
        copied: When the copy was made, microseconds since the epoch; `created` is then the original's.
        parent: The run that it is a fork of; None for any other.
    """

    format: int
    run: str
    id: str
    entity: str
    project: str
    created: int
    host: str
    spool: str | None = None
    copied_from: str | None = None
    copied: int | None = None
    parent: Parent | None = None

    @property
    def began(self) -> int:
        """When its history begins, microseconds since the epoch."""
        return self.parent.began if self.parent else self.created

    @property
    def address(self) -> Address:
        """Entity, project and id."""
        return Address(self.entity, self.project, self.id)

    def spool_here(self) -> Path | None:
        """Return the directory of the tails, if there is one and this is its host."""
        return Path(self.spool) if self.spool and self.host == socket.gethostname() else None


class RunDirectory:
    """The directory of one run.

    Attributes:
        path: The directory.
        ulid: Its name, unique in the world.
    """

    def __init__(self, path: Path) -> None:
        """Name a directory; reads nothing yet."""
        self.path = path
        self.ulid = path.name
        self._manifest: Manifest | None = None

    @property
    def journal(self) -> Path:
        """Where the writers' files lie."""
        return self.path / "journal"

    @property
    def files(self) -> Path:
        """Where the files that the user saved lie."""
        return self.path / "files"

    @property
    def control(self) -> Path:
        """Where commands to the run are left."""
        return self.path / "control"

    @property
    def place(self) -> str:
        """Month and ulid, as a claim names the run."""
        return f"{self.path.parent.name}/{self.ulid}"

    def manifest(self) -> Manifest:
        """Return what `run.json` says, and `moved.json` where the run was moved; what was read stays.

        Raises:
            StoreError: If it cannot be read, or is of a newer format.
        """
        if self._manifest is None:
            manifest = _read_manifest(f"{self.path}{os.sep}run.json")
            moved = _read_move(f"{self.path}{os.sep}moved.json")
            self._manifest = replace(manifest, **moved._asdict()) if moved else manifest
        return self._manifest

    def forget(self) -> None:
        """Read the manifest again when it is asked for next."""
        self._manifest = None

    def rename(self, address: Address, note: Mapping[str, Any]) -> None:
        """Write down what the run is called from now on, with a note of who says so.

        Raises:
            OSError: If it cannot be written.
        """
        data = {"format": FORMAT, **address._asdict(), **note}
        replace_atomically(self.path / "moved.json", json.dumps(data).encode())
        self.forget()


def _read_manifest(path: str) -> Manifest:
    data = read_json(path)
    check_format(data.get("format"), path)
    whole = [data.get(name) for name in ("run", "id", "entity", "project", "host")]
    if not all(isinstance(text, str) for text in whole) or not isinstance(data.get("created"), int):
        message = f"{path} is no description of a run."
        raise StoreError(message)
    known: dict[str, Any] = {name: data.get(name) for name in Manifest.__dataclass_fields__}
    known["parent"] = _parse_parent(data.get("parent"), path)
    return Manifest(**known)


def _parse_parent(data: Any, path: str) -> Parent | None:
    if data is None:
        return None
    try:
        found = Parent(**{name: data[name] for name in Parent.__dataclass_fields__})
        return replace(found, step=int(found.step), began=int(found.began), writers=tuple(found.writers))
    except (LookupError, TypeError, ValueError) as error:
        message = f"{path} names a parent that makes no sense: {error!r}."
        raise StoreError(message) from error


def _read_move(path: str) -> Address | None:
    if not os.path.exists(path):  # noqa: PTH110 - as in `read_json`
        return None
    data = read_json(path)
    check_format(data.get("format"), path)
    parts = [data.get(name) for name in Address._fields]
    if not all(isinstance(text, str) for text in parts):
        message = f"{path} does not say what its run is called."
        raise StoreError(message)
    return Address(*(str(text) for text in parts))


def read_json(path: Path | str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        StoreError: If the file cannot be read.
    """
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - half the time, for each of thousands of runs
            data = json.loads(file.read())
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {error}."
        raise StoreError(message) from error
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def check_format(found: object, path: Path | str) -> None:
    """Make sure that this version can read a file of a format.

    Raises:
        StoreError: If it cannot.
    """
    if not isinstance(found, int):
        message = f"{path} names no format; this is no store of Runhaven's."
        raise StoreError(message)
    if found > FORMAT:
        message = (
            f"{path} has format {found}, newer than {FORMAT}, the newest that this version reads. Upgrade runhaven."
        )
        raise StoreError(message)


def cache_directory() -> Path:
    """Return the user's directory for what can be made again."""
    named = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(named or Path.home() / ".cache") / "runhaven"


def cache_of(root: str) -> Path:
    """Return the directory on this machine for what is derived from a store, and may be deleted at any time."""
    try:
        return _cache_of(root, os.environ.get("XDG_CACHE_HOME"))
    except (StoreError, KeyError):
        return cache_directory() / "unnamed"


@functools.lru_cache(maxsize=64)
def _cache_of(root: str, _: str | None) -> Path:
    """Name it by the store's id, and by its place, for a copy has the id of the original."""
    place = hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()[:8]
    return cache_directory() / read_json(Path(root) / "runhaven.json")["store"] / place
