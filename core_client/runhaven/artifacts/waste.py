"""Finds the blobs that nothing needs any more."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from runhaven.artifacts.checked import read_manifest
from runhaven.artifacts.collection import collections
from runhaven.store.blobs import GRAVE, Blobs

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from runhaven.artifacts.relations import Key

SPARED_S = 86400.0
"""What was written or wanted within this time is spared: somebody may be about to name it."""
HASH = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
_HASH = re.compile(HASH.pattern.encode())
_LARGEST_JSON = 1 << 30


def needed(store: Path, without: Collection[Key] = ()) -> set[str]:
    """Return the blobs that the versions of all artifacts need, and parts that wait to become one.

    Args:
        store: The store's directory.
        without: Versions that count as deleted, by directory and number.

    Raises:
        StoreError: If a claim or a manifest cannot be read: what it needs is then unknown, and nothing may be called waste.
    """
    found: set[str] = set()
    objects: set[str] = set()
    for collection in collections(store, is_strict=True):
        standing = [one for one in collection.versions(is_strict=True) if one.deleted is None]
        wanted = [one.manifest for one in standing if (collection.path.name, one.number) not in without]
        for sha256 in {*wanted, *collection.parts()} - found:
            found.add(sha256)
            for entry in read_manifest(store, sha256).entries.values():
                found.update(blob.sha256 for blob in entry.blobs)
                objects.update(blob.sha256 for blob in entry.blobs if "class" in entry.extra)
    return found | named_within(Blobs(store), objects)


def named_within(blobs: Blobs, sha256s: Iterable[str]) -> set[str]:
    """Return blobs, and all that those of them which are JSON name, such as the pictures of a table."""
    found: set[str] = set()
    border = set(sha256s)
    while border:
        found |= border
        border = {name for sha256 in border for name in _named_in(blobs.path(sha256))} - found
    return found


def _named_in(path: Path) -> set[str]:
    try:
        with path.open("rb") as file:
            if file.read(1) not in {b"{", b"["} or path.stat().st_size > _LARGEST_JSON:
                return set()
            return {name.decode() for name in _HASH.findall(file.read())}
    except OSError:
        return set()


def unreferenced(
    store: Path,
    keep: Callable[[], Iterable[str]] | None = None,
    *,
    spared_s: float = SPARED_S,
    without: Collection[Key] = (),
) -> Iterator[tuple[Path, os.stat_result]]:
    """Go through the files among the blobs that nothing needs, with what is known of each; `discard` deletes one.

    Args:
        store: The store's directory.
        keep: Returns what others need, such as the media of runs, as SHA-256.
        spared_s: How long ago something must have been touched last.
        without: Versions that count as deleted, by directory and number.

    Raises:
        StoreError: If it cannot be known what is needed.
    """
    blobs, before = Blobs(store), time.time() - spared_s
    # What is old already before it is asked who needs it cannot be named anew without being touched.
    old = [(path, status) for path in blobs.all() if (status := _status(path)) and status.st_mtime < before]
    wanted = needed(store, without)
    wanted.update(keep() if keep is not None else ())
    for path, _ in old:
        name = path.name.removeprefix(GRAVE)
        is_free = name not in wanted or (name != path.name and path.with_name(name).exists())
        if is_free and (status := _status(path)) and status.st_mtime < before:
            yield path, status


def discard(store: Path, path: Path, *, spared_s: float = SPARED_S) -> bool:
    """Delete a file that `unreferenced` found, unless somebody wanted it meanwhile; tell whether it went.

    Raises:
        OSError: If the store cannot be written.
    """
    blobs, before = Blobs(store), time.time() - spared_s
    if path.name.startswith(GRAVE):
        # It need not be what was found there: since then another process may have put something newer in its place.
        return blobs.judge(path.name.removeprefix(GRAVE), before)
    if path.name.startswith("."):
        # What a killed process did not finish to write.
        path.unlink(missing_ok=True)
        return True
    return blobs.bury(path.name, before)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
