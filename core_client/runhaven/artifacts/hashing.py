"""The SHA-256 of files."""

from __future__ import annotations

import hashlib
from io import FileIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


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


class _Counted(FileIO):
    def __init__(self, path: Path, count: Callable[[int], None]) -> None:
        super().__init__(path)
        self._count = count

    def readinto(self, buffer: bytearray | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        size = super().readinto(buffer)
        self._count(size or 0)
        return size or 0
