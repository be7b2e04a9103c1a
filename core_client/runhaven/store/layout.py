"""Where things lie in a store: `<store>/runs/<yyyymm>/<ulid>/` for each run, and a claim for each id that a user sees."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from runhaven.errors import UsageError
from runhaven.platform.files import create_exclusive, replace_atomically
from runhaven.store import moving, trash
from runhaven.store.claims import Address, Claims
from runhaven.store.directory import FORMAT, Manifest, RunDirectory, check_format, read_json
from runhaven.store.ids import is_ulid, new_run_id, new_ulid, ulid_time_ms
from runhaven.store.spool import make_spool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from runhaven.store.directory import Parent
    from runhaven.store.trash import Removed


class Store:
    """A directory of runs.

    Attributes:
        root: The directory.
        claims: Which run an id belongs to.
    """

    def __init__(self, root: Path) -> None:
        """Name a store; touches nothing yet."""
        self.root = root
        self.claims = Claims(root / "claims" / "runs", self._says)

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
        data = read_json(path)
        check_format(data.get("min_reader", data.get("format")), path)

    def new_run(
        self,
        *,
        entity: str,
        project: str,
        id: str,  # noqa: A002 - the term of the store
        spool: Path | None = None,
        inherit: Callable[[RunDirectory], Parent] | None = None,
    ) -> RunDirectory:
        """Create a run's directory and claim its id.

        Args:
            entity: User or team.
            project: The project.
            id: The id that the user sees.
            spool: Below it the run's tails get a directory of their own.
            inherit: Fills the directory of a fork, before anybody takes it for a run.

        Raises:
            UsageError: If the id is taken, or a name cannot be one.
            OSError: If it cannot be written.
        """
        address = Address(entity, project, id).check()
        taken = f"run {address} exists already; choose another id, or resume='allow' to go on with it."
        if self.claims.holder(address) is not None:
            raise UsageError(taken)
        ulid = new_ulid()
        run = RunDirectory(self.path_of(ulid))
        tails: Path | None = None
        try:
            for directory in (run.path, run.journal, run.files, run.control):
                directory.mkdir(mode=0o700, parents=True)
            tails = make_spool(spool, ulid)
            parent = inherit(run) if inherit else None
            names = FORMAT, ulid, id, entity, project, time.time_ns() // 1000, socket.gethostname()
            manifest = Manifest(*names, spool=str(tails) if tails else None, parent=parent)
            replace_atomically(run.path / "run.json", json.dumps(asdict(manifest)).encode())
            is_ours = self.claims.take(address, run.place, is_said=True)
        except BaseException:
            _discard(run.path, tails)
            raise
        if not is_ours:
            _discard(run.path, tails)
            raise UsageError(taken)
        return run

    def path_of(self, ulid: str) -> Path:
        """Return where the run of a ulid lies, or would."""
        month = time.strftime("%Y%m", time.gmtime(ulid_time_ms(ulid) / 1000))
        return self.root / "runs" / month / ulid

    def _says(self, place: str) -> Address | None:
        run = RunDirectory(self.root / "runs" / place)
        return run.manifest().address if (run.path / "run.json").is_file() else None

    def find(self, entity: str, project: str, id: str) -> RunDirectory | None:  # noqa: A002 - the term of the store
        """Return the run that has an id; None if there is none."""
        place = self.claims.holder(Address(entity, project, id))
        return RunDirectory(self.root / "runs" / place) if place is not None else None

    def open(self, ulid: str) -> RunDirectory | None:
        """Return the run of a ulid; None if there is none."""
        if not is_ulid(ulid):
            return None
        path = self.path_of(ulid)
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

    # Changing runs

    def remove(self, run: RunDirectory) -> None:
        """Move a run to the trash, from where `restore` brings it back, and give its id back.

        Raises:
            StoreError: If the store cannot be written.
        """
        trash.remove(self, run)

    def removed(self) -> list[Removed]:
        """List the runs in the trash, the one that was removed last first."""
        return trash.removed(self)

    def restore(self, ulid: str, *, id: str | None = None) -> RunDirectory:  # noqa: A002 - the term of the store
        """Bring a removed run back.

        Args:
            ulid: Which one.
            id: Another id, should its own belong to another run by now.

        Raises:
            NotFoundError: If it is not in the trash.
            UsageError: If its id belongs to another run.
            StoreError: If the store cannot be written.
        """
        return trash.restore(self, ulid, id)

    def purge(self, *, older_than_s: float = 0.0) -> int:
        """Delete for good what was removed that long ago; return how many runs that were."""
        return trash.purge(self, older_than_s)

    def move(
        self,
        run: RunDirectory,
        *,
        entity: str | None = None,
        project: str | None = None,
        id: str | None = None,  # noqa: A002 - the term of the store
    ) -> None:
        """Give a run another entity, project or id; its directory stays where it is.

        Raises:
            UsageError: If the id is taken there, or a name cannot be one.
            StoreError: If the store cannot be written.
        """
        own = run.manifest()
        moving.move(self, run, Address(entity or own.entity, project or own.project, id or own.id))

    def copy(
        self,
        run: RunDirectory,
        *,
        entity: str | None = None,
        project: str | None = None,
        id: str | None = None,  # noqa: A002 - the term of the store
    ) -> RunDirectory:
        """Make a copy of a run, which may be running; the original stays as it is.

        The copy keeps its id in another project, and gets a new one in the same.

        Raises:
            UsageError: If the id is taken there, or a name cannot be one.
            StoreError: If the store cannot be written.
        """
        own = run.manifest()
        place = entity or own.entity, project or own.project
        is_elsewhere = place != (own.entity, own.project)
        return moving.copy(self, run, Address(*place, id or (own.id if is_elsewhere else new_run_id())))


def _discard(*directories: Path | None) -> None:
    for directory in filter(None, directories):
        shutil.rmtree(directory, ignore_errors=True)


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names alone are wanted
    except OSError:
        return []
