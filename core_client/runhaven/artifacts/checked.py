"""The bytes of blobs, checked as they are read."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from runhaven.artifacts import checksum
from runhaven.artifacts.manifest import Manifest
from runhaven.errors import StoreError
from runhaven.store.blobs import Blob, Blobs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runhaven.artifacts.artifact import Artifact
    from runhaven.artifacts.manifest import Entry

PIECE = 256 << 10
"""So many bytes are read, checked and written before the next ones, while they are in the processor's cache."""


def pieces(blobs: Blobs, entry: Entry, number: int, buffer: memoryview) -> Iterator[memoryview]:
    """Go through the bytes of a blob in pieces, each of which the next one overwrites; the last comes only if all are right.

    They are checked by the quick checksum, if the manifest has it and it can be computed here, else by their SHA-256.

    Args:
        blobs: Where they come from.
        entry: The file that they belong to.
        number: Which of its blobs they are.
        buffer: Memory for a piece.

    Raises:
        StoreError: If they are missing, or not what was logged.
    """
    blob = entry.blobs[number]
    quick = checksum.begin() if entry.checksums else None
    wanted = entry.checksums[number] if quick else blob.sha256
    whole = quick() if quick else hashlib.sha256()
    left, piece = blob.size, buffer[:0]
    try:
        file = blobs.open(blob.sha256)
    except FileNotFoundError as error:
        raise missing(entry, blob) from error
    with file:
        while left:
            if piece:
                yield piece
            piece = buffer[: file.readinto(buffer[:left])]
            if not piece:
                break
            whole.update(piece)
            left -= len(piece)
        if left or file.read(1) or whole.hexdigest() != wanted:
            raise damaged(entry, blobs.path(blob.sha256))
        yield piece


def read_blob(blobs: Blobs, blob: Blob, entry: Entry | None = None) -> bytes:
    """Return the bytes of a blob.

    Raises:
        StoreError: If they are missing, or not what its name says.
    """
    path = blobs.path(blob.sha256)
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        if not blobs.has(blob.sha256):
            raise missing(entry, blob) from error
        data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != blob.sha256:
        raise damaged(entry, path)
    return data


def read_manifest(store: Path, sha256: str, *, owner: Artifact | None = None) -> Manifest:
    """Return the manifest that a blob of a store holds.

    Raises:
        StoreError: If it is missing or damaged.
    """
    return Manifest.from_bytes(read_blob(Blobs(store), Blob(sha256, 0)), owner=owner)


def missing(entry: Entry | None, blob: Blob) -> StoreError:
    """Return the error for bytes that are not in the store."""
    name = repr(entry.path) if entry else "a manifest"
    return StoreError(
        f"the bytes of {name} are missing from the store: there is no blob {blob.sha256}. Log the file again."
    )


def damaged(entry: Entry | None, path: Path) -> StoreError:
    """Return the error for bytes that have changed in the store."""
    name = repr(entry.path) if entry else "a manifest"
    return StoreError(
        f"the bytes of {name} are damaged: {path} is not what its name says. Delete it and log the file again."
    )
