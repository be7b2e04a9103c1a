"""Seals, in the background of the server, the runs that are worth it: large ones that are over, and very large ones."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from runhaven.sealed.seal import pending_bytes, seal

if TYPE_CHECKING:
    from runhaven_server.library import Library

logger = logging.getLogger("runhaven")

OVER_BYTES = 1 << 20
LIVE_BYTES = 32 << 20
INTERVAL_S = 5.0


class Sealer:
    """One thread that looks after the runs every few seconds and seals one after the other."""

    def __init__(self, library: Library) -> None:
        """Prepare; `start` begins."""
        self._library = library
        self._over: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="runhaven-sealer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Begin no other run; one that is being sealed may be left half done at any point."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_S):
            try:
                self.seal_due()
            except Exception:
                logger.debug("sealing failed", exc_info=True)

    def seal_due(self) -> int:
        """Seal the runs that are due now; return how many."""
        done = 0
        for ulid, state in self._library.states().items():
            is_over = state != "running"
            if not is_over:
                self._over.discard(ulid)
            directory = None if ulid in self._over or self._stopped.is_set() else self._library.directory(ulid)
            if directory is None:
                continue
            if is_over:
                self._over.add(ulid)
            is_due = pending_bytes(directory) > (OVER_BYTES if is_over else LIVE_BYTES)
            if is_due and seal(directory) is not None:
                self._library.reopen(ulid)
                done += 1
        return done
