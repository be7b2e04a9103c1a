"""Keeps rich values: taken on the calling thread, encoded and written on one thread of their own."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from runhaven.errors import UsageError
from runhaven.media.cell import error_for
from runhaven.media.kind import Media
from runhaven.media.scrub import Scrub, Scrubbing
from runhaven.media.wrapping import wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from runhaven.media.kind import Reference
    from runhaven.notice import Notices
    from runhaven.rich import Deliver
    from runhaven.store.blobs import Blob

logger = logging.getLogger("runhaven")

MOST_WAITING_BYTES = 256 << 20
WAKING_BYTES = 8 << 20
LONGEST_WAIT_S = 0.05
_POLL_S = 0.002
_IDLE_S = 5.0


class BlobStore(Protocol):
    """Keeps bytes by their content."""

    def put(self, data: bytes) -> Blob:
        """Keep some bytes."""
        ...

    def put_file(self, path: Path) -> Blob:
        """Keep the bytes of a file."""
        ...


Values: TypeAlias = "dict[str, Media | dict[str, Any]]"
"""The rich values of one call, each as it was taken; or what stands for it, where it could not be."""
Parcel: TypeAlias = "tuple[Values, int]"
"""The values of one call, and about how many bytes they hold."""


class Counter(Scrubbing):
    """Puts bytes into a store, and counts what was scrubbed of one call."""

    def __init__(self, blobs: BlobStore, scrub: Scrub | None) -> None:
        """Count from nothing."""
        super().__init__(scrub)
        self._blobs = blobs

    def put(self, data: bytes, format: str) -> Reference:  # noqa: A002 - the word of the reference
        """Keep some bytes."""
        return {**self._blobs.put(data)._asdict(), "format": format}

    def put_file(self, path: Path, format: str) -> Reference:  # noqa: A002 - the word of the reference
        """Keep the bytes of a file."""
        return {**self._blobs.put_file(path)._asdict(), "format": format}


class MediaKeeper:
    """Takes, encodes and keeps the rich values of a run. Thread-safe; a signal handler may come in between.

    Attributes:
        lost: How many values found no room in the queue.
    """

    def __init__(
        self,
        blobs: BlobStore,
        *,
        notices: Notices,
        emit: Callable[[Mapping[str, Any]], None],
        scrub: Callable[[Any], Any] | str | None = None,
        is_strict: bool = False,
        is_inline: bool = False,
    ) -> None:
        """Prepare; the thread starts with the first value.

        Args:
            blobs: Where bytes go.
            notices: Where warnings are printed.
            emit: Appends an event to the run's journal.
            scrub: What pictures have to pass.
            is_strict: Whether a bad value raises.
            is_inline: Whether values are kept at once, on the calling thread; for tests.

        Raises:
            UsageError: In strict mode, if the scrub function cannot be found.
        """
        self.lost = 0
        self._blobs = blobs
        self._notices = notices
        self._emit = emit
        self._scrub = None if scrub is None else Scrub(scrub)
        if self._scrub is not None and self._scrub.problem is not None and is_strict:
            raise self._scrub.problem
        self._is_strict = is_strict
        self._is_inline = is_inline
        self.forget()

    def forget(self) -> None:
        """Let go, in a forked child, of what the parent is keeping."""
        # A reentrant lock, and queues that need none, for a signal handler may log while its thread is in here.
        self._parcels: deque[tuple[Parcel, Deliver, int, int]] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._lock = threading.RLock()
        self._keeping = threading.Lock()
        self._thread: threading.Thread | None = None
        self._taken_bytes = self._done_bytes = self._done = 0

    # On the calling thread

    # What follows is short in calls on purpose: between two steps of a training code has left the processor's caches,
    # and each function that is called costs a microsecond or two, whatever it does.

    def accept(self, values: Mapping[str, Any]) -> Parcel:
        """Take values as they are now.

        Raises:
            UsageError: In strict mode, if one of them is bad.
        """
        found: Values = {}
        weight = 0
        for key, value in values.items():
            try:
                media = value if isinstance(value, Media) else _media(value)
                weight += media.weight() if media.problem is None else 0
            except Exception as error:  # noqa: BLE001 - a bad value may fail in any way
                found[key] = self._refuse(key, value, error)
            else:
                found[key] = media if media.problem is None else self._refuse(key, value, media.problem)
        waiting = self._taken_bytes - self._done_bytes
        if waiting and waiting + weight > MOST_WAITING_BYTES and not self._find_room(weight):
            return self._drop(found), 0
        for key, media in found.items():
            if isinstance(media, Media):
                try:
                    found[key] = taken = media.snapshot()
                    if self._is_strict:
                        self._verify(key, taken)
                except Exception as error:  # noqa: BLE001 - as above
                    found[key] = self._refuse(key, media, error)
        return found, weight

    def _verify(self, key: str, media: Media) -> None:
        media.verify()
        for doubt in media.doubts():
            if self._is_strict:
                message = f"{doubt}."
                raise UsageError(message)
            self._notices.warn(f"{key!r}: {doubt}.", about=f"doubt {doubt}")

    def _refuse(self, key: str, value: object, error: Exception) -> dict[str, Any]:
        message = f"{key!r} was not kept: {error}"
        if self._is_strict:
            raise UsageError(message) from error
        self._notices.warn(message, about=f"media {type(value).__name__} {type(error).__name__} {error}")
        return error_for(value, error)

    def _find_room(self, weight: int) -> bool:
        """Wait a moment for room; False if there is none."""
        deadline = time.monotonic() + LONGEST_WAIT_S
        while (waiting := self._taken_bytes - self._done_bytes) and waiting + weight > MOST_WAITING_BYTES:
            if time.monotonic() >= deadline:
                return False
            self.wake()
            time.sleep(_POLL_S)
        return True

    def _drop(self, values: Values) -> Values:
        self.lost += len(values)
        self._notices.warn(
            f"media are logged faster than they can be written: {MOST_WAITING_BYTES >> 20} MiB wait, and more is left out and "
            "counted. Log fewer or smaller ones, or into a faster store.",
            about="media dropped",
        )
        why = RuntimeError("left out, for too much was waiting to be written")
        return {key: error_for(value, why) if isinstance(value, Media) else value for key, value in values.items()}

    def send(self, parcel: Parcel, deliver: Deliver, step: int, time_us: int) -> None:
        """Have a parcel kept; `deliver` gets its cells, on the thread that keeps it. One at a time."""
        self._taken_bytes += parcel[1]
        self._parcels.append((parcel, deliver, step, time_us))
        if self._is_inline:
            self._keep_all()
        elif self._taken_bytes - self._done_bytes > WAKING_BYTES:
            self.wake()

    def wake(self) -> None:
        """Have what waits kept now.

        That is not done for each value: a thread that wakes at once pushes aside the one that logs, or wants the
        interpreter's lock from it.
        """
        if self._parcels and self._bell.empty():
            with self._lock:
                self._bell.put(None)
                if self._thread is None:
                    self._thread = threading.Thread(target=self._run, name="runhaven-media", daemon=True)
                    self._thread.start()

    def settle(self, *, patience_s: float) -> bool:
        """Wait until all is kept; False if nothing at all moved for so long."""
        seen, since = self._done, time.monotonic()
        pause = _POLL_S / 4
        while self._parcels and threading.current_thread() is not self._thread:
            self.wake()
            if self._done != seen:
                seen, since = self._done, time.monotonic()
            elif time.monotonic() - since > patience_s:
                return False
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        return True

    # On the thread

    def _run(self) -> None:
        while self._is_wanted():
            self._keep_all()

    def _is_wanted(self) -> bool:
        """Wait for the bell; False, and the thread ends, if it was silent for long: runs come and go in one process."""
        with contextlib.suppress(Empty):
            self._bell.get(timeout=_IDLE_S)
            return True
        with self._lock:
            if self._bell.empty():
                self._thread = None
            return self._thread is not None

    def _keep_all(self) -> None:
        if self._keeping.acquire(blocking=False):
            try:
                self._keep_waiting()
            finally:
                self._keeping.release()

    def _keep_waiting(self) -> None:
        while self._parcels:
            (values, weight), deliver, step, time_us = self._parcels[0]
            try:
                deliver(self._keep(values), step, time_us)
            except Exception:
                logger.debug("media could not be kept", exc_info=True)
            finally:
                # Only now: whoever waits for all to be kept waits until there is none.
                self._parcels.popleft()
                self._done_bytes += weight
                self._done += 1

    def _keep(self, values: Values) -> dict[str, Any]:
        cells: dict[str, Any] = {}
        sink = Counter(self._blobs, self._scrub)
        for key, value in values.items():
            if isinstance(value, Media):
                cells |= self._keep_one(key, value, sink)
            else:
                cells[key] = value
        if (receipt := sink.receipt(list(values))) is not None:
            self._emit(receipt)
        return cells

    def _keep_one(self, key: str, value: Media, sink: Counter) -> dict[str, Any]:
        try:
            if not self._is_strict:
                self._verify(key, value)
            return value.keep_as(key, sink)
        except Exception as error:
            logger.debug("%r could not be kept", key, exc_info=True)
            self._notices.warn(
                f"{key!r} was not kept: {error}", about=f"media {type(value).__name__} {type(error).__name__}"
            )
            return {key: error_for(value, error)}


def _media(value: Any) -> Media:
    """Return the media that a value is or stands for.

    Raises:
        UsageError: If it is a list of something else.
    """
    media = wrap(value)
    if media is None:
        message = f"a list of {len(value)} holds values that are no media."
        raise UsageError(message)
    return media
