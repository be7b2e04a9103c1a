"""Writes one journal: rows and events go to the tail at once, and into compressed frames later.

`put_row` and `put_event` run on the caller's thread and make no system call. Everything that touches the disk happens
in `service` and `close`, on the run's background thread. When that thread cannot make room in time, records wait in a
bounded queue; what no longer fits there is counted, never waited for.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.journal.exclusion import Exclusion
from runhaven.journal.fold import BATCH_SIZE, JournalFile, next_batch
from runhaven.journal.layout import (
    CHECKSUM_SIZE,
    EVENT_TAG,
    HEAD,
    SCHEMA_TAG,
    Layout,
    encode_json,
    seal_record,
    seed_for,
)
from runhaven.journal.tail import RESERVE, START_SIZE, Segment, Stretch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from runhaven.journal.record import Schema

SEGMENT_SIZE = 4 << 20
FIRST_SEGMENT_SIZE = 1 << 20
PATIENCE_S = 0.05
QUEUE_SIZE = 32 << 20
SYNC_INTERVAL_S = 1.0
FOLD_INTERVAL_S = 30.0
SPOOLED_FOLD_INTERVAL_S = 0.5
RETRY_INTERVAL_S = 1.0

_NO_ROOM = "the disk is full, or too slow"
_OVERHEAD = 150
_DRAIN_S = 0.02


class Trouble(NamedTuple):
    """Why records could not go straight to the disk, and how many rows were given up."""

    reason: str
    lost: int


class _Waiting(NamedTuple):
    tag: int
    body: bytes
    folds_as: Layout | None


class _Retired(NamedTuple):
    segment: Segment
    stretches: list[Stretch]


class JournalWriter(Exclusion):
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
            segment_size: Bytes of a tail segment, at least four times `RESERVE`; the first one is smaller.

        Raises:
            OSError: If the files cannot be created.
        """
        super().__init__()
        self.name = name
        self.number = 0
        self.trouble: Trouble | None = None
        self._wake = wake
        self._seed = seed_for(name)
        self._is_closed = False
        self._known: dict[Schema, Layout] = {}
        self._layouts: list[Layout] = []

        self._spool = spool
        self._tail_directory = spool or directory
        self._fold_interval = SPOOLED_FOLD_INTERVAL_S if spool else FOLD_INTERVAL_S
        self._segment_size = max(segment_size, 4 * RESERVE)
        self._segments_made = 0
        self._spares: queue.SimpleQueue[Segment] = queue.SimpleQueue()
        self._wanted_size = 0
        self._retry_at = 0.0
        self._patience_s = PATIENCE_S
        self._is_stalled = False
        self._waiting: deque[_Waiting] = deque()
        self._waiting_size = 0

        self._retired: tuple[_Retired, ...] = ()
        self._folded: list[Segment] = []
        self._stretches: list[Stretch] = []
        self._stretch: tuple[Layout | None, int, int] | None = None
        header_json = encode_json(dict(header))
        self._file = JournalFile(directory / f"{name}.rhj", header=header_json, layouts=self._layouts, seed=self._seed)
        self._folded_at = self._synced_at = time.monotonic()
        self._looked_at = self._synced_at - SYNC_INTERVAL_S
        self._synced_number = 0
        self._segment = self._create(min(FIRST_SEGMENT_SIZE, self._segment_size))
        self._map = self._segment.begin(0, seed=self._seed)
        self._limit = _soft_limit(self._segment)

    # Calling threads

    def layout(self, schema: Schema) -> Layout:
        """Return this writer's layout of `schema`, recording the schema when it is new; only within `exclusively`."""
        layout = self._known.get(schema)
        if layout is None:
            layout = Layout(len(self._layouts), schema, seed=self._seed)
            self._layouts += [layout]
            self._put(_Waiting(SCHEMA_TAG, layout.describe(), None))
            self._known[schema] = layout
        return layout

    def put_row(self, layout: Layout, step: int, time_us: int, values: Sequence[Any]) -> None:
        """Append one row; only within `exclusively`. String and JSON cells come as encoded bytes."""
        record = layout.pack(self.number, step, time_us, values)
        stop = self._segment.end + len(record)
        if stop > self._limit:
            if not self._make_room(len(record)):
                self._queue(_Waiting(layout.id, record[HEAD.size : -CHECKSUM_SIZE], layout.folds_as))
                return
            stop = self._segment.end + len(record)
        if self._stretch is None or self._stretch[0] is not layout.folds_as:
            self._open_stretch(layout.folds_as)
        # An interrupt can come with a call only: there is none from here on, so the row is there whole or not at all.
        segment = self._segment
        self._map[segment.end : stop] = record
        segment.end = stop
        self.number += 1

    def put_event(self, data: Mapping[str, Any], vital: bool = False) -> None:
        """Append one event; only within `exclusively`. A vital one may use the room kept free for it."""
        event = _Waiting(EVENT_TAG, encode_json(data), None)
        if not (vital and self._append(event, is_vital=True)):
            self._put(event)

    def _put(self, record: _Waiting) -> None:
        if not self._append(record):
            self._queue(record)

    def _append(self, waiting: _Waiting, *, is_vital: bool = False) -> bool:
        """Copy a record into the tail; False if there is no room."""
        record = seal_record(self.number, waiting.tag, waiting.body, seed=self._seed)
        if is_vital:
            if self._is_closed or self._segment.end + len(record) > self._segment.size:
                return False
        elif self._segment.end + len(record) > self._limit and not self._make_room(len(record)):
            return False
        if self._stretch is None or self._stretch[0] is not waiting.folds_as:
            self._open_stretch(waiting.folds_as)
        segment = self._segment
        stop = segment.end + len(record)
        # No call from here on, as in `put_row`.
        self._map[segment.end : stop] = record
        segment.end = stop
        self.number += 1
        return True

    def _open_stretch(self, layout: Layout | None) -> None:
        self._close_stretch()
        self._stretch = (layout, self.number, self._segment.end)

    def _close_stretch(self) -> None:
        stop = self._segment.end
        if self._stretch is not None and self._stretch[2] < stop:
            closed = [Stretch(*self._stretch, stop)]
            # No call between these two.
            self._stretches += closed
            self._stretch = None

    def _make_room(self, size: int) -> bool:
        """Go over the soft limit, or on to the spare segment; False if there is none in time."""
        if self._is_stalled:
            return False
        hard = self._segment.size - RESERVE
        if self._limit < hard:
            self._limit = hard
            self._wake()
            if self._segment.end + size <= hard:
                return True
        self._wanted_size = max(self._wanted_size, size + START_SIZE + RESERVE)
        try:
            spare = self._spares.get(timeout=self._patience_s) if self._patience_s else self._spares.get_nowait()
        except queue.Empty:
            self._stall()
            return False
        self._move_on(spare)
        return self._segment.end + size <= self._limit or self._make_room(size)

    def _stall(self) -> None:
        """Let records wait in memory from here on."""
        self._is_stalled = True
        self._limit = -1
        self._complain(_NO_ROOM)
        self._wake()

    def _move_on(self, spare: Segment) -> None:
        """Write to another segment from here on."""
        self._close_stretch()
        data = spare.begin(self.number, seed=self._seed)
        limit = _soft_limit(spare)
        retired = (_Retired(self._segment, self._stretches),)
        # An interrupt can come with a call only: there is none in what follows.
        self._retired += retired
        self._segment = spare
        self._map = data
        self._limit = limit
        self._stretches = []
        self._stretch = None

    def _queue(self, record: _Waiting) -> None:
        is_row = record.tag not in (EVENT_TAG, SCHEMA_TAG)
        size = len(record.body) + _OVERHEAD
        # Without its schema a row cannot be read: schemas always find room.
        if self._is_closed or (self._waiting_size + size > QUEUE_SIZE and record.tag != SCHEMA_TAG):
            self._complain("the journal is closed" if self._is_closed else _NO_ROOM, lost=int(is_row))
            return
        self._waiting.append(record)
        self._waiting_size += size

    def _complain(self, reason: str, *, lost: int = 0) -> None:
        self.trouble = Trouble(reason, (self.trouble.lost if self.trouble else 0) + lost)

    # Background thread

    def service(self) -> None:
        """Keep a spare segment ready, take in what waits, fold what is due, and sync; never raises."""
        for action in (self._provide, self._replace_removed, self._fold_due, self._sync):
            try:
                action()
            except OSError as error:
                self._complain(error.strerror or str(error))
            except Exception as error:  # noqa: BLE001 - a bug of ours must not end the thread that keeps all safe
                self._complain(repr(error))

    @property
    def has_waiting(self) -> bool:
        """Whether records wait for room, and would be given up by `close`."""
        return bool(self._waiting)

    def give_up(self) -> None:
        """Count as lost the rows that still wait for room."""
        self.exclusively(self._forget_waiting)

    def close(self) -> None:
        """Fold all that is left and remove the tail; what cannot be written stays in the tail."""
        if self._is_closed:
            return
        self._retry_at = 0.0
        self.service()
        self.give_up()
        self.exclusively(self._end)
        if not self._is_closed:
            # Called by a signal handler that has interrupted a record: it will go on, and the tail is safe as it is.
            return
        is_kept = False
        try:
            self._fold(everything=True)
            self._file.end(self.number)
            self._file.sync()
            is_kept = True
        except OSError as error:
            self._complain(error.strerror or str(error))
        self._release(remove=is_kept)

    def disown(self) -> None:
        """Let go of the files in a forked child, where they are still the parent's."""
        self._let_in()
        self._end()
        with contextlib.suppress(OSError):
            self._file.disown()
        for segment in self._segments():
            with contextlib.suppress(OSError):
                segment.close(remove=False)

    def _segments(self) -> list[Segment]:
        spares: list[Segment] = []
        while not self._spares.empty():
            spares.append(self._spares.get())
        return [*self._folded, *(retired.segment for retired in self._retired), self._segment, *spares]

    def _release(self, *, remove: bool) -> None:
        self._file.close()
        for segment in self._segments():
            # What was never begun holds nothing.
            is_spent = segment.folded == segment.end and (remove or segment.end == START_SIZE)
            with contextlib.suppress(OSError):
                segment.close(remove=is_spent)

    def _end(self) -> None:
        self._is_closed = self._is_stalled = True
        self._limit = -1

    def _forget_waiting(self) -> None:
        lost = sum(record.tag not in (EVENT_TAG, SCHEMA_TAG) for record in self._waiting)
        if self._waiting:
            self._complain(self.trouble.reason if self.trouble else _NO_ROOM, lost=lost)
        kept = [record for record in self._waiting if record.tag == SCHEMA_TAG]
        self._waiting = deque(kept)
        self._waiting_size = sum(len(record.body) + _OVERHEAD for record in kept)

    def _create(self, size: int) -> Segment:
        if self._spool is not None:
            # Somebody may have tidied up the local disk.
            self._spool.mkdir(parents=True, exist_ok=True)
        segment = Segment(self._tail_directory / f"{self.name}.{self._segments_made}.tail", size)
        self._segments_made += 1
        return segment

    def _create_spare(self) -> None:
        try:
            self._spares.put(self._create(max(self._segment_size, self._wanted_size)))
            self._wanted_size = 0
        except OSError:
            self._retry_at = time.monotonic() + RETRY_INTERVAL_S
            raise

    def _provide(self) -> None:
        """Have a spare ready once the segment in use is half full, and end a stall with it."""
        while not self._is_closed and (self._is_stalled or self._limit > self._segment.size // 2):
            if self._spares.empty():
                if time.monotonic() < self._retry_at:
                    return
                self._create_spare()
            if not self._is_stalled:
                return
            self.exclusively(self._resume)

    def _resume(self) -> None:
        """Write some of what waits; the stall is over when nothing is left.

        Only some, for the threads that log have to wait meanwhile.
        """
        self._is_stalled = False
        self._limit = self._segment.size - RESERVE
        self._patience_s = 0.0
        end = time.monotonic() + _DRAIN_S
        while self._waiting and time.monotonic() < end and self._append(self._waiting[0]):
            self._waiting_size -= len(self._waiting.popleft().body) + _OVERHEAD
        self._patience_s = PATIENCE_S
        if self._waiting:
            self._is_stalled = True
            self._limit = -1

    def _replace_removed(self) -> None:
        """Leave a segment that somebody has deleted: what lies in it would die with this process."""
        now = time.monotonic()
        if self._is_closed or now - self._looked_at < SYNC_INTERVAL_S:
            return
        self._looked_at = now
        if self._segment.is_removed():
            self._complain("the tail was deleted")
            if self._spares.empty():
                self._create_spare()
            self.exclusively(self._leave)

    def _leave(self) -> None:
        if not self._is_stalled and not self._spares.empty():
            self._move_on(self._spares.get())

    def _fold_due(self) -> None:
        self._fold(everything=time.monotonic() - self._folded_at >= self._fold_interval)

    def _fold(self, *, everything: bool) -> None:
        """Fold the segments left behind, then the one in use if there is enough in it."""
        while True:
            (segment, home), is_retired = self._oldest(everything=everything)
            self._fold_stretches(segment, home)
            if not is_retired:
                return
            with self._lock:
                self._retired = self._retired[1:]
            self._folded.append(segment)

    def _oldest(self, *, everything: bool) -> tuple[_Retired, bool]:
        """Return the segment to fold next with its finished stretches, and whether it was left behind."""
        while not self._lock.acquire(timeout=PATIENCE_S / 10):
            self._provide()
        try:
            if self._retired:
                return self._retired[0], True
            if everything or self._segment.end - self._segment.folded >= BATCH_SIZE:
                self._close_stretch()
                return _Retired(self._segment, self._stretches), False
            return _Retired(self._segment, []), False
        finally:
            self._lock.release()

    def _fold_stretches(self, segment: Segment, home: list[Stretch]) -> None:
        """Fold batch by batch what now stands in `home`, taking each batch off once it lies in the file."""
        left = len(home)
        while left:
            batch, rest = next_batch(home[:left])
            self._file.append(segment, batch)
            segment.folded = batch[-1].stop
            home[:left] = rest
            left = len(rest)
            self._folded_at = time.monotonic()
            self._provide()

    def _sync(self) -> None:
        now = time.monotonic()
        is_new = self._synced_number != self.number or bool(self._folded)
        if self._is_closed or not is_new or now - self._synced_at < SYNC_INTERVAL_S:
            return
        self._synced_at, self._synced_number = now, self.number
        self._segment.sync()
        self._file.sync()
        # Only now, for a power cut may keep a removal and forget the write before it.
        while self._folded:
            self._folded.pop().close(remove=True)


def _soft_limit(segment: Segment) -> int:
    return (segment.size - RESERVE) // 2
