"""The one background thread of a run: everything that touches the disk or waits for something happens on it."""

from __future__ import annotations

import contextlib
import logging
import select
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runhaven.capture.signals import SignalWatch

logger = logging.getLogger("runhaven")

SERVICE_INTERVAL_S = 0.5


class Task(NamedTuple):
    """Something to do again and again."""

    interval_s: float
    action: Callable[[], None]


class Background:
    """Runs tasks on one daemon thread, sooner when woken, and hears signals even while the main thread is busy in C."""

    def __init__(self, channel: SignalWatch, tasks: Sequence[Task], *, on_signal: Callable[[int], None]) -> None:
        """Prepare the thread.

        Args:
            channel: Wakes the thread and brings signals.
            tasks: What to do, in this order when several are due. A task of `SERVICE_INTERVAL_S` runs at each wake.
            on_signal: Called on the thread with a signal's number.
        """
        self._channel = channel
        self._tasks = tasks
        self._on_signal = on_signal
        self._last: Callable[[], None] | None = None
        self._failed: set[Callable[[], None]] = set()
        self._thread = threading.Thread(target=self._run, name="runhaven", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, last: Callable[[], None], *, timeout_s: float) -> bool:
        """Let the thread do one `last` thing and end; False if it did nothing at all for so long: then it hangs.

        Called on the thread itself, it only notes what to do last.
        """
        self._last = last
        self._channel.wake()
        if threading.current_thread() is self._thread:
            return True
        now, before = self._work(), None
        while self._thread.is_alive() and now != before:
            self._thread.join(timeout_s)
            now, before = self._work(), now
        return not self._thread.is_alive()

    def _work(self) -> str:
        """Return how long the thread has run, which tells a large run on a slow machine from a disk that hangs."""
        with contextlib.suppress(OSError):
            return Path(f"/proc/self/task/{self._thread.native_id}/schedstat").read_text("ascii")
        return ""

    def _run(self) -> None:
        due = [time.monotonic() + task.interval_s for task in self._tasks]
        while self._last is None:
            wait_s = max(0.0, min(due) - time.monotonic())
            try:
                is_called = bool(select.select([self._channel.fileno()], [], [], wait_s)[0])
                # Each system call hands the interpreter to the training and waits to have it back, the dearest thing here.
                signals = self._channel.read() if is_called else []
            except (OSError, ValueError):
                return
            for number in signals:
                self._on_signal(number)
            now = time.monotonic()
            for index, task in enumerate(self._tasks):
                if due[index] <= now or task.interval_s <= SERVICE_INTERVAL_S:
                    self._attempt(task.action)
                    due[index] = now + task.interval_s
        self._attempt(self._last)

    def _attempt(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:
            if action not in self._failed:
                self._failed.add(action)
                logger.debug("a background task failed", exc_info=True)
