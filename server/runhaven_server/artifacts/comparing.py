"""How two versions differ, with the numbers that name their files in addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runhaven_server.artifacts.folder import row
from runhaven_server.artifacts.shapes import ChangedFile, DifferenceShape
from runhaven_server.values import flat, legible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven.artifacts.artifact import Artifact
    from runhaven.artifacts.manifest import Entry
    from runhaven_server.shapes import Scalar


def compare(before: Artifact, old: Sequence[Entry], after: Artifact, new: Sequence[Entry]) -> DifferenceShape:
    """Return how a version differs from another.

    Args:
        before: The version to compare with.
        old: Its files, in the order of their numbers.
        after: The version that is looked at.
        new: Its files, in the order of their numbers.
    """
    found = after.diff(before)
    was = {entry.path: number for number, entry in enumerate(old)}
    now = {entry.path: number for number, entry in enumerate(new)}
    changed = [
        ChangedFile(
            path=legible(entry.path),
            size_before=earlier.size,
            size=entry.size,
            number_before=was[entry.path],
            number=now[entry.path],
        )
        for earlier, entry in found.changed
    ]
    return DifferenceShape(
        before=before.version,
        after=after.version,
        added=[row(now[entry.path], entry) for entry in found.added],
        removed=[row(was[entry.path], entry) for entry in found.removed],
        changed=changed,
        unchanged=found.unchanged,
        new_bytes=found.new_bytes,
        metadata=_changed_leaves(before, after),
    )


def _changed_leaves(before: Artifact, after: Artifact) -> dict[str, tuple[Scalar, Scalar]]:
    was, now = flat(before.metadata), flat(after.metadata)
    keys = sorted(was.keys() | now.keys())
    return {key: (was.get(key), now.get(key)) for key in keys if was.get(key) != now.get(key)}
