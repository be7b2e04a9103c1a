"""Folds stretches of the tail into frames at the end of the journal file."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from runhaven.journal.frame import seal_batch, seal_end, seal_header

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from runhaven.journal.layout import Layout
    from runhaven.journal.tail import Segment, Stretch

BATCH_SIZE = 256 << 10
REPEAT_AFTER = 1 << 20
"""A schema that is used on is told again after so many bytes, so that damage to one frame cannot cost the others."""


class JournalFile:
    """The journal file, as its writer sees it; what a failed write left behind is written over."""

    def __init__(self, path: Path, *, header: bytes, layouts: Sequence[Layout], seed: int) -> None:
        """Create the file.

        Args:
            path: Where it goes.
            header: What its first frame says; JSON.
            layouts: The writer's layouts; the place of each is its id.
            seed: Where the writer's checksums start.

        Raises:
            OSError: If it cannot be created.
        """
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._fd = os.open(path, flags, 0o600)
        self._layouts = layouts
        self._seed = seed
        self._end = 0
        self._is_dirty = False
        self._told: dict[int, int] = {}
        self._append(seal_header(header, seed=seed))

    def append(self, segment: Segment, batch: Sequence[Stretch]) -> None:
        """Write stretches of a segment as one frame.

        Raises:
            OSError: If it cannot be written; it may be tried again.
        """
        told: dict[int, int] = {}

        def repeat(tags: set[int]) -> Iterator[Layout]:
            for tag in sorted(tags):
                if tag >= len(self._layouts):
                    continue
                if self._end - self._told.get(tag, self._end) >= REPEAT_AFTER:
                    told[tag] = self._end
                    yield self._layouts[tag]
                elif tag not in self._told:
                    told[tag] = self._end

        frame = seal_batch([segment.piece(stretch) for stretch in batch], repeat=repeat, seed=self._seed)
        self._append(frame)
        self._told |= told

    def _append(self, frame: bytes) -> None:
        written = 0
        os.lseek(self._fd, self._end, os.SEEK_SET)
        while written < len(frame):
            written += os.write(self._fd, memoryview(frame)[written:])
        self._end += len(frame)
        self._is_dirty = True

    def end(self, number: int) -> None:
        """Say that the journal was closed before record `number`.

        Raises:
            OSError: If it cannot be written.
        """
        self._append(seal_end(number, seed=self._seed))

    def sync(self) -> None:
        """Ask the disk to keep what was written so far.

        Raises:
            OSError: If it cannot.
        """
        if self._is_dirty:
            getattr(os, "fdatasync", os.fsync)(self._fd)
            self._is_dirty = False

    def close(self) -> None:
        """Cut off what a failed write left behind, and release the file."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._end)
        os.close(self._fd)

    def disown(self) -> None:
        """Release the file in a forked child, where it is still the parent's."""
        os.close(self._fd)


def next_batch(stretches: Sequence[Stretch]) -> tuple[list[Stretch], list[Stretch]]:
    """Split off about `BATCH_SIZE` bytes; only stretches of a fixed layout are cut."""
    batch: list[Stretch] = []
    room = BATCH_SIZE
    for index, stretch in enumerate(stretches):
        if room <= 0:
            return batch, list(stretches[index:])
        size = stretch.stop - stretch.start
        if stretch.layout is not None and size > room:
            rows = max(1, room // stretch.layout.size)
            stop = stretch.start + rows * stretch.layout.size
            batch.append(stretch._replace(stop=stop))
            rest = stretch._replace(first=stretch.first + rows, start=stop)
            return batch, ([rest] if rest.start < rest.stop else []) + list(stretches[index + 1 :])
        batch.append(stretch)
        room -= size
    return batch, []
