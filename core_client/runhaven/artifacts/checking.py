"""Looks whether what a store or a folder holds of a version is what was logged."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runhaven.artifacts.hashing import digest_of
from runhaven.artifacts.names import check_path
from runhaven.artifacts.parallel import for_each
from runhaven.artifacts.progress import Progress
from runhaven.artifacts.reference import is_checksum
from runhaven.errors import UsageError

if TYPE_CHECKING:
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
            if reason := _fault(blobs.path(blob.sha256), blob.sha256, progress):
                bad[blob] = reason

        for_each(wanted, look)
    return [Fault(entry.path, bad[blob]) for entry in manifest.entries.values() for blob in entry.blobs if blob in bad]


def check_folder(manifest: Manifest, folder: Path) -> list[Fault]:
    """Compare a folder with a version: files that are missing, have changed, or are none of its."""
    bad: dict[str, str] = {}
    with Progress(f"reading {folder}", manifest.size) as progress:

        def look(entry: Entry) -> None:
            if reason := _compare(entry, folder, progress):
                bad[entry.path] = reason

        for_each(manifest.entries.values(), look)
    faults = [Fault(path, bad[path]) for path in manifest.entries if path in bad]
    for place, _, names in os.walk(folder):
        for name in names:
            path = (Path(place) / name).relative_to(folder).as_posix()
            if path not in manifest.entries:
                faults.append(Fault(path, "is no file of the artifact"))
    return faults


def _compare(entry: Entry, folder: Path, progress: Progress) -> str | None:
    if entry.ref is not None and not is_checksum(entry):
        return None
    try:
        return _fault(folder / check_path(entry.path), entry.digest, progress)
    except UsageError as error:
        return str(error)


def _fault(path: Path, sha256: str, progress: Progress) -> str | None:
    try:
        return None if digest_of(path, progress.add) == sha256 else f"{path} has changed"
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
