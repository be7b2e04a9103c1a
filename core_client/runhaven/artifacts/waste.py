"""Finds the blobs that nothing needs any more."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from runhaven.artifacts.collection import collections
from runhaven.artifacts.fetching import read_manifest
from runhaven.store.blobs import Blobs

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

SPARED_S = 86400.0
"""What was written or wanted within this time is spared: somebody may be about to name it."""


def needed(store: Path) -> set[str]:
    """Return the blobs that the versions of all artifacts need, and parts that wait to become one.

    Raises:
        StoreError: If a claim or a manifest cannot be read: what it needs is then unknown, and nothing may be called waste.
    """
    found: set[str] = set()
    for collection in collections(store, is_strict=True):
        wanted = [version.manifest for version in collection.versions(is_strict=True) if version.deleted is None]
        for sha256 in {*wanted, *collection.parts()} - found:
            found.add(sha256)
            found.update(blob.sha256 for blob in read_manifest(store, sha256).blobs())
    return found


def unreferenced(
    store: Path,
    keep: Callable[[], Iterable[str]] | None = None,
    *,
    spared_s: float = SPARED_S,
) -> Iterator[tuple[Path, os.stat_result]]:
    """Go through the files among the blobs that nothing needs, with what is known of each.

    Whoever deletes one looks at its time once more just before: a file may be wanted again meanwhile.

    Args:
        store: The store's directory.
        keep: Returns what others need, such as the media of runs, as SHA-256.
        spared_s: How long ago something must have been touched last.

    Raises:
        StoreError: If it cannot be known what is needed.
    """
    before = time.time() - spared_s
    # What is old already before it is asked who needs it cannot be named anew without being touched.
    old = [(path, status) for path in Blobs(store).all() if (status := _status(path)) and status.st_mtime < before]
    wanted = needed(store)
    wanted.update(keep() if keep is not None else ())
    for path, _ in old:
        if path.name not in wanted and (status := _status(path)) and status.st_mtime < before:
            yield path, status


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
