"""Where things lie in a store: `<store>/runs/<yyyymm>/<ulid>/` for each run, and a claim for each id that a user sees."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from runhaven.errors import StoreError, UsageError
from runhaven.platform.files import create_exclusive, replace_atomically
from runhaven.store.ids import is_ulid, new_ulid, ulid_time_ms, validate_id

if TYPE_CHECKING:
    from collections.abc import Iterator

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `run.json` says; written once.

    Attributes:
        format: Version of the directory's layout.
        run: The run's ulid.
        id: The id that the user sees, unique in entity and project.
        entity: User or team.
        project: The project.
        created: When the run was created, microseconds since the epoch.
        host: Where it was created.
        spool: On a network file system, the directory on `host` that holds the tails.
    """

    format: int
    run: str
    id: str
    entity: str
    project: str
    created: int
    host: str
    spool: str | None = None

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

    def manifest(self) -> Manifest:
        """Return what `run.json` says.

        Raises:
            StoreError: If it cannot be read, or is of a newer format.
        """
        if self._manifest is None:
            self._manifest = _read_manifest(self.path / "run.json")
        return self._manifest


def _read_manifest(path: Path) -> Manifest:
    data = _read_json(path)
    _check_format(data.get("format"), path)
    whole = [data.get(name) for name in ("run", "id", "entity", "project", "host")]
    if not all(isinstance(text, str) for text in whole) or not isinstance(data.get("created"), int):
        message = f"{path} is no description of a run."
        raise StoreError(message)
    known: dict[str, Any] = {name: data.get(name) for name in Manifest.__dataclass_fields__}
    return Manifest(**known)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123 - half the time, for each of thousands of runs
            data = json.loads(file.read())
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {error}."
        raise StoreError(message) from error
    return cast("dict[str, Any]", data) if isinstance(data, dict) else {}


def _check_format(found: object, path: Path) -> None:
    if not isinstance(found, int):
        message = f"{path} names no format; this is no store of Runhaven's."
        raise StoreError(message)
    if found > FORMAT:
        message = (
            f"{path} has format {found}, newer than {FORMAT}, the newest that this version reads. Upgrade runhaven."
        )
        raise StoreError(message)


class Store:
    """A directory of runs.

    Attributes:
        root: The directory.
    """

    def __init__(self, root: Path) -> None:
        """Name a store; touches nothing yet."""
        self.root = root

    def create(self) -> None:
        """Make the directory a store, unless it is one.

        Raises:
            StoreError: If it is one of a newer format.
            OSError: If it cannot be written.
        """
        path = self.root / "runhaven.json"
        if path.exists():
            self.check()
            return
        for directory in (self.root, self.root / "runs", self.root / "claims", self.root / "claims" / "runs"):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_exclusive(path, json.dumps({"format": FORMAT, "min_reader": 1, "store": new_ulid()}).encode())

    def check(self) -> None:
        """Make sure that this version can read the store; a directory that holds nothing passes.

        Raises:
            StoreError: If it cannot.
        """
        path = self.root / "runhaven.json"
        if not path.exists():
            return
        data = _read_json(path)
        _check_format(data.get("min_reader", data.get("format")), path)

    def new_run(self, *, entity: str, project: str, id: str, spool: Path | None = None) -> RunDirectory:  # noqa: A002
        """Create a run's directory and claim its id.

        Args:
            entity: User or team.
            project: The project.
            id: The id that the user sees.
            spool: Below it the run's tails get a directory of their own.

        Raises:
            UsageError: If the id is taken, or a name cannot be one.
            OSError: If it cannot be written.
        """
        for kind, text in (("entity", entity), ("project", project), ("run id", id)):
            validate_id(text, kind=kind)
        ulid = new_ulid()
        month = time.strftime("%Y%m", time.gmtime(ulid_time_ms(ulid) / 1000))
        path = self.root / "runs" / month / ulid
        for directory in (path, path / "journal", path / "files", path / "control"):
            directory.mkdir(mode=0o700, parents=True)
        tails = spool / ulid if spool else None
        if tails is not None:
            tails.mkdir(mode=0o700)
        manifest = Manifest(
            FORMAT,
            ulid,
            id,
            entity,
            project,
            time.time_ns() // 1000,
            socket.gethostname(),
            str(tails) if tails else None,
        )
        replace_atomically(path / "run.json", json.dumps(asdict(manifest)).encode())
        claim = json.dumps({"run": f"{month}/{ulid}", "entity": entity, "project": project, "id": id}).encode()
        if not create_exclusive(self._claim(entity, project, id), claim):
            for directory in filter(None, (path, tails)):
                shutil.rmtree(directory, ignore_errors=True)
            message = (
                f"run {entity}/{project}/{id} exists already; choose another id, or resume='allow' to go on with it."
            )
            raise UsageError(message)
        return RunDirectory(path)

    def _claim(self, entity: str, project: str, run_id: str) -> Path:
        name = hashlib.sha256(f"{entity}\0{project}\0{run_id}".encode()).hexdigest()
        return self.root / "claims" / "runs" / name

    def find(self, entity: str, project: str, id: str) -> RunDirectory | None:  # noqa: A002 - the term of the store
        """Return the run that has an id; None if there is none."""
        try:
            place = json.loads(self._claim(entity, project, id).read_text("utf-8"))["run"]
        except (OSError, ValueError, KeyError):
            return None
        run = RunDirectory(self.root / "runs" / str(place))
        return run if (run.path / "run.json").is_file() else None

    def open(self, ulid: str) -> RunDirectory | None:
        """Return the run of a ulid; None if there is none."""
        if not is_ulid(ulid):
            return None
        month = time.strftime("%Y%m", time.gmtime(ulid_time_ms(ulid) / 1000))
        path = self.root / "runs" / month / ulid
        return RunDirectory(path) if (path / "run.json").is_file() else None

    def run_directories(self) -> Iterator[RunDirectory]:
        """Go through the runs, newest first; what is no run is passed over."""
        runs = self.root / "runs"
        for month in sorted(_names(runs), reverse=True):
            for name in sorted(_names(runs / month), reverse=True):
                path = runs / month / name
                if is_ulid(name) and (path / "run.json").is_file():
                    yield RunDirectory(path)

    def has_more_than(self, count: int) -> bool:
        """Tell whether there are more runs than that, without a look into any."""
        runs = self.root / "runs"
        for month in sorted(_names(runs), reverse=True):
            count -= len(_names(runs / month))
            if count < 0:
                return True
        return False

    def remove(self, run: RunDirectory) -> None:
        """Delete a run and give its id back.

        Raises:
            OSError: If it cannot be written.
        """
        manifest = run.manifest()
        grave = run.path.with_name(f".removed-{run.ulid}")
        run.path.rename(grave)
        self._claim(manifest.entity, manifest.project, manifest.id).unlink(missing_ok=True)
        shutil.rmtree(grave, ignore_errors=True)
        if spool := manifest.spool_here():
            shutil.rmtree(spool, ignore_errors=True)


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names alone are wanted
    except OSError:
        return []
