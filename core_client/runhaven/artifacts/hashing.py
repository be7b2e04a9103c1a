"""What files are called by: the SHA-256 of their bytes, or of the list of their chunks."""

from __future__ import annotations

import hashlib
from io import FileIO
from itertools import accumulate
from typing import TYPE_CHECKING

from runhaven.artifacts.parallel import for_each
from runhaven.platform.files import read_full

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from runhaven.artifacts.parallel import Buffers
    from runhaven.store.blobs import Blob

_CHUNKS = b"runhaven chunks 1\n"


def digest_of(path: Path, count: Callable[[int], None] | None = None) -> str:
    """Return the SHA-256 of a file, in hexadecimal.

    Args:
        path: Where it lies.
        count: Is told how many bytes were read, again and again.

    Raises:
        OSError: If it cannot be read.
    """
    with FileIO(path) if count is None else _Counted(path, count) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_chunks(chunks: Iterable[Blob]) -> str:
    """Return what a file in chunks is called by, in hexadecimal; docs/formats.md defines it.

    The SHA-256 of the whole file would need one thread that reads all of it, and each chunk is hashed anyway.
    """
    whole = hashlib.sha256(_CHUNKS)
    for chunk in chunks:
        whole.update(bytes.fromhex(chunk.sha256) + chunk.size.to_bytes(8, "little"))
    return whole.hexdigest()


def holds(file: FileIO, offset: int, chunk: Blob, buffer: memoryview) -> bool:
    """Tell whether a chunk lies at a place of a file; the buffer, of the chunk's size, then holds its bytes.

    Raises:
        OSError: If the file cannot be read.
    """
    file.seek(offset)
    return read_full(file, buffer) == chunk.size and hashlib.sha256(buffer).hexdigest() == chunk.sha256


def is_made_of(
    path: Path, chunks: Sequence[Blob], buffers: Buffers, count: Callable[[int], None] | None = None
) -> bool:
    """Tell whether a file is chunks one behind the other, which several threads read; once one differs, no other is read.

    Args:
        path: Where it lies.
        chunks: The chunks.
        buffers: What it is read through.
        count: Is told how many bytes were read, again and again.

    Raises:
        OSError: If it cannot be read.
    """
    offsets = list(accumulate((chunk.size for chunk in chunks), initial=0))
    is_right = path.stat().st_size == offsets.pop()

    def look(place: tuple[int, Blob]) -> None:
        nonlocal is_right
        if is_right:
            with FileIO(path) as file:
                if not holds(file, *place, buffers.take(place[1].size)):
                    is_right = False
            if count is not None:
                count(place[1].size)

    for_each(list(zip(offsets, chunks, strict=True)), look)
    return is_right


class _Counted(FileIO):
    def __init__(self, path: Path, count: Callable[[int], None]) -> None:
        super().__init__(path)
        self._count = count

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        size = super().readinto(buffer)
        self._count(size or 0)
        return size or 0
