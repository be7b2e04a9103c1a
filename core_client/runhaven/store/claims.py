"""Claims: which run an id belongs to. One file each, created exclusively, so that two processes never get the same id."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from runhaven.errors import StoreError
from runhaven.platform.files import create_exclusive
from runhaven.platform.lock import FileLock
from runhaven.platform.process import ProcessIdentity, identity, is_alive
from runhaven.store.ids import validate_id

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MAY_TAKE_S = 60.0
_PATIENCE_S = 5.0
_POLL_S = 0.01


class Address(NamedTuple):
    """What a user calls a run."""

    entity: str
    project: str
    id: str

    def __str__(self) -> str:
        """Show it as a path."""
        return "/".join(self)

    def check(self) -> Address:
        """Return it.

        Raises:
            UsageError: If a part of it cannot be a name.
        """
        for kind, text in zip(("entity", "project", "run id"), self, strict=True):
            validate_id(text, kind=kind)
        return self


class Claims:
    """The claims of a store.

    A claim stands while its run says that it has the id, or while the process that took it lives and may be about to
    let the run say so. Any other one is left over from a process that died, and may be taken.
    """

    def __init__(self, directory: Path, says: Callable[[str], Address | None]) -> None:
        """Name the directory; touches nothing yet.

        Args:
            directory: Where the claims lie.
            says: Returns what the run at a place, such as "202607/<ulid>", is called; None if there is none. It may
                raise `StoreError`: a run that cannot be read keeps its id.
        """
        self._directory = directory
        self._says = says

    def _path(self, address: Address) -> Path:
        return self._directory / hashlib.sha256("\0".join(address).encode()).hexdigest()

    def holder(self, address: Address) -> str | None:
        """Return the place of the run that has an id; None if none has."""
        place = str(self._read(address).get("run"))
        try:
            return place if self._says(place) == address else None
        except StoreError:
            return place

    def take(self, address: Address, place: str, *, is_said: bool = False) -> bool:
        """Claim an id for a run; False if another one has it.

        Args:
            address: The id.
            place: Where the run lies.
            is_said: Whether the run says already that it has the id; otherwise it has a minute to say so.

        Raises:
            OSError: If the claim cannot be written.
        """
        note: dict[str, Any] = {"run": place, **address._asdict()}
        if not is_said:
            note |= {"by": asdict(identity()), "time": time.time_ns() // 1000}
        path, data = self._path(address), json.dumps(note).encode()
        if create_exclusive(path, data):
            return True
        if self._stands(address):
            return self._read(address).get("run") == place
        # Nobody may take away what another one has just put in the place of the same left-over claim.
        lock = FileLock(self._directory / ".lock")
        deadline = time.monotonic() + _PATIENCE_S
        while not lock.acquire():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        try:
            if not self._stands(address):
                path.unlink(missing_ok=True)
            return create_exclusive(path, data)
        finally:
            lock.release()

    def release(self, address: Address, place: str) -> None:
        """Give an id back, if it is that run's."""
        if self._read(address).get("run") == place:
            self._path(address).unlink(missing_ok=True)

    def _stands(self, address: Address) -> bool:
        if self.holder(address) is not None:
            return True
        note = self._read(address)
        try:
            alive = is_alive(ProcessIdentity(**note["by"]))
            is_young = time.time() - note["time"] / 1e6 < _MAY_TAKE_S
        except (KeyError, TypeError):
            return False
        return is_young if alive is None else alive and is_young

    def _read(self, address: Address) -> dict[str, Any]:
        try:
            note = json.loads(self._path(address).read_text("utf-8"))
        except (OSError, ValueError):
            return {}
        return cast("dict[str, Any]", note) if isinstance(note, dict) else {}
