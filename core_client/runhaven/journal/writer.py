"""Writes one journal: rows and events go to the tail at once, and into compressed frames later.

`put_row` and `put_event` run on the caller's thread and make no system call. Everything that touches the disk happens
in `service` and `close`, on the run's background thread. When that thread cannot make room in time, records wait in a
bounded queue; what no longer fits there is counted, never waited for.
"""

from __future__ import annotations

import contextlib
import os
import queue
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.journal.frame import HEADER_KIND, seal_batch, seal_frame
from runhaven.journal.layout import EVENT_TAG, SCHEMA_TAG, Layout, encode_json, seal_record, seed_for
from runhaven.journal.tail import RESERVE, START_SIZE, Segment, Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from runhaven.journal.frame import Piece
    from runhaven.journal.record import Schema

SEGMENT_SIZE = 4 << 20
FIRST_SEGMENT_SIZE = 1 << 20
BATCH_SIZE = 256 << 10
PATIENCE_S = 0.05
QUEUE_SIZE = 32 << 20
SYNC_INTERVAL_S = 1.0
FOLD_INTERVAL_S = 30.0
SPOOLED_FOLD_INTERVAL_S = 0.5
RETRY_INTERVAL_S = 1.0


class Trouble(NamedTuple):
    """Why records could not go straight to the disk, and how many were given up."""

    reason: str
    lost: int


class _Waiting(NamedTuple):
    layout: Layout | None
    arguments: tuple[Any, ...]
    size: int


class JournalWriter:
    """The one writer of one journal; thread-safe and re-entrant.

    Attributes:
        name: Names the files; sorts by the time the writer started.
        number: The number of the next record.
        trouble: Set while and after records could not be kept safe at once; None when all went well.
    """

    def __init__(
        self,
        directory: Path,
        *,
        name: str,
        header: Mapping[str, Any],
        wake: Callable[[], None],
        spool: Path | None = None,
        segment_size: int = SEGMENT_SIZE,
    ) -> None:
        """Create the journal's first files.

        Args:
            directory: Where the frames go, and the tail unless there is a spool.
            name: Unused so far in `directory`.
            header: Says whose journal this is; JSON.
            wake: Called, from any thread, when `service` should run soon.
            spool: A local directory for the tail of a journal on a network file system.
            segment_size: Bytes of a tail segment; the first one is smaller.

        Raises:
            OSError: If the files cannot be created.
        """
        self.name = name
        self.number = 0
        self._seed = seed_for(name)
        self.trouble: Trouble | None = None
        self._wake = wake
        self._lock = threading.RLock()
        self._busy = False
        self._deferred: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._layouts: dict[Schema, Layout] = {}

        self._tail_directory = spool or directory
        self._fold_interval = SPOOLED_FOLD_INTERVAL_S if spool else FOLD_INTERVAL_S
        self._segment_size = segment_size
        self._segments_made = 0
        self._spares: queue.SimpleQueue[Segment] = queue.SimpleQueue()
        self._wanted_size = 0
        self._retry_at = 0.0
        self._is_stalled = False
        self._waiting: deque[_Waiting] = deque()
        self._waiting_size = 0

        self._retired: deque[tuple[Segment, list[Stretch]]] = deque()
        self._stretches: list[Stretch] = []
        self._stretch: tuple[Layout | None, int, int] | None = None
        self._file = _FrameFile(directory / f"{name}.rhj", seal_frame(HEADER_KIND, 0, 0, encode_json(dict(header))))
        self._folded_at = self._synced_at = time.monotonic()
        self._synced_number = 0
        self._use(self._create(min(FIRST_SEGMENT_SIZE, segment_size)))

    # Calling threads

    def exclusively(self, action: Callable[..., None], *arguments: object) -> None:
        """Run `action` while no other thread writes; called again from within, it runs right after the outer one.

        A signal handler may interrupt an action halfway, on the same thread: its own action then has to wait its turn.
        """
        with self._lock:
            if self._busy:
                self._deferred.append((action, arguments))
                return
            self._busy = True
            try:
                action(*arguments)
                while self._deferred:
                    action, arguments = self._deferred.popleft()
                    action(*arguments)
            finally:
                self._busy = False
            if not self._deferred:
                return
        self.exclusively(_nothing)

    def layout(self, schema: Schema) -> Layout:
        """Return this writer's layout of `schema`, recording the schema when it is new; only within `exclusively`."""
        layout = self._layouts.get(schema)
        if layout is None:
            layout = self._layouts[schema] = Layout(len(self._layouts), schema, seed=self._seed)
            self._put_loose(SCHEMA_TAG, layout.describe())
        return layout

    def put_row(self, layout: Layout, step: int, time_us: int, values: Sequence[Any]) -> None:
        """Append one row; only within `exclusively`. String and JSON cells come as encoded bytes."""
        if self._is_stalled:
            self._queue(_Waiting(layout, (step, time_us, values), layout.size))
            return
        record = layout.pack(self.number, step, time_us, values)
        end = self._segment.end
        stop = end + len(record)
        if stop > self._limit:
            if not self._make_room(len(record)):
                self._queue(_Waiting(layout, (step, time_us, values), layout.size))
                return
            end = self._segment.end
            stop = end + len(record)
        if self._stretch is None or self._stretch[0] is not layout.folds_as:
            self._open_stretch(layout.folds_as)
        self._map[end:stop] = record
        self._segment.end = stop
        self.number += 1

    def put_event(self, data: Mapping[str, Any], vital: bool = False) -> None:
        """Append one event; only within `exclusively`. A vital one may use the room kept free for it."""
        self._put_loose(EVENT_TAG, encode_json(data), vital=vital)

    def _put_loose(self, tag: int, body: bytes, *, vital: bool = False) -> None:
        record = seal_record(self.number, tag, body, seed=self._seed)
        stop = self._segment.end + len(record)
        if (self._is_stalled or stop > self._limit) and not (vital and stop <= self._segment.size):
            if self._is_stalled or not self._make_room(len(record)):
                self._queue(_Waiting(None, (tag, body), len(record)))
                return
            stop = self._segment.end + len(record)
        if self._stretch is None or self._stretch[0] is not None:
            self._open_stretch(None)
        self._map[self._segment.end : stop] = record
        self._segment.end = stop
        self.number += 1

    def _open_stretch(self, layout: Layout | None) -> None:
        self._close_stretch()
        self._stretch = (layout, self.number, self._segment.end)

    def _close_stretch(self) -> None:
        if self._stretch is not None and self._stretch[2] < self._segment.end:
            self._stretches.append(Stretch(*self._stretch, self._segment.end))
        self._stretch = None

    def _make_room(self, size: int) -> bool:
        """Go over the soft limit, or on to the spare segment; False if there is none in time."""
        hard = self._segment.size - RESERVE
        if self._limit < hard:
            self._limit = hard
            self._wake()
            if self._segment.end + size <= hard:
                return True
        self._wanted_size = max(self._wanted_size, size + START_SIZE + RESERVE)
        try:
            spare = self._spares.get(timeout=PATIENCE_S)
        except queue.Empty:
            self._is_stalled = True
            self._complain("the disk is full, or too slow")
            return False
        self._retire()
        self._use(spare)
        return self._segment.end + size <= self._limit or self._make_room(size)

    def _retire(self) -> None:
        self._close_stretch()
        self._retired.append((self._segment, self._stretches))
        self._stretches = []

    def _use(self, segment: Segment) -> None:
        self._segment = segment
        self._map = segment.begin(self.number)
        self._limit = (segment.size - RESERVE) // 2

    def _queue(self, record: _Waiting) -> None:
        if self._waiting_size + record.size > QUEUE_SIZE:
            self._complain("the disk is full, or too slow", lost=int(record.layout is not None))
            return
        self._waiting.append(record)
        self._waiting_size += record.size

    def _complain(self, reason: str, *, lost: int = 0) -> None:
        self.trouble = Trouble(reason, (self.trouble.lost if self.trouble else 0) + lost)

    # Background thread

    def service(self) -> None:
        """Keep a spare segment ready, take in what waits, fold what is due, and sync; never raises."""
        try:
            self._provide()
            self._fold(everything=time.monotonic() - self._folded_at >= self._fold_interval)
            self._sync()
        except OSError as error:
            self._complain(error.strerror or str(error))

    def close(self) -> None:
        """Fold all that is left and remove the tail; what cannot be written stays in the tail."""
        self._retry_at = 0.0
        self.service()
        self.give_up()
        try:
            self._fold(everything=True)
            self._file.sync()
        except OSError as error:
            self._complain(error.strerror or str(error))
        self._file.close()
        self._segment.close(remove=self._segment.folded == self._segment.end)
        for segment, _ in self._retired:
            segment.close(remove=False)
        while not self._spares.empty():
            self._spares.get().close(remove=True)

    def disown(self) -> None:
        """Let go of the files in a forked child, where they are still the parent's."""
        self._file.close()
        for segment in (self._segment, *(segment for segment, _ in self._retired)):
            segment.disown()

    def _create(self, size: int) -> Segment:
        path = self._tail_directory / f"{self.name}.{self._segments_made}.tail"
        segment = Segment(path, size)
        self._segments_made += 1
        return segment

    def _provide(self) -> None:
        """Have a spare ready once the segment in use is half full, and end a stall with it."""
        is_needed = self._limit > self._segment.size // 2 or self._is_stalled
        if not is_needed or not self._spares.empty() or time.monotonic() < self._retry_at:
            return
        try:
            self._spares.put(self._create(max(self._segment_size, self._wanted_size)))
        except OSError:
            self._retry_at = time.monotonic() + RETRY_INTERVAL_S
            raise
        if self._is_stalled:
            self.exclusively(self._resume)

    def _resume(self) -> None:
        self._is_stalled = False
        waiting, self._waiting, self._waiting_size = self._waiting, deque(), 0
        for layout, arguments, _ in waiting:
            if layout is None:
                self._put_loose(*arguments)
            else:
                self.put_row(layout, *arguments)

    def give_up(self) -> None:
        """Count as lost the rows that still wait for room."""
        if not self._is_stalled:
            return
        lost = sum(record.layout is not None for record in self._waiting)
        self._waiting.clear()
        self._complain(self.trouble.reason if self.trouble else "the disk is full, or too slow", lost=lost)

    def _fold(self, *, everything: bool) -> None:
        """Fold the segments left behind, then the one in use if there is enough in it."""
        while True:
            segment, home, is_retired = self._oldest(everything=everything)
            self._fold_stretches(segment, home)
            if not is_retired:
                return
            self._retired.popleft()
            segment.close(remove=True)

    def _oldest(self, *, everything: bool) -> tuple[Segment, list[Stretch], bool]:
        """Return the segment to fold next and its finished stretches."""
        while not self._lock.acquire(timeout=PATIENCE_S / 10):
            self._provide()
        try:
            if self._retired:
                return *self._retired[0], True
            if everything or self._segment.end - self._segment.folded >= BATCH_SIZE:
                self._close_stretch()
                return self._segment, self._stretches, False
            return self._segment, [], False
        finally:
            self._lock.release()

    def _fold_stretches(self, segment: Segment, home: list[Stretch]) -> None:
        """Fold batch by batch what now stands in `home`, taking each batch off once it lies in the file."""
        left = len(home)
        while left:
            batch, rest = _next_batch(home[:left])
            self._file.append(_seal(segment, batch))
            segment.folded = batch[-1].stop
            home[:left] = rest
            left = len(rest)
            self._folded_at = time.monotonic()
            self._provide()

    def _sync(self) -> None:
        now = time.monotonic()
        if self._synced_number == self.number or now - self._synced_at < SYNC_INTERVAL_S:
            return
        self._synced_at, self._synced_number = now, self.number
        self._segment.sync()
        self._file.sync()


def _nothing() -> None:
    pass


def _next_batch(stretches: Sequence[Stretch]) -> tuple[list[Stretch], list[Stretch]]:
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


def _seal(segment: Segment, batch: Sequence[Stretch]) -> bytes:
    pieces = [segment.piece(stretch) for stretch in batch]
    first, last = pieces[0].first, pieces[-1]
    size = len(last.data)
    count = last.first - first + (size // last.layout.size if last.layout else _count_loose(last))
    return seal_batch(first, count, pieces)


def _count_loose(piece: Piece) -> int:
    count = position = 0
    while position < len(piece.data):
        position += int.from_bytes(piece.data[position : position + 4], "little")
        count += 1
    return count


class _FrameFile:
    """The journal file: frames one after the other; what a failed write left behind is written over."""

    def __init__(self, path: Path, header: bytes) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._fd = os.open(path, flags, 0o600)
        self._end = 0
        self._is_dirty = False
        self.append(header)

    def append(self, frame: bytes) -> None:
        written = 0
        os.lseek(self._fd, self._end, os.SEEK_SET)
        while written < len(frame):
            written += os.write(self._fd, memoryview(frame)[written:])
        self._end += len(frame)
        self._is_dirty = True

    def sync(self) -> None:
        if self._is_dirty:
            getattr(os, "fdatasync", os.fsync)(self._fd)
            self._is_dirty = False

    def close(self) -> None:
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._end)
        os.close(self._fd)
