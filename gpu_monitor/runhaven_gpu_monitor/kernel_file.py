"""Small files in which the kernel tells something. What cannot be read is None: the reading is left out.

Python's own `open` makes seven system calls for such a file, three of which tell nothing. After each of them the thread
waits until the training hands over the interpreter, which takes longer than the call.
"""

from __future__ import annotations

import os

_PIECE = 1 << 16


def read_bytes(path: str) -> bytes:
    """Return what a file holds.

    Raises:
        OSError: If it cannot be read.
    """
    file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        pieces: list[bytes] = []
        # The kernel hands out long lists page by page.
        while piece := os.read(file, _PIECE):
            pieces.append(piece)
    finally:
        os.close(file)
    return b"".join(pieces)


def read_text(path: str) -> str | None:
    """Return what a file holds, without the blanks around it."""
    try:
        return read_bytes(path).decode("utf-8", "replace").strip()
    except OSError:
        return None


def read_number(path: str) -> int | None:
    """Return the whole number that a file holds."""
    try:
        return int(read_text(path) or "")
    except ValueError:
        return None


def list_names(directory: str) -> list[str]:
    """Return the names in a directory."""
    try:
        return os.listdir(directory)
    except OSError:
        return []
