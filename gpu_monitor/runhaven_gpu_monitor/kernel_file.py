"""Small files in which the kernel tells something. What cannot be read is None: the reading is left out."""

from __future__ import annotations

import os


def read_text(path: str) -> str | None:
    """Return what a file holds, without the blanks around it."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
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
