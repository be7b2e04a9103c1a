"""Tails of journals on network file systems: they lie on a local disk, and outlive a process that was killed there."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from runhaven.platform.files import is_memory, is_network, replace_atomically
from runhaven.platform.process import is_alive
from runhaven.store.view import read_journals

if TYPE_CHECKING:
    from collections.abc import Iterable

    from runhaven.store.layout import RunDirectory, Store


def spool_for(root: Path) -> Path | None:
    """Return a directory on a local disk for the tails of a store on a network file system; None for any other store."""
    if not is_network(root):
        return None
    for candidate in _candidates():
        try:
            candidate.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError:
            continue
        if not is_network(candidate) and not is_memory(candidate):
            return candidate
    return None


def _candidates() -> tuple[Path, Path]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "runhaven" / "spool"
    return cache, Path(tempfile.gettempdir()) / f"runhaven-spool-{os.getuid()}"


def make_spool(base: Path | None, ulid: str) -> Path | None:
    """Create the directory of a run's tails below a spool; None where there is no spool.

    Raises:
        OSError: If it cannot be created.
    """
    tails = base / ulid if base else None
    if tails is not None:
        tails.mkdir(mode=0o700)
    return tails


def recover(store: Store) -> int:
    """Move into their runs the tails that processes of this host left behind when they were killed.

    Any number of processes may do this at once.

    Returns:
        How many segments were moved.

    Raises:
        OSError: If the store cannot be written; nothing is lost then.
    """
    moved = 0
    for base in filter(Path.is_dir, _candidates()):
        for place in base.iterdir():
            run = store.open(place.name)
            if run is not None and run.manifest().spool_here() == place:
                moved += _recover_run(run, place)
    return moved


def _recover_run(run: RunDirectory, spool: Path) -> int:
    dead = {
        writer
        for writer, session in read_journals(run).sessions.items()
        if session.process is not None and is_alive(session.process) is False
    }
    left = [path for path in sorted(spool.glob("*.tail")) if path.name.rsplit(".", 2)[0] in dead]
    bring_in(run, left)
    with contextlib.suppress(OSError):
        spool.rmdir()
    return len(left)


def bring_in(run: RunDirectory, tails: Iterable[Path]) -> None:
    """Move tails out of the spool, beside the frames of their run.

    Raises:
        OSError: If they cannot be written there; they stay where they are then.
    """
    for path in tails:
        # Until it is whole beside the frames it stays here as well: a reader of both takes each record once.
        replace_atomically(run.journal / path.name, path.read_bytes())
        path.unlink(missing_ok=True)
