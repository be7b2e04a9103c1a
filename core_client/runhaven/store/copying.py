"""Copies the journals of a run while its processes may go on writing them."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runhaven.platform.files import copy_file

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.store.directory import RunDirectory


def copy_journals(run: RunDirectory, target: Path) -> set[str]:
    """Copy all journals into a directory, and return the names of their writers.

    They are copied against the way of the records, so that none is missed: the newest segment first, the frames last. A
    segment that has begun says that the one before it is full, and one that is gone that the frames hold it.

    Raises:
        OSError: If the copies cannot be written.
    """
    spool = run.manifest().spool_here()
    # A tail that a killed process left in the spool may be moved beside the frames at any moment, never back.
    tails = [path for place in (spool, run.journal) if place is not None for path in place.glob("[!.]*.tail")]
    for path in sorted(tails, key=_number, reverse=True):
        for place in (path, run.journal / path.name):
            with contextlib.suppress(FileNotFoundError):
                _copy_tail(place, target / path.name)
                break
    frames = sorted(run.journal.glob("[!.]*.rhj"))
    for path in frames:
        copy_file(path, target / path.name)
    return {path.stem for path in frames} | {path.name.rsplit(".", 2)[0] for path in tails}


def _number(tail: Path) -> int:
    number = tail.name.split(".")[-2]
    return int(number) if number.isdecimal() else 0


def _copy_tail(path: Path, target: Path) -> None:
    """Copy a segment that may be written meanwhile, so that no record stands behind one that was not there yet."""
    seen = path.read_bytes()
    whole = path.read_bytes()
    with target.open("wb") as file:
        file.write(whole[: len(seen.rstrip(b"\0"))])
        file.truncate(len(seen))
