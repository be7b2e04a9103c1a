"""Lets one action at a time change something, whichever thread or signal handler it comes from."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Exclusion:
    """What may be changed by one action at a time."""

    def __init__(self) -> None:
        """Let anybody in."""
        self._lock = threading.RLock()
        self._busy = False
        self._deferred: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()

    def exclusively(self, action: Callable[..., object], *arguments: object) -> None:
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

    def _let_in(self) -> None:
        """Start anew in a forked child, where the thread that held the lock may be gone."""
        self._lock = threading.RLock()
        self._busy = False
        self._deferred.clear()


def _nothing() -> None:
    pass
