"""What a fork takes from its parent's directory: a copy of all that its rows are read from."""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import TYPE_CHECKING

from runhaven.store.layout import Parent

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from runhaven.store.layout import RunDirectory


def inherit(parent: RunDirectory, fork: RunDirectory, *, step: int) -> Parent:
    """Copy a run's journals, and what was sealed of them; its processes may go on writing meanwhile.

    Raises:
        OSError: If the copies cannot be written.
    """
    origin = parent.manifest()
    writers = _copy_journals(parent, fork.journal)
    # Sealing comes before a journal is removed: what has vanished from one is in the other by now.
    _copy_tree(parent.path / "sealed", fork.path / "sealed")
    return Parent(origin.run, origin.id, origin.entity, origin.project, step, origin.began, tuple(sorted(writers)))


def _copy_journals(parent: RunDirectory, target: Path) -> set[str]:
    spool = parent.manifest().spool_here()
    # A tail that a killed process left in the spool may be moved beside the frames at any moment, never back.
    places = [place for place in (spool, parent.journal) if place is not None]
    names = {path.name for place in places for path in place.glob("*.*") if not path.name.startswith(".")}
    segments = {name: _segment_number(name) for name in names if name.endswith(".tail")}
    frames = {name for name in names if name.endswith(".rhj")}
    # A segment goes on in the next one, and ends as frames: copied backwards, and frames last, no record falls between.
    for name in [*sorted(segments, key=lambda name: -segments[name]), *frames]:
        _copy_first((place / name for place in places), target / name)
    return {name.removesuffix(".rhj") for name in frames} | {name.rsplit(".", 2)[0] for name in segments}


def _segment_number(name: str) -> int:
    number = name.split(".")[-2]
    return int(number) if number.isdecimal() else -1


def _copy_tree(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _copy_first([path], copy)


def _copy_first(sources: Iterable[Path], target: Path) -> None:
    """Copy the first file that is there, down to the disk: the parent may be gone when it is needed."""
    for source in sources:
        with contextlib.suppress(FileNotFoundError), source.open("rb") as original, target.open("wb") as copy:
            shutil.copyfileobj(original, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())
            return
