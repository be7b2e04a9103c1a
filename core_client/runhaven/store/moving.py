"""Moves and copies runs. Entity, project and id are fields: moving a run renames no directory."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from runhaven.capture.environment import user_name
from runhaven.errors import StoreError, UsageError
from runhaven.platform.files import copy_file, replace_atomically
from runhaven.store.copying import copy_journals
from runhaven.store.directory import RunDirectory
from runhaven.store.editing import edit
from runhaven.store.ids import new_ulid
from runhaven.store.spool import make_spool, spool_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runhaven.store.claims import Address
    from runhaven.store.layout import Store

# What speaks of the one run alone: a copy has its own.
_OWN = frozenset({"run.json", "moved.json", "removed.json", "control", "journal"})


def move(store: Store, run: RunDirectory, target: Address) -> None:
    """Give a run another name; see `Store.move`."""
    run.forget()
    source = run.manifest().address
    if target.check() == source:
        return
    try:
        if not store.claims.take(target, run.place):
            raise _taken(target)
        run.rename(target, {"from": list(source), "user": user_name(), "time": time.time_ns() // 1000})
    except OSError as error:
        message = f"run {source} cannot be moved: {error}. Ask the owner of {store.root}."
        raise StoreError(message) from error
    try:
        edit(run, [{"event": "moved", "from": list(source), "to": list(target)}])
    finally:
        store.claims.release(source, run.place)


def copy(store: Store, run: RunDirectory, target: Address) -> RunDirectory:
    """Make a copy of a run; see `Store.copy`."""
    target.check()
    if store.claims.holder(target) is not None:
        raise _taken(target)
    ulid = new_ulid()
    made = RunDirectory(store.path_of(ulid))
    # Until it is whole it lies under a name that no reader takes for a run.
    partial = made.path.with_name(f".copy-{ulid}")
    try:
        _copy_content(run, partial)
        spool = make_spool(spool_for(store.root), ulid)
        manifest = replace(
            run.manifest(),
            **target._asdict(),
            run=ulid,
            host=socket.gethostname(),
            spool=str(spool) if spool else None,
            copied_from=run.ulid,
            copied=time.time_ns() // 1000,
        )
        replace_atomically(partial / "run.json", json.dumps(asdict(manifest)).encode())
        if not store.claims.take(target, made.place):
            raise _taken(target)
        partial.rename(made.path)
    except OSError as error:
        message = (
            f"run {run.manifest().address} cannot be copied: {error}. Check the room and the rights of {store.root}."
        )
        raise StoreError(message) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    edit(made, [{"event": "copied", "from": list(run.manifest().address), "run": run.ulid}])
    return made


def _taken(address: Address) -> UsageError:
    message = f"run {address} exists already; choose another id: move(id=...), copy(id=...), or PROJECT/ID."
    return UsageError(message)


def _copy_content(run: RunDirectory, target: Path) -> None:
    for directory in (target, target / "journal", target / "files", target / "control"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=directory != target)
    copy_journals(run, target / "journal")
    for path in _files(run.path):
        copied = target / path.relative_to(run.path)
        copied.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The run may be replacing one of its files at this moment.
        with contextlib.suppress(FileNotFoundError):
            copy_file(path, copied)
            shutil.copystat(path, copied)


def _files(directory: Path) -> Iterator[Path]:
    """Go through the files that a copy takes over; what a link leads to is not the run's."""
    for place, folders, names in os.walk(directory):
        here = Path(place)
        if here == directory:
            folders[:] = [name for name in folders if name not in _OWN]
            names = [name for name in names if name not in _OWN]  # noqa: PLW2901 - the same, less what is left out
        for name in names:
            if not (here / name).is_symlink():
                yield here / name
