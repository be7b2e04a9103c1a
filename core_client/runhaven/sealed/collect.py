"""Removes what is not needed any more once a run is sealed: its journals, and files that no manifest names."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from runhaven.journal.reader import JournalReader
from runhaven.platform.process import is_alive
from runhaven.sealed.manifest import newest, place_to_read, unnamed
from runhaven.sealed.seal import checksum
from runhaven.sealed.view import read_view
from runhaven.store.ids import is_ulid

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.sealed.manifest import Manifest
    from runhaven.store.layout import RunDirectory, Store

_FORGOTTEN_S = 86400.0


class Waste(NamedTuple):
    """What can be removed of a run.

    Attributes:
        paths: The files.
        reason: Why the journals have to stay; "" when they need not.
    """

    paths: list[Path]
    reason: str


def find_waste(run: RunDirectory) -> Waste:
    """Return what a run can do without; its journals only once all that they hold is sealed, whole and unharmed."""
    place = place_to_read(run)
    manifest = newest(place)
    paths = unnamed(place, manifest)
    reason = _reason_to_stay(run, place, manifest)
    if not reason:
        paths += [path for path in run.journal.iterdir() if _writer(path) in manifest.positions]
    return Waste(paths, reason)


def find_leavings(store: Store) -> list[Path]:
    """Return directories that became no run, because the process that made them was killed, a day ago or more."""
    old = time.time() - _FORGOTTEN_S
    found: list[Path] = []
    for month in (store.root / "runs").glob("[0-9]*"):
        for path in month.iterdir():
            is_run = is_ulid(path.name) and (path / "run.json").is_file()
            is_ours = is_ulid(path.name) or path.name.startswith((".copy-", ".purged-", ".removed-"))
            if is_ours and not is_run and path.stat().st_mtime < old:
                found.append(path)
    return found


def _writer(path: Path) -> str:
    return path.stem if path.suffix == ".rhj" else path.name.rsplit(".", 2)[0]


def _reason_to_stay(run: RunDirectory, place: Path, manifest: Manifest) -> str:
    if not manifest.segments or place.parent != run.path:
        return "it is sealed in this machine's cache alone" if manifest.segments else "it is not sealed"
    if manifest.damage:
        return "its journals are damaged, and may be all that is left to mend them with"
    sessions = read_view(run).sessions.values()
    if any(
        session.exit_code is None and session.process and is_alive(session.process) is not False for session in sessions
    ):
        return "it may be running"
    spool = run.manifest().spool_here()
    if JournalReader(run.journal, spool=spool, since=manifest.positions).poll():
        return "it has grown since it was sealed"
    try:
        harmed = [name for name, known in manifest.checksums.items() if checksum(place / name) != known]
    except OSError as error:
        return f"a sealed file cannot be read: {error}"
    return f"the sealed file {harmed[0]} has changed since it was written" if harmed else ""
