"""Bytes under the name of their content: `<store>/blobs/<aa>/<sha256>`, each stored once however often it is logged."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.errors import NotFoundError
from runhaven.platform.files import BLOCK, copy_file, sync_file, sync_filesystem

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

GRAVE = ".dying-"
"""What the name of a blob that is being deleted begins with; should its deleter be killed, whoever needs it takes it from there."""


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
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):  # noqa: PLR2004 - digits of a SHA-256
            message = f"{sha256!r} is no SHA-256"
            raise ValueError(message)
        return self._root / sha256[:2] / sha256

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
            partial = self._partial()
            try:
                with partial.open("xb", buffering=0) as file:
                    left = memoryview(data)
                    while left:
                        left = left[file.write(left[:BLOCK]) :]
                if waits:
                    sync_file(partial)
                self._enter(partial, blob)
            finally:
                partial.unlink(missing_ok=True)
        return blob

    def settle(self, sha256s: Iterable[str]) -> None:
        """Wait until blobs are on the disk, whoever wrote them.

        Raises:
            OSError: If they could not be written.
        """
        if self._root.is_dir() and not sync_filesystem(self._root):
            for sha256 in sha256s:
                sync_file(self.path(sha256))

    def all(self) -> Iterator[Path]:
        """Go through the files of all blobs, and those that are not whole yet, whose names begin with a dot."""
        for directory, _, names in os.walk(self._root):
            yield from (Path(directory) / name for name in names)

    def put_file(self, path: Path) -> Blob:
        """Keep the bytes of a file as they are at this moment; the file may change while it is copied.

        Raises:
            OSError: If it cannot be read, or the blob not be written.
        """
        with path.open("rb") as file:
            known = Blob(hashlib.file_digest(file, "sha256").hexdigest(), file.tell())
        if self.touch(known):
            return known
        partial = self._partial()
        try:
            copy_file(path, partial)
            with partial.open("rb") as file:
                blob = Blob(hashlib.file_digest(file, "sha256").hexdigest(), file.tell())
            sync_file(partial)
            self._enter(partial, blob)
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
        partial = self._partial()
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

    def _partial(self) -> Path:
        self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self._root / f".{secrets.token_hex(8)}"

    def _enter(self, partial: Path, blob: Blob) -> None:
        """Give whole bytes their name."""
        target = self.path(blob.sha256)
        target.parent.mkdir(mode=0o700, exist_ok=True)
        partial.replace(target)


def _grave(path: Path) -> Path:
    """Return what a blob is called while it is being deleted."""
    return path.with_name(GRAVE + path.name)
