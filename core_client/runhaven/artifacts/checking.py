"""Looks whether what a store or a folder holds of a version is what was logged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runhaven.artifacts.hashing import digest_of, is_made_of
from runhaven.artifacts.names import check_path
from runhaven.artifacts.parallel import Buffers, for_each
from runhaven.artifacts.progress import Progress
from runhaven.artifacts.reference import is_checksum
from runhaven.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from runhaven.artifacts.manifest import Entry, Manifest
    from runhaven.store.blobs import Blob, Blobs


class Fault(NamedTuple):
    """What is wrong with a file.

    Attributes:
        path: Its path in the artifact.
        reason: What is wrong.
    """

    path: str
    reason: str


def check_store(manifest: Manifest, blobs: Blobs) -> list[Fault]:
    """Read all bytes of a version in the store, and return what is wrong with them."""
    wanted = set(manifest.blobs())
    bad: dict[Blob, str] = {}
    with Progress("reading the store", sum(blob.size for blob in wanted)) as progress:

        def look(blob: Blob) -> None:
            path = blobs.path(blob.sha256)
            if reason := _fault(path, lambda: digest_of(path, progress.add) == blob.sha256):
                bad[blob] = reason

        for_each(wanted, look)
    return [Fault(entry.path, bad[blob]) for entry in manifest.entries.values() for blob in entry.blobs if blob in bad]


def check_folder(manifest: Manifest, folder: Path) -> list[Fault]:
    """Compare a folder with a version: files that are missing, have changed, or are none of its."""
    bad: dict[str, str] = {}
    buffers = Buffers()
    entries = manifest.entries.values()
    with Progress(f"reading {folder}", manifest.size) as progress:

        def look(entry: Entry) -> None:
            if reason := _compare(entry, folder, buffers, progress):
                bad[entry.path] = reason

        # A file in chunks is read by all threads.
        for entry in entries:
            if entry.chunks:
                look(entry)
        for_each([entry for entry in entries if not entry.chunks], look)
    faults = [Fault(path, bad[path]) for path in manifest.entries if path in bad]
    for place, _, names in os.walk(folder):
        for name in names:
            path = (Path(place) / name).relative_to(folder).as_posix()
            if path not in manifest.entries:
                faults.append(Fault(path, "is no file of the artifact"))
    return faults


def _compare(entry: Entry, folder: Path, buffers: Buffers, progress: Progress) -> str | None:
    if entry.ref is not None and not is_checksum(entry):
        return None
    try:
        path = folder / check_path(entry.path)
    except UsageError as error:
        return str(error)
    if entry.chunks:
        return _fault(path, lambda: is_made_of(path, entry.chunks, buffers, progress.add))
    return _fault(path, lambda: digest_of(path, progress.add) == entry.digest)


def _fault(path: Path, is_right: Callable[[], bool]) -> str | None:
    try:
        return None if is_right() else f"{path} has changed"
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
