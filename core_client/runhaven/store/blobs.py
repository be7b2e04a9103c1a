"""Bytes under the name of their content: `<store>/blobs/<aa>/<sha256>`, each stored once however often it is logged."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.errors import NotFoundError
from runhaven.platform.files import copy_file, create, start_writing, sync_file, sync_filesystem, write_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

GRAVE = ".dying-"
"""What the name of a blob that is being deleted begins with; should its deleter be killed, whoever needs it takes it from there."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_EARLY = 256 << 10
"""So many bytes begin to be written to the disk at once, while the next ones are hashed."""
_FEW = 8
"""So many blobs are waited for one by one."""


class Blob(NamedTuple):
    """What names a blob.

    Attributes:
        sha256: SHA-256 of its bytes, in hexadecimal.
        size: How many they are.
    """

    sha256: str
    size: int


class Blobs:
    """The blobs of a store. Any number of processes may add the same ones at once."""

    def __init__(self, store: Path) -> None:
        """Name a store's blobs; touches nothing yet.

        Args:
            store: The store's directory.
        """
        self._root = store / "blobs"

    def path(self, sha256: str) -> Path:
        """Return where a blob lies, or would.

        Raises:
            ValueError: If that is no SHA-256 in lower-case hexadecimal.
        """
        if not _SHA256.fullmatch(sha256):
            message = f"{sha256!r} is no SHA-256"
            raise ValueError(message)
        return self._root.joinpath(sha256[:2], sha256)

    def has(self, sha256: str) -> bool:
        """Tell whether a blob is there, be it that a collection of waste was about to take it."""
        path = self.path(sha256)
        return path.is_file() or self._bring_back(path)

    def find(self, reference: Mapping[str, Any]) -> Path:
        """Return where the bytes that a reference in a row names lie.

        Raises:
            NotFoundError: If it names none, or they are not there.
        """
        sha256 = reference.get("sha256")
        with contextlib.suppress(ValueError):
            if isinstance(sha256, str) and self.has(sha256):
                return self.path(sha256)
        message = f"the store holds no bytes for {dict(reference)}."
        raise NotFoundError(message)

    def put(self, data: bytes | memoryview, *, waits: bool = True) -> Blob:
        """Keep some bytes.

        Args:
            data: The bytes.
            waits: Whether they are on the disk when this returns; if not, call `settle` before anything names them.

        Raises:
            OSError: If they cannot be written.
        """
        blob = Blob(hashlib.sha256(data).hexdigest(), len(data))
        if not self.touch(blob):
            self._write(self.path(blob.sha256), data, waits=waits)
        return blob

    def _write(self, path: Path, data: bytes | memoryview, *, waits: bool) -> None:
        partial = _partial(path)
        try:
            fd = create(partial)
        except FileNotFoundError:
            self._make_room(path)
            fd = create(partial)
        try:
            try:
                write_all(fd, data)
                if waits:
                    os.fsync(fd)
                elif len(data) >= _EARLY:
                    start_writing(fd)
            finally:
                os.close(fd)
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise

    def _make_room(self, path: Path) -> None:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.parent.mkdir(mode=0o700, exist_ok=True)

    def settle(self, sha256s: Iterable[str]) -> None:
        """Wait until blobs are on the disk, whoever wrote them.

        Raises:
            OSError: If they could not be written.
        """
        paths = [self.path(sha256) for sha256 in sha256s]
        # To wait for the whole file system is to wait for others too, but one wait costs less than many.
        if len(paths) <= _FEW or not sync_filesystem(self._root):
            for path in paths:
                self._sync(path)

    def _sync(self, path: Path) -> None:
        while True:
            try:
                sync_file(path)
            except FileNotFoundError:
                if not self._bring_back(path):
                    raise
            else:
                return

    def all(self) -> Iterator[Path]:
        """Go through the files of all blobs, and those that are not whole yet, whose names begin with a dot."""
        for directory, _, names in os.walk(self._root):
            yield from (Path(directory) / name for name in names)

    def put_file(self, path: Path) -> Blob:
        """Keep the bytes of a file as they are at this moment; the file may change while it is copied.

        Raises:
            OSError: If it cannot be read, or the blob not be written.
        """
        known = _blob_of(path)
        if self.touch(known):
            return known
        target = self.path(known.sha256)
        self._make_room(target)
        partial = _partial(target)
        try:
            copy_file(path, partial)
            blob = _blob_of(partial)
            sync_file(partial)
            target = self.path(blob.sha256)
            self._make_room(target)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)
        return blob

    def touch(self, blob: Blob) -> bool:
        """Say that a blob is wanted, so that a collection of waste spares it; False if it is not there whole."""
        path = self.path(blob.sha256)
        while True:
            try:
                if path.stat().st_size != blob.size:
                    return False
                os.utime(path)
            except FileNotFoundError:
                if not self._bring_back(path):
                    return False
            except PermissionError:
                # Somebody else's: only a copy of our own can be made to look wanted.
                return self._copy_own(path)
            except OSError:
                return False
            else:
                return True

    def _copy_own(self, path: Path) -> bool:
        partial = _partial(path)
        try:
            copy_file(path, partial)
            partial.replace(path)
        except OSError:
            return False
        finally:
            partial.unlink(missing_ok=True)
        return True

    # Away with them

    def bury(self, sha256: str, before_s: float) -> bool:
        """Delete a blob unless somebody wanted it since a time, be it at this very moment; tell whether it went.

        It gets another name first. Whoever wants it from then on finds it gone, and brings it back or writes it anew; who
        wanted it before has left a mark on it, and it is given its name again.

        Raises:
            OSError: If the store cannot be written.
        """
        path = self.path(sha256)
        grave = _grave(path)
        try:
            path.replace(grave)
            is_wanted = grave.stat().st_mtime >= before_s
        except FileNotFoundError:
            return False
        if is_wanted:
            self._bring_back(path)
        grave.unlink(missing_ok=True)
        return not is_wanted

    def _bring_back(self, path: Path) -> bool:
        """Give a blob its name again; False if it is not there any more."""
        try:
            os.link(_grave(path), path)
        except FileExistsError:
            pass
        except FileNotFoundError:
            return path.exists()
        except OSError:
            # A file system without links.
            with contextlib.suppress(FileNotFoundError):
                _grave(path).replace(path)
        return path.exists()


def _blob_of(path: Path) -> Blob:
    with path.open("rb") as file:
        return Blob(hashlib.file_digest(file, "sha256").hexdigest(), file.tell())


def _partial(path: Path) -> Path:
    """Return what a blob is called until it is whole: a name beside its own, for to rename within a directory is cheap."""
    return path.with_name(f".{secrets.token_hex(8)}")


def _grave(path: Path) -> Path:
    """Return what a blob is called while it is being deleted."""
    return path.with_name(GRAVE + path.name)
