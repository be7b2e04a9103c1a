"""Reads runs of a store for the catalogue, and tells which need not be read again."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from runhaven.catalogue.record import Reading, record_of
from runhaven.errors import StoreError
from runhaven.platform.process import is_alive
from runhaven.sealed.seal import open_sealed
from runhaven.sealed.view import follow
from runhaven.store.ids import is_ulid
from runhaven.store.layout import RunDirectory
from runhaven.store.liveness import STALE_AFTER_US

if TYPE_CHECKING:
    from collections.abc import Container

    from runhaven.store.layout import Store
    from runhaven.store.session import Session
    from runhaven.store.view import RunView

_HAS_DIR_FD = os.stat in os.supports_dir_fd
_SETTLED_NS = 2_000_000_000
_MOST_FOLLOWED = 200


class Followed:
    """A run whose journals are read further each time."""

    def __init__(self, directory: RunDirectory) -> None:
        """Read nothing yet.

        Raises:
            StoreError: If it is no run.
        """
        self.directory = directory
        self._reader, self._view = follow(directory, open_sealed(directory))

    def poll(self) -> RunView:
        """Return what all that is written by now comes to."""
        self._view.fold(self._reader.poll())
        if self._view.changes:
            # It may have been moved.
            self.directory.forget()
        return self._view

    def let_go(self) -> None:
        """Read no further."""
        self._view.close()


class Look:
    """The runs of a store at one moment, told by the times of their directories.

    Attributes:
        times: When each run's journal directory changed, in nanoseconds; by ulid.
    """

    def __init__(self, store: Store, *, known: Container[str] = ()) -> None:
        """Look at every run's journal directory once; what is known to be a ulid is not checked again."""
        self._began_ns = time.time_ns()
        self._runs = store.root / "runs"
        self._months: dict[str, str] = {}
        self.times: dict[str, int] = {}
        for month in _names(self._runs):
            found = _times(self._runs / month, known)
            self.times |= found
            self._months |= dict.fromkeys(found, month)

    def is_as_seen(self, ulid: str, seen: int | None) -> bool:
        """Tell whether a run needs not be read again."""
        if seen is None or seen == 0:
            return False
        return seen == (self.times[ulid] if seen > 0 else self._trace(ulid))

    def read(self, ulid: str, followed: dict[str, Followed]) -> Reading | None:
        """Read a run; None if it cannot be read.

        Args:
            ulid: The run.
            followed: Runs that were read before and may still grow; kept up to date.
        """
        seen = self.times[ulid]
        try:
            known = followed.pop(ulid, None) or Followed(self._directory(ulid))
            view = known.poll()
            if not _is_closed(view):
                lives, seen = _lives(view), self._seen(ulid, view)
                # What was written between that reading and now has to be there too.
                view = known.poll()
                seen = seen if _lives(view) == lives else 0
            record = record_of(known.directory.manifest(), view)
        except (StoreError, OSError):
            return None
        if seen == 0 and len(followed) < _MOST_FOLLOWED:
            followed[ulid] = known
        else:
            known.let_go()
        # A directory may change once more within the same tick of the file system's clock.
        is_settled = self._began_ns - self.times[ulid] > _SETTLED_NS
        return Reading(seen if is_settled else 0, record)

    def _directory(self, ulid: str) -> RunDirectory:
        return RunDirectory(Path(f"{self._runs}{os.sep}{self._months[ulid]}{os.sep}{ulid}"))

    def _seen(self, ulid: str, view: RunView) -> int:
        """Return what is remembered of a run that nobody finished, before it is read."""
        lives = _lives(view)
        if lives == {False}:
            return self.times[ulid]
        # Nobody here can see its process. While that is silent, its files say whether it wrote again.
        is_silent = self._began_ns // 1000 - view.updated_us > 2 * STALE_AFTER_US
        return self._trace(ulid) if is_silent and True not in lives else 0

    def _trace(self, ulid: str) -> int:
        """Return a negative number that changes with the sizes and times of a run's journals."""
        journal = f"{self._runs}{os.sep}{self._months[ulid]}{os.sep}{ulid}{os.sep}journal"
        found: list[tuple[str, int, int]] = []
        for name in sorted(_names(journal)):
            try:
                status = os.stat(f"{journal}{os.sep}{name}")  # noqa: PTH116 - many small steps
            except OSError:
                continue
            found.append((name, status.st_size, status.st_mtime_ns))
        digest = hashlib.blake2b(repr(found).encode("utf-8", "surrogateescape"), digest_size=7).digest()
        return -1 - int.from_bytes(digest, "little")


def _is_closed(view: RunView) -> bool:
    sessions = _own(view)
    return bool(sessions) and all(session.exit_code is not None for session in sessions)


def _own(view: RunView) -> list[Session]:
    """Return the parts of the run's own processes."""
    return [session for session in view.sessions.values() if not (session.is_inherited or session.is_edit)]


def _lives(view: RunView) -> set[bool | None]:
    """Return whether each process lives that has not finished its part; None for one that cannot be seen from here."""
    processes = [session.process for session in _own(view) if session.exit_code is None]
    return {is_alive(process) if process else None for process in processes}


def _names(directory: Path | str) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names alone are wanted
    except OSError:
        return []


def _times(month: Path, known: Container[str]) -> dict[str, int]:
    try:
        # Short paths below an open directory take half the time of whole ones.
        place = os.open(month, os.O_RDONLY) if _HAS_DIR_FD else None
    except OSError:
        return {}
    prefix = "" if _HAS_DIR_FD else f"{month}{os.sep}"
    found: dict[str, int] = {}
    try:
        for name in _names(month):
            if name in known or is_ulid(name):
                try:
                    found[name] = os.stat(f"{prefix}{name}/journal", dir_fd=place).st_mtime_ns
                except OSError:
                    continue
    finally:
        if place is not None:
            os.close(place)
    return found
