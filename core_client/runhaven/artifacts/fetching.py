"""Brings the files of a version into a folder: checked by their digests, right ones kept, never through a link.

A file that the file system can clone, which shares the blocks of the store's own and reads none, is not checked.
"""

from __future__ import annotations

import stat
import unicodedata
from typing import TYPE_CHECKING

from runhaven.artifacts import reference
from runhaven.artifacts.checked import PIECE, damaged, missing, pieces
from runhaven.artifacts.hashing import digest_of, is_made_of
from runhaven.artifacts.names import target_in
from runhaven.artifacts.parallel import Buffers, for_each
from runhaven.artifacts.partial import Partial
from runhaven.errors import NotFoundError, StoreError
from runhaven.platform.files import clone_file, link_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runhaven.artifacts.manifest import Entry
    from runhaven.artifacts.progress import Progress
    from runhaven.store.blobs import Blob, Blobs


class Fetching:
    """Brings files into one folder."""

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
        self._buffers = Buffers()
        self._safe: set[Path] = set()
        self._can_clone = True

    def fetch_all(self, entries: list[Entry], *, allow_missing_references: bool = False) -> None:
        """Bring files, large ones one after the other, small ones side by side.

        Raises:
            StoreError: If bytes are missing or damaged.
            NotFoundError: If what a reference names is gone or has changed, and that is not allowed.
            UsageError: If a name would lead out of the folder.
            OSError: If the folder cannot be written.
        """
        for entry in entries:
            if entry.chunks:
                self.fetch(entry)
        others = [entry for entry in entries if not entry.chunks]
        for_each(others, lambda entry: self.fetch(entry, allow_missing_references))
        self._check_twins(entries)

    def _check_twins(self, entries: list[Entry]) -> None:
        """Look again at files whose names differ in case alone, which are one file on macOS and Windows."""
        alike: dict[str, list[Entry]] = {}
        for entry in entries:
            alike.setdefault(unicodedata.normalize("NFC", entry.path).casefold(), []).append(entry)
        for twins in alike.values():
            if len({entry.content for entry in twins}) > 1:
                lost = [
                    one.path for one in twins if one.ref is None and not self._is_right(self._folder / one.path, one)
                ]
                if lost:
                    message = f"{', '.join(repr(one.path) for one in twins)} are one name on the file system of {self._folder}, which can hold but one of them. Download to another one, or bring each alone with get_entry(name).download(root)."
                    raise StoreError(message)

    def fetch(self, entry: Entry, allow_missing_reference: bool = False) -> Path:
        """Bring one file and return where it lies."""
        target = target_in(self._folder, entry.path, safe=self._safe)
        if self._is_right(target, entry):
            self._count(entry.size or 0)
            return target
        partial = Partial(target, entry.digest, self._buffers)
        try:
            if entry.ref is not None:
                self._follow(entry, partial)
            elif entry.chunks:
                partial.join(entry.chunks, lambda number: self._pieces(entry, number), self._count)
            else:
                self._copy(entry, partial)
            partial.put_in_place()
        except NotFoundError as error:
            if not isinstance(error, reference.BrokenOffError):
                partial.remove()
            if not (entry.ref is not None and allow_missing_reference):
                raise
        return target

    def _count(self, size: int) -> None:
        if self._progress is not None:
            self._progress.add(size)

    def _is_right(self, target: Path, entry: Entry) -> bool:
        """Tell whether a file is there already; a link in its place is taken away."""
        try:
            status = target.lstat()
        except OSError:
            return False
        if stat.S_ISLNK(status.st_mode):
            target.unlink()
            return False
        if entry.size is not None and status.st_size != entry.size:
            return False
        if not stat.S_ISREG(status.st_mode) or not (entry.ref is None or reference.is_checksum(entry)):
            return False
        if entry.chunks:
            return is_made_of(target, entry.chunks, self._buffers)
        return digest_of(target) == entry.digest

    def _follow(self, entry: Entry, partial: Partial) -> None:
        """Bring what a reference leads to; from the beginning, unless its digest or its host says that a part of it is right."""
        if reference.is_local(entry) and reference.is_checksum(entry):
            if not partial.copy(reference.local(entry), entry.digest, self._count):
                raise reference.gone(entry, "its content has changed since")
            return
        if reference.is_resumable(entry):
            with partial.open() as file:
                reference.go_on(entry, file, self._count)
        else:
            partial.remove()
            reference.fetch(entry, partial.path)
            self._count(entry.size or 0)
        reference.check(entry, partial.path)

    def _pieces(self, entry: Entry, number: int = 0) -> Iterator[memoryview]:
        return pieces(self._blobs, entry, number, self._buffers.take(PIECE))

    def _copy(self, entry: Entry, partial: Partial) -> None:
        """Link, clone or copy a file that is one blob."""
        (blob,) = entry.blobs
        try:
            if self._is_shared(entry, blob, partial) or partial.write(self._pieces(entry), self._count):
                return
            # Somebody began with it.
            source = self._source(entry, blob)
            if not partial.copy(source, blob.sha256, self._count):
                raise damaged(entry, source)
        except FileNotFoundError as error:
            raise missing(entry, blob) from error
        except StoreError:
            partial.remove()
            raise

    def _is_shared(self, entry: Entry, blob: Blob, partial: Partial) -> bool:
        """Link a file to the store's own or let them share their blocks, if that is wanted or can be; tell whether it was done."""
        # What is half there was not cloned either.
        if not self._hard_links and (not self._can_clone or partial.path.exists()):
            return False
        source = self._source(entry, blob)
        if self._hard_links:
            partial.remove()
            if not link_file(source, partial.path):
                return False
            partial.path.chmod(0o444)
            is_right = digest_of(partial.path) == blob.sha256
        else:
            self._can_clone = clone_file(source, partial.path)
            if not self._can_clone:
                return False
            # To read it would take longer than all else; `verify` does.
            is_right = partial.path.stat().st_size == blob.size
        if not is_right:
            raise damaged(entry, source)
        self._count(blob.size)
        return True

    def _source(self, entry: Entry, blob: Blob) -> Path:
        if not self._blobs.has(blob.sha256):
            raise missing(entry, blob)
        return self._blobs.path(blob.sha256)
