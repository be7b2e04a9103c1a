"""What differs between two versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runhaven.artifacts.manifest import Entry, Manifest


class Difference(NamedTuple):
    """How a version differs from another one.

    Attributes:
        added: Entries that only the later one has.
        removed: Entries that only the earlier one has.
        changed: Entries of both with different content, the earlier one first.
        unchanged: How many entries are the same.
        new_bytes: Bytes of blobs that only the later one needs.
        metadata: What each key of the metadata was and is, where that differs; None where it is not there.
    """

    added: list[Entry]
    removed: list[Entry]
    changed: list[tuple[Entry, Entry]]
    unchanged: int
    new_bytes: int
    metadata: dict[str, tuple[Any, Any]]

    @property
    def is_same(self) -> bool:
        """Whether both hold the same files."""
        return not (self.added or self.removed or self.changed)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON's own types: paths with sizes and digests."""

        def told(entry: Entry) -> dict[str, Any]:
            return {"path": entry.path, "size": entry.size, "digest": entry.digest}

        return {
            "added": [told(entry) for entry in self.added],
            "removed": [told(entry) for entry in self.removed],
            "changed": [{**told(after), "before": told(before)} for before, after in self.changed],
            "unchanged": self.unchanged,
            "new_bytes": self.new_bytes,
            "metadata": {key: list(pair) for key, pair in self.metadata.items()},
        }


def compare(
    before: Manifest, after: Manifest, metadata: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {})
) -> Difference:
    """Return how a manifest differs from another one, sorted by path."""
    old, new = before.entries, after.entries
    both = sorted(old.keys() & new.keys())
    changed = [(old[path], new[path]) for path in both if old[path].content != new[path].content]
    had = set(before.blobs())
    was, now = metadata
    keys = sorted(was.keys() | now.keys())
    return Difference(
        added=[new[path] for path in sorted(new.keys() - old.keys())],
        removed=[old[path] for path in sorted(old.keys() - new.keys())],
        changed=changed,
        unchanged=len(both) - len(changed),
        new_bytes=sum(blob.size for blob in set(after.blobs()) - had),
        metadata={key: (was.get(key), now.get(key)) for key in keys if was.get(key) != now.get(key)},
    )
