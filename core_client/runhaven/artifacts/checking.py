"""Looks whether what a store or a folder holds of a version is what was logged."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runhaven.artifacts.fetching import digest_of
from runhaven.artifacts.names import check_path
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
    first: dict[Blob, str] = {}
    for entry in manifest.entries.values():
        for blob in entry.blobs:
            first.setdefault(blob, entry.path)

    def look(blob: Blob) -> str | None:
        return _fault(blobs.path(blob.sha256), blob.sha256)

    with ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 1))) as pool:
        reasons = list(pool.map(look, first))
    bad = {blob: reason for blob, reason in zip(first, reasons, strict=True) if reason}
    return [Fault(entry.path, bad[blob]) for entry in manifest.entries.values() for blob in entry.blobs if blob in bad]


def check_folder(manifest: Manifest, folder: Path) -> list[Fault]:
    """Compare a folder with a version: files that are missing, have changed, or are none of its."""
    found = [_compare(entry, folder) for entry in manifest.entries.values()]
    faults = [fault for fault in found if fault]
    for place, _, names in os.walk(folder):
        for name in names:
            path = (Path(place) / name).relative_to(folder).as_posix()
            if path not in manifest.entries:
                faults.append(Fault(path, "is no file of the artifact"))
    return faults


def _compare(entry: Entry, folder: Path) -> Fault | None:
    if entry.ref is not None and not is_checksum(entry):
        return None
    try:
        reason = _fault(folder / check_path(entry.path), entry.digest)
    except UsageError as error:
        reason = str(error)
    return Fault(entry.path, reason) if reason else None


def _fault(path: Path, sha256: str) -> str | None:
    try:
        return None if digest_of(path) == sha256 else f"{path} has changed"
    except FileNotFoundError:
        return f"{path} is missing"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
