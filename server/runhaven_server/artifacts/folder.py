"""The files of a version, folder by folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runhaven_server.artifacts.shapes import FileRow, FolderList, FolderRow
from runhaven_server.values import legible

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven.artifacts.manifest import Entry


def listing(entries: Sequence[Entry], *, folder: str, search: str, offset: int, limit: int) -> FolderList:
    """Return what lies in a folder; with a search, what is called so in it and below.

    Args:
        entries: All files, in the order of their numbers.
        folder: Its path; "" for the top.
        search: What paths must hold, whatever the case.
        offset: How many files to pass over.
        limit: How many files to list.
    """
    prefix, wanted = f"{folder}/" if folder else "", search.casefold()
    folders: dict[str, FolderRow] = {}
    files: list[tuple[int, Entry]] = []
    for number, entry in enumerate(entries):
        path = legible(entry.path)
        rest = path.removeprefix(prefix)
        if not path.startswith(prefix) or wanted not in path.casefold():
            continue
        if wanted or "/" not in rest:
            files.append((number, entry))
            continue
        below = prefix + rest.partition("/")[0]
        found = folders.setdefault(below, FolderRow(path=below, files=0, size=0))
        found.files += 1
        found.size += entry.size or 0
    shown = [row(number, entry) for number, entry in files[offset : offset + limit]]
    return FolderList(folders=list(folders.values()), files=shown, total=len(files))


def row(number: int, entry: Entry) -> FileRow:
    """Return what is shown of a file."""
    return FileRow(
        number=number,
        path=legible(entry.path),
        size=entry.size,
        digest=legible(entry.digest),
        chunks=len(entry.chunks),
        ref=None if entry.ref is None else legible(entry.ref),
    )
