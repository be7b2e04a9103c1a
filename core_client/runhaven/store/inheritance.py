"""What a fork takes from its parent's directory: a copy of all that its rows are read from."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runhaven.platform.files import copy_file
from runhaven.store.copying import copy_journals
from runhaven.store.directory import Parent

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.store.layout import RunDirectory


def inherit(parent: RunDirectory, fork: RunDirectory, *, step: int) -> Parent:
    """Copy a run's journals, and what was sealed of them; its processes may go on writing meanwhile.

    Raises:
        OSError: If the copies cannot be written.
    """
    origin = parent.manifest()
    writers = copy_journals(parent, fork.journal)
    # Sealing comes before a journal is removed: what has vanished from one is in the other by now.
    _copy_tree(parent.path / "sealed", fork.path / "sealed")
    return Parent(origin.run, origin.id, origin.entity, origin.project, step, origin.began, tuple(sorted(writers)))


def _copy_tree(source: Path, target: Path) -> None:
    for path in source.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            copy = target / path.relative_to(source)
            copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):
                copy_file(path, copy)
