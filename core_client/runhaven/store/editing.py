"""Changes a run afterwards: each change is one more writer's, says who made it, and leaves what was there as it is."""

from __future__ import annotations

import os
import secrets
import sys
import threading
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from runhaven import __version__
from runhaven.capture.environment import user_name
from runhaven.errors import StoreError
from runhaven.journal.writer import JournalWriter
from runhaven.platform.process import identity
from runhaven.redaction import redact_argv, redact_value
from runhaven.value import to_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from runhaven.store.layout import RunDirectory

_SEGMENT_SIZE = 1 << 16


class Editor:
    """A writer of a run that changes it afterwards; a context manager.

    Attributes:
        journal: Its journal; rows may be written there too, with a `service` after each.
    """

    def __init__(self, directory: RunDirectory, *, after_us: int = 0) -> None:
        """Open a journal of its own in the run.

        Args:
            directory: The run.
            after_us: The newest record that is known of the run; the change counts as later, whatever the clock says.

        Raises:
            StoreError: If the run cannot be written.
        """
        self._directory = directory
        self._time_us = after_us
        self._is_wanted = threading.Event()
        try:
            self.journal = _open_journal(directory, self._is_wanted)
        except OSError as error:
            raise _cannot(directory, error.strerror or str(error)) from error
        start: dict[str, Any] = {
            "event": "start",
            "time": self.now_us(),
            "role": "edit",
            **asdict(identity()),
            "user": user_name(),
            "argv": redact_argv(sys.argv),
            "python": sys.version.partition(" ")[0],
            "runhaven": __version__,
        }
        self.journal.exclusively(self.journal.put_event, start)

    def now_us(self) -> int:
        """Return a time that is later than all that was known when the editor was opened."""
        self._time_us = max(time.time_ns() // 1000, self._time_us + 1)
        return self._time_us

    def put(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Append events, all of them or, should the process be killed, none."""
        if not events:
            return
        whole = [redact_value(to_json(event)) for event in events]
        data: dict[str, Any] = whole[0] if len(whole) == 1 else {"event": "edit", "events": whole}
        self.journal.exclusively(self.journal.put_event, {"time": self.now_us(), **data})
        self.keep_up()

    def keep_up(self) -> None:
        """Do what a run's background thread does, when the journal asks for it."""
        if self._is_wanted.is_set():
            self._is_wanted.clear()
            self.journal.service()

    def __enter__(self) -> Self:
        """Return the editor."""
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        """Close the journal; StoreError if something could not be written."""
        self.journal.service()
        is_whole = not self.journal.has_waiting
        self.journal.close()
        if exc_val is None and not is_whole:
            reason = self.journal.trouble.reason if self.journal.trouble else "the disk is full, or too slow"
            raise _cannot(self._directory, reason)


def edit(directory: RunDirectory, events: Sequence[Mapping[str, Any]], *, after_us: int = 0) -> None:
    """Append events to a run, as one more writer: all of them or, should the process be killed, none.

    Args:
        directory: The run.
        events: What to append; `time` is added.
        after_us: The newest record that is known of the run; the change counts as later, whatever the clock says.

    Raises:
        StoreError: If the run cannot be written.
    """
    with Editor(directory, after_us=after_us) as editor:
        editor.put(events)


def _open_journal(directory: RunDirectory, is_wanted: threading.Event) -> JournalWriter:
    name = f"{max(time.time_ns() // 1_000_000, _newest_ms(directory) + 1):012x}-{secrets.token_hex(3)}"
    header = {"format": 1, "run": directory.ulid, "writer": name}
    spool = directory.manifest().spool_here()
    return JournalWriter(
        directory.journal, name=name, header=header, wake=is_wanted.set, spool=spool, segment_size=_SEGMENT_SIZE
    )


def _newest_ms(directory: RunDirectory) -> int:
    """Return when the newest writer started, by its name: a correction is about the writers before it."""
    newest = max((name for name in os.listdir(directory.journal) if name.endswith(".rhj")), default="")  # noqa: PTH208
    try:
        return int(newest.partition("-")[0], 16)
    except ValueError:
        return 0


def _cannot(directory: RunDirectory, reason: str) -> StoreError:
    message = (
        f"run {directory.path} cannot be edited: {reason}. An edit is written into the run's own directory; make "
        f"{directory.journal} writable, or copy the store to a place that is, and edit the run there."
    )
    return StoreError(message)
