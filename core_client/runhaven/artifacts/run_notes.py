"""Which runs did something with the versions of a collection: one small file a run, so that nobody waits for anybody."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from runhaven.artifacts import note
from runhaven.artifacts.names import VERSION
from runhaven.platform.files import create_exclusive

if TYPE_CHECKING:
    from pathlib import Path


class RunNotes:
    """The runs that used the versions of a collection, or that logged them once more."""

    def __init__(self, directory: Path) -> None:
        """Name a directory; touches nothing yet."""
        self._directory = directory

    def add(self, number: int, run: dict[str, Any]) -> None:
        """Note a run at a version; once more is no mistake.

        Raises:
            OSError: If it cannot be written.
        """
        directory = self._directory / f"v{number}"
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        create_exclusive(directory / f"{run['ulid']}.json", note.to_bytes({**run, "time": time.time_ns() // 1000}))

    def numbers(self) -> list[int]:
        """Return the versions that have notes."""
        return sorted(int(name[1:]) for name in _names(self._directory) if VERSION.fullmatch(name))

    def ulids(self, number: int) -> list[str]:
        """Return the ulids of the runs that are noted at a version, in the order in which the runs began."""
        names = _names(self._directory / f"v{number}")
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json") and name[0] != ".")

    def read(self, number: int, ulid: str) -> dict[str, Any]:
        """Return what was noted of a run: ulid, entity, project, id, name, step, time and perhaps use_as.

        Raises:
            StoreError: If it cannot be read.
        """
        return note.read(self._directory / f"v{number}" / f"{ulid}.json")


def _names(directory: Path) -> list[str]:
    try:
        return os.listdir(directory)  # noqa: PTH208 - names alone are wanted
    except OSError:
        return []
