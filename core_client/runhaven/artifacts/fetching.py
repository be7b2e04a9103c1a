"""Brings the files of a version into a folder: checked by their digests, right ones kept, never through a link.

A file that the file system can clone, which shares the blocks of the store's own and reads none, is not checked.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from runhaven.artifacts import reference
from runhaven.artifacts.chunking import GREATEST
from runhaven.artifacts.manifest import Manifest
from runhaven.artifacts.names import target_in
from runhaven.errors import NotFoundError, StoreError
from runhaven.platform.files import clone_file, copy_file, write_at
from runhaven.store.blobs import Blob, Blobs

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path
    from typing import Self

    from runhaven.artifacts.artifact import Artifact
    from runhaven.artifacts.manifest import Entry
    from runhaven.artifacts.progress import Progress

_BLOCK = 1 << 20


class Fetching:
    """Threads that bring files into one folder; a context manager."""

    def __init__(
        self, blobs: Blobs, folder: Path, *, hard_links: bool = False, progress: Progress | None = None
    ) -> None:
        """Start with nothing to do.

        Args:
            blobs: Where the bytes come from.
            folder: Where the files go.
            hard_links: Link files that are one blob, read-only, where that is possible.
            progress: Is told what is done.
        """
        self._blobs = blobs
        self._folder = folder
        self._hard_links = hard_links
        self._progress = progress
        self._buffers = threading.local()
        self._pool = ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 1)), "runhaven-fetch")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Wait for the threads."""
        self._pool.shutdown(cancel_futures=True)

    def fetch_all(self, entries: list[Entry], *, allow_missing_references: bool = False) -> None:
        """Bring files, large ones one after the other, small ones side by side.

        Raises:
            StoreError: If bytes are missing or damaged.
            NotFoundError: If what a reference names is gone or has changed, and that is not allowed.
            UsageError: If a name would lead out of the folder.
            OSError: If the folder cannot be written.
        """
        waiting = [self._pool.submit(self.fetch, one, allow_missing_references) for one in entries if not one.chunks]
        for entry in entries:
            if entry.chunks:
                self.fetch(entry)
        for future in waiting:
            future.result()

    def fetch(self, entry: Entry, allow_missing_reference: bool = False) -> Path:
        """Bring one file and return where it lies."""
        target = target_in(self._folder, entry.path)
        if target.is_symlink():
            target.unlink()
        if not self._is_right(target, entry):
            partial = target.with_name(f".{secrets.token_hex(8)}")
            try:
                if entry.ref is not None:
                    reference.fetch(entry, partial)
                elif entry.chunks:
                    self._join(entry, partial)
                else:
                    self._copy(entry, partial)
                partial.replace(target)
            except NotFoundError:
                if not (entry.ref is not None and allow_missing_reference):
                    raise
            finally:
                partial.unlink(missing_ok=True)
        if self._progress is not None:
            self._progress.add(entry.size or 0)
        return target

    def _is_right(self, target: Path, entry: Entry) -> bool:
        try:
            status = target.stat()
        except OSError:
            return False
        if entry.size is not None and status.st_size != entry.size:
            return False
        is_known = entry.ref is None or reference.is_checksum(entry)
        return is_known and stat.S_ISREG(status.st_mode) and digest_of(target) == entry.digest

    def _copy(self, entry: Entry, partial: Path) -> None:
        """Copy or link a file that is one blob, and look at what came of it."""
        (blob,) = entry.blobs
        source = self._blobs.path(blob.sha256)
        if not self._blobs.has(blob.sha256):
            raise missing(entry, blob)
        try:
            if self._hard_links:
                source.chmod(0o444)
                os.link(source, partial)
            elif clone_file(source, partial):
                # To read it would take longer than all else; `verify` does.
                if partial.stat().st_size != blob.size:
                    raise damaged(entry, source)
                return
            else:
                copy_file(source, partial)
        except FileNotFoundError as error:
            raise missing(entry, blob) from error
        if digest_of(partial) != blob.sha256:
            raise damaged(entry, source)

    def _join(self, entry: Entry, partial: Path) -> None:
        """Write the chunks of a file side by side, each looked at before it is written."""
        fd = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0), 0o666)
        waiting: list[Future[None]] = []
        offset = 0
        try:
            os.truncate(fd, entry.size or 0)
            for chunk in entry.chunks:
                waiting.append(self._pool.submit(self._write, fd, offset, chunk, entry))
                offset += chunk.size
            for future in waiting:
                future.result()
        finally:
            for future in waiting:
                future.cancel()
            for future in waiting:
                if not future.cancelled():
                    future.exception()
            os.close(fd)

    def _write(self, fd: int, offset: int, chunk: Blob, entry: Entry) -> None:
        # A buffer a thread: memory that is new for each chunk would cost as much as the copy.
        if getattr(self._buffers, "buffer", None) is None or len(self._buffers.buffer) < chunk.size:
            self._buffers.buffer = bytearray(max(chunk.size, GREATEST))
        data = memoryview(self._buffers.buffer)[: chunk.size]
        _fill(self._blobs, chunk, entry, data)
        write_at(fd, data, offset)


def _fill(blobs: Blobs, chunk: Blob, entry: Entry, buffer: memoryview) -> None:
    """Read a blob whose size is known.

    Raises:
        StoreError: If it is missing, or not what its name says.
    """
    path = blobs.path(chunk.sha256)
    if not blobs.has(chunk.sha256):
        raise missing(entry, chunk)
    with path.open("rb", buffering=0) as file:
        done = 0
        while done < len(buffer) and (count := file.readinto(buffer[done:])):
            done += count
        is_longer = file.read(1)
    if done < len(buffer) or is_longer or hashlib.sha256(buffer).hexdigest() != chunk.sha256:
        raise damaged(entry, path)


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


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
