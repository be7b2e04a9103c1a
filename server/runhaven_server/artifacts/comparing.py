"""How two versions differ: their files, and what was said about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runhaven_server.artifacts.folder import row
from runhaven_server.artifacts.shapes import ChangedFile, Difference
from runhaven_server.values import flat, legible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven.artifacts.artifact import Artifact
    from runhaven.artifacts.manifest import Entry
    from runhaven_server.shapes import Scalar


def compare(before: Artifact, old: Sequence[Entry], after: Artifact, new: Sequence[Entry]) -> Difference:
    """Return how a version differs from another.

    Args:
        before: The version to compare with.
        old: Its files, in the order of their numbers.
        after: The version that is looked at.
        new: Its files, in the order of their numbers.
    """
    was = {entry.path: number for number, entry in enumerate(old)}
    now = {entry.path: number for number, entry in enumerate(new)}
    both = [(was[path], number) for path, number in now.items() if path in was]
    changed = [_changed(old, new, *pair) for pair in both if old[pair[0]].digest != new[pair[1]].digest]
    return Difference(
        before=before.version,
        after=after.version,
        added=[row(number, new[number]) for path, number in now.items() if path not in was],
        removed=[row(number, old[number]) for path, number in was.items() if path not in now],
        changed=changed,
        unchanged=len(both) - len(changed),
        metadata=_changed_metadata(before, after),
    )


def _changed(old: Sequence[Entry], new: Sequence[Entry], was: int, now: int) -> ChangedFile:
    return ChangedFile(
        path=legible(new[now].path),
        size_before=old[was].size,
        size=new[now].size,
        number_before=was,
        number=now,
    )


def _changed_metadata(before: Artifact, after: Artifact) -> dict[str, tuple[Scalar, Scalar]]:
    was, now = flat(before.metadata), flat(after.metadata)
    keys = sorted(was.keys() | now.keys())
    return {key: (was.get(key), now.get(key)) for key in keys if was.get(key) != now.get(key)}
