"""Runs that were removed: they lie in `<store>/trash/<ulid>/` until they are brought back or purged."""

from __future__ import annotations

import json
import shutil
import socket
import time
from typing import TYPE_CHECKING, NamedTuple

from runhaven.capture.environment import user_name
from runhaven.errors import NotFoundError, StoreError, UsageError
from runhaven.platform.files import replace_atomically
from runhaven.store.directory import FORMAT, RunDirectory, read_json
from runhaven.store.editing import edit
from runhaven.store.ids import is_ulid
from runhaven.store.spool import bring_in

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.store.layout import Store

_NOTE = "removed.json"
_GRAVE = ".purged-"


class Removed(NamedTuple):
    """A run in the trash.

    Attributes:
        run: Its directory, which can be read as any other.
        time_us: When it was removed, microseconds since the epoch; 0 if that cannot be read.
        user: By whom.
    """

    run: RunDirectory
    time_us: int
    user: str


def remove(store: Store, run: RunDirectory) -> None:
    """Move a run to the trash; see `Store.remove`."""
    manifest = run.manifest()
    note = {"format": FORMAT, "time": time.time_ns() // 1000, "user": user_name(), "host": socket.gethostname()}
    try:
        replace_atomically(run.path / _NOTE, json.dumps(note).encode())
        if spool := manifest.spool_here():
            bring_in(run, sorted(spool.glob("*.tail")))
            shutil.rmtree(spool, ignore_errors=True)
        _trash(store).mkdir(mode=0o700, exist_ok=True)
        run.path.rename(_trash(store) / run.ulid)
        store.claims.release(manifest.address, run.place)
    except OSError as error:
        message = f"run {manifest.address} cannot be removed: {error}. Ask the owner of {store.root}."
        raise StoreError(message) from error


def removed(store: Store) -> list[Removed]:
    """List the runs in the trash; see `Store.removed`."""
    if not _trash(store).is_dir():
        return []
    found: list[Removed] = []
    for path in _trash(store).iterdir():
        if is_ulid(path.name) and (path / "run.json").is_file():
            try:
                note = read_json(path / _NOTE)
                found.append(Removed(RunDirectory(path), int(note["time"]), str(note["user"])))
            except (StoreError, KeyError, ValueError):
                found.append(Removed(RunDirectory(path), 0, "unknown"))
    return sorted(found, key=lambda one: one.time_us, reverse=True)


def restore(store: Store, ulid: str, new_id: str | None) -> RunDirectory:
    """Bring a removed run back; see `Store.restore`."""
    one = next((one for one in removed(store) if one.run.ulid == ulid), None)
    if one is None:
        message = f"there is no removed run {ulid!r} in {store.root}; `runhaven rm --undo` lists those that there are."
        raise NotFoundError(message)
    target = RunDirectory(store.path_of(ulid))
    own = one.run.manifest().address
    address = own._replace(id=new_id or own.id).check()
    try:
        if not store.claims.take(address, target.place):
            message = (
                f"{address} belongs to another run by now; bring this one back under another id: "
                f"`runhaven rm --undo {ulid} --id NEW`, or Store.restore({ulid!r}, id=...)."
            )
            raise UsageError(message)
        if address != own:
            one.run.rename(address, {"user": user_name(), "time": time.time_ns() // 1000})
        target.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        one.run.path.rename(target.path)
        (target.path / _NOTE).unlink(missing_ok=True)
    except OSError as error:
        message = f"run {address} cannot be brought back: {error}. Ask the owner of {store.root}."
        raise StoreError(message) from error
    edit(target, [{"event": "restored", "removed": one.time_us, "removed_by": one.user, "id": address.id}])
    return target


def purge(store: Store, older_than_s: float) -> int:
    """Delete for good; see `Store.purge`."""
    limit = (time.time() - older_than_s) * 1e6
    old = [one for one in removed(store) if one.time_us <= limit]
    for one in old:
        # Only whole runs can be brought back: one that is half deleted no longer counts as one.
        one.run.path.rename(one.run.path.with_name(_GRAVE + one.run.ulid))
    for path in _trash(store).glob(f"{_GRAVE}*"):
        shutil.rmtree(path, ignore_errors=True)
    return len(old)


def _trash(store: Store) -> Path:
    return store.root / "trash"
