"""Bytes under the name of their content: `<store>/blobs/<aa>/<sha256>`, each stored once however often it is logged."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.errors import NotFoundError
from runhaven.platform.files import copy_file, create, start_writing, sync_file, sync_filesystem, write_all

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

GRAVE = ".dying-"
"""What the name of a blob that is being deleted begins with; should its deleter be killed, whoever needs it takes it from there."""
_DIGITS = 64
_SHA256 = re.compile(rf"[0-9a-f]{{{_DIGITS}}}")
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
        self._top = f"{self._root}{os.sep}"

    def path(self, sha256: str) -> Path:
        """Return where a blob lies, or would.

        Raises:
            ValueError: If that is no SHA-256 in lower-case hexadecimal.
        """
        return Path(self._place(sha256))

    def _place(self, sha256: str) -> str:
        # A text, for a path object costs as much as a system call, and an artifact may have a million files.
        if not _SHA256.fullmatch(sha256):
            message = f"{sha256!r} is no SHA-256"
            raise ValueError(message)
        return f"{self._top}{sha256[:2]}{os.sep}{sha256}"

    def has(self, sha256: str) -> bool:
        """Tell whether a blob is there, be it that a collection of waste was about to take it."""
        place = self._place(sha256)
        return os.path.isfile(place) or self._bring_back(place)

    def open(self, sha256: str) -> FileIO:
        """Open a blob for reading.

        Raises:
            FileNotFoundError: If it is not there.
        """
        place = self._place(sha256)
        try:
            return FileIO(place)
        except FileNotFoundError:
            if not self._bring_back(place):
                raise
            return FileIO(place)

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
        place = self._place(blob.sha256)
        if not self._touch(place, blob.size):
            self._write(place, data, waits=waits)
        return blob

    def _write(self, place: str, data: bytes | memoryview, *, waits: bool) -> None:
        partial = _partial(place)
        try:
            fd = create(partial)
        except FileNotFoundError:
            self._make_room(place)
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
            os.replace(partial, place)
        except BaseException:
            _remove(partial)
            raise

    def _make_room(self, place: str) -> None:
        directory = os.path.dirname(place)
        try:
            os.mkdir(directory, 0o700)
        except FileExistsError:
            pass
        except FileNotFoundError:
            self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            Path(directory).mkdir(mode=0o700, exist_ok=True)

    def settle(self, sha256s: Iterable[str]) -> None:
        """Wait until blobs are on the disk, whoever wrote them.

        Raises:
            OSError: If they could not be written.
        """
        places = [self._place(sha256) for sha256 in sha256s]
        # To wait for the whole file system is to wait for others too, but one wait costs less than many.
        if len(places) <= _FEW or not sync_filesystem(self._root):
            for place in places:
                self._sync(place)

    def _sync(self, place: str) -> None:
        while True:
            try:
                sync_file(place)
            except FileNotFoundError:
                if not self._bring_back(place):
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
        place = self._place(known.sha256)
        self._make_room(place)
        partial = _partial(place)
        try:
            copy_file(path, Path(partial))
            blob = _blob_of(Path(partial))
            sync_file(partial)
            place = self._place(blob.sha256)
            self._make_room(place)
            os.replace(partial, place)
        finally:
            _remove(partial)
        return blob

    def touch(self, blob: Blob) -> bool:
        """Say that a blob is wanted, so that a collection of waste spares it; False if it is not there whole."""
        return self._touch(self._place(blob.sha256), blob.size)

    def _touch(self, place: str, size: int) -> bool:
        while True:
            try:
                if os.stat(place).st_size != size:
                    return False
                os.utime(place)
            except FileNotFoundError:
                if not self._bring_back(place):
                    return False
            except PermissionError:
                # Somebody else's: only a copy of our own can be made to look wanted.
                return self._copy_own(place)
            except OSError:
                return False
            else:
                return True

    def _copy_own(self, place: str) -> bool:
        partial = _partial(place)
        try:
            copy_file(Path(place), Path(partial))
            os.replace(partial, place)
        except OSError:
            return False
        finally:
            _remove(partial)
        return True

    # Away with them

    def bury(self, sha256: str, before_s: float) -> bool:
        """Delete a blob unless somebody wanted it since a time, be it at this very moment; tell whether it went.

        It gets another name first. Whoever wants it from then on finds it gone, and brings it back or writes it anew; who
        wanted it before has left a mark on it, and it is given its name again. One process at a time may do this: what
        lies under the other name is its own.

        Raises:
            OSError: If the store cannot be written.
        """
        place = self._place(sha256)
        try:
            os.replace(place, _grave(place))
        except FileNotFoundError:
            return False
        return self.judge(sha256, before_s)

    def judge(self, sha256: str, before_s: float) -> bool:
        """Do so with what lies under the other name already, left there by a process that was killed.

        Raises:
            OSError: If the store cannot be written.
        """
        place = self._place(sha256)
        grave = _grave(place)
        try:
            is_wanted = os.stat(grave).st_mtime >= before_s
        except FileNotFoundError:
            return False
        if is_wanted:
            self._bring_back(place)
        _remove(grave)
        return not is_wanted

    def _bring_back(self, place: str) -> bool:
        """Give a blob its name again; False if it is not there any more."""
        try:
            os.link(_grave(place), place)
        except FileExistsError:
            pass
        except FileNotFoundError:
            return os.path.exists(place)
        except OSError:
            # A file system without links.
            with contextlib.suppress(FileNotFoundError):
                os.replace(_grave(place), place)
        return os.path.exists(place)


def _blob_of(path: Path) -> Blob:
    with path.open("rb") as file:
        return Blob(hashlib.file_digest(file, "sha256").hexdigest(), file.tell())


def _partial(place: str) -> str:
    """Return what a blob is called until it is whole: a name beside its own, for to rename within a directory is cheap."""
    return place[:-_DIGITS] + f".{secrets.token_hex(8)}"


def _grave(place: str) -> str:
    """Return what a blob is called while it is being deleted."""
    return place[:-_DIGITS] + GRAVE + place[-_DIGITS:]


def _remove(place: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(place)
