"""Imports made in the sampler's thread, which a fork waits for."""

from __future__ import annotations

import os
import threading

_FORK_WAITS_S = 2.0


class ForkGuard:
    """A block in which no other thread forks.

    A child that is forked while another thread imports a module inherits that module's lock, held by a thread that does
    not exist there: importing the same module then hangs for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._is_held = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(before=self._hold, after_in_parent=self._let_go, after_in_child=self._renew)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _hold(self) -> None:
        self._is_held = self._lock.acquire(timeout=_FORK_WAITS_S)

    def _let_go(self) -> None:
        if self._is_held:
            self._lock.release()

    def _renew(self) -> None:
        self._lock = threading.RLock()


imports = ForkGuard()
"""Wraps every import that the sampler's thread makes."""
