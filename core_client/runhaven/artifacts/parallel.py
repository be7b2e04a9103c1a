"""Does one thing to many items on several threads, which hashing and copying let run at the same time."""

from __future__ import annotations

import os
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

Item = TypeVar("Item")

THREADS = max(2, min(8, os.cpu_count() or 1))
"""How many threads work at most: so many that a disk or a network has something to do, too few to fill a large machine."""


def for_each(items: Iterable[Item], work: Callable[[Item], object]) -> None:
    """Do something to each item; when one fails, no other is begun, and its error is raised.

    The calling thread works too, and each takes one item after the other: a task for each would cost more than a small file.
    """
    waiting = deque(items)

    def take() -> None:
        try:
            while True:
                try:
                    item = waiting.popleft()
                except IndexError:
                    return
                work(item)
        finally:
            # Empty already, unless something went wrong.
            waiting.clear()

    others = min(THREADS, len(waiting)) - 1
    if others < 1:
        take()
        return
    with ThreadPoolExecutor(others, "runhaven-files") as pool:
        futures = [pool.submit(take) for _ in range(others)]
        take()
        for future in futures:
            future.result()


class Buffers(threading.local):
    """A buffer for each thread: memory that is new for each file would cost as much as the copy."""

    _memory = bytearray()

    def take(self, size: int) -> memoryview:
        """Return this thread's buffer, of so many bytes; it holds anything."""
        if len(self._memory) < size:
            self._memory = bytearray(size)
        return memoryview(self._memory)[:size]
