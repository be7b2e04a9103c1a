"""A file that is being brought: should the process be killed, the next one goes on from what is there."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
import threading
from io import FileIO
from itertools import accumulate
from typing import TYPE_CHECKING

from runhaven.artifacts.hashing import holds
from runhaven.artifacts.parallel import for_each
from runhaven.platform.files import create, reserve, write_all

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence
    from pathlib import Path

    from runhaven.artifacts.checksum import Hash
    from runhaven.artifacts.parallel import Buffers
    from runhaven.store.blobs import Blob

_BLOCK = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Partial:
    """What a file is called until it is whole and right.

    The name tells what it shall become, so that the next one who wants that finds it. Nothing in it is believed: it is read
    and compared. Should two bring one file at once, they write the same bytes to the same places.

    Attributes:
        path: Where it lies, beside its target.
    """

    def __init__(self, target: Path, digest: str, buffers: Buffers) -> None:
        """Name it; touches nothing yet.

        Args:
            target: What it is called in the end.
            digest: What its content is called by.
            buffers: What it is read through.
        """
        word = hashlib.sha256(f"{target.name}\0{digest}".encode("utf-8", "surrogatepass")).hexdigest()
        self.path = target.with_name(f".{word[:32]}.part")
        self._target = target
        self._buffers = buffers

    def put_in_place(self) -> None:
        """Give it its own name.

        Raises:
            OSError: If that cannot be.
        """
        try:
            self.path.replace(self._target)
        except FileNotFoundError:
            # Somebody else, who brought the same file, was quicker.
            if not self._target.exists():
                raise

    def remove(self) -> None:
        """Delete it, if it is there."""
        self.path.unlink(missing_ok=True)

    @contextlib.contextmanager
    def open(self) -> Generator[FileIO]:
        """Open it for reading and writing, made if need be; a full disk gets its room back, what else goes wrong leaves it for the next one.

        Raises:
            OSError: If that cannot be.
        """
        try:
            status = self.path.lstat()
            # What has another name too may be the store's own: a link that was made just before the process was killed.
            if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
                self.path.unlink()
        except FileNotFoundError:
            pass
        flags = os.O_CREAT | os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0)
        try:
            with FileIO(os.open(self.path, flags, 0o666), "r+b") as file:
                yield file
        except OSError as error:
            self._give_back(error)
            raise

    def _give_back(self, error: OSError) -> None:
        """Give a full disk its room back."""
        if error.errno in _FULL:
            self.remove()

    def write(self, pieces: Iterable[memoryview], count: Callable[[int], None]) -> bool:
        """Make it some bytes; False, and nothing is done, if there is one already.

        Args:
            pieces: The bytes, one piece behind the other.
            count: Is told how many bytes were written.

        Raises:
            OSError: If it cannot be written.
        """
        try:
            fd = create(self.path)
        except FileExistsError:
            return False
        try:
            for data in pieces:
                write_all(fd, data)
                count(len(data))
        except OSError as error:
            self._give_back(error)
            raise
        finally:
            os.close(fd)
        return True

    def copy(self, source: Path, sha256: str, count: Callable[[int], None]) -> bool:
        """Make it a copy of a file, from where it ends; a beginning that is wrong is written over.

        Args:
            source: The file.
            sha256: What the copy must be.
            count: Is told how many bytes were written.

        Returns:
            Whether it is what it must be; if not, it is gone.

        Raises:
            OSError: If the file cannot be read, or this one not be written.
        """
        with FileIO(source) as read, self.open() as file:
            has_beginning = file.seek(0, os.SEEK_END) > 0
            is_right = self._complete(file, read, count) == sha256
            if not is_right and has_beginning:
                file.seek(0)
                is_right = self._append(file, read, hashlib.sha256(), count) == sha256
        if not is_right:
            self.remove()
        return is_right

    def _complete(self, file: FileIO, read: FileIO, count: Callable[[int], None]) -> str:
        """Read what a file holds, append what another one holds beyond that, and return the SHA-256 of it all."""
        buffer, whole = self._buffers.take(_BLOCK), hashlib.sha256()
        file.seek(0)
        while size := file.readinto(buffer):
            whole.update(buffer[:size])
        return self._append(file, read, whole, count)

    def _append(self, file: FileIO, read: FileIO, whole: Hash, count: Callable[[int], None]) -> str:
        """Copy all that lies beyond where a file stands, let it end there, and return the SHA-256 that comes of it."""
        buffer = self._buffers.take(_BLOCK)
        count(read.seek(file.tell()))
        while size := read.readinto(buffer):
            whole.update(buffer[:size])
            write_all(file.fileno(), buffer[:size])
            count(size)
        file.truncate()
        return whole.hexdigest()

    def join(
        self, chunks: Sequence[Blob], read: Callable[[int], Iterable[memoryview]], count: Callable[[int], None]
    ) -> None:
        """Make it chunks one behind the other, written side by side; those that are there already stay.

        Args:
            chunks: The chunks.
            read: Goes through the bytes of the chunk with a number, piece by piece, and makes sure that they are right.
            count: Is told how many bytes are done.

        Raises:
            OSError: If it cannot be written.
        """
        ends, turn = list(accumulate(chunk.size for chunk in chunks)), threading.Lock()
        # Opened once: somebody else, who brings the same file, may have put it in its place before this is over.
        with self.open() as file:
            has_beginning = file.seek(0, os.SEEK_END) > 0
            reserve(file.fileno(), ends[-1])

            def write(number: int) -> None:
                chunk = chunks[number]
                at = ends[number] - chunk.size
                with turn:
                    is_there = has_beginning and holds(file, at, chunk, self._buffers.take(chunk.size))
                for data in () if is_there else read(number):
                    # Writes to one file wait for each other anyway.
                    with turn:
                        file.seek(at)
                        write_all(file.fileno(), data)
                    at += len(data)
                count(chunk.size)

            for_each(range(len(chunks)), write)
