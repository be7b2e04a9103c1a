"""Does one thing to many items on several threads, which hashing and copying let run at the same time."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from operator import length_hint
from typing import TYPE_CHECKING, Generic, TypeVar

from runhaven.platform.memory import pages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

Item = TypeVar("Item")

THREADS = max(2, min(8, os.cpu_count() or 1))
"""How many threads work at most: so many that a disk or a network has something to do, too few to fill a large machine."""


def for_each(items: Iterable[Item], work: Callable[[Item], object], *, count: int = THREADS) -> None:
    """Do something to each item; when one fails, no other is begun, and its error is raised.

    The calling thread works too, and each takes one item after the other: a task for each would cost more than a small file.

    Args:
        items: The items; they may be made as they are asked for, which one thread does at a time.
        work: What is done to each.
        count: About how many there are, if they do not tell: no thread is started for nothing.
    """
    shared = _Shared(items)

    def take() -> None:
        try:
            for item in shared:
                work(item)
        finally:
            # Empty already, unless something went wrong.
            shared.close()

    others = min(THREADS, length_hint(items, count)) - 1
    if others < 1:
        take()
        return
    with ThreadPoolExecutor(others, "runhaven-files") as pool:
        futures = [pool.submit(take) for _ in range(others)]
        take()
        for future in futures:
            future.result()


class _Shared(Generic[Item]):
    """Items that several threads go through together: each is one thread's."""

    def __init__(self, items: Iterable[Item]) -> None:
        self._items = iter(items)
        self._lock = threading.Lock()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        with self._lock:
            return next(self._items)

    def close(self) -> None:
        with self._lock:
            if isinstance(self._items, Generator):
                # It may hold a file open, and an error that somebody keeps holds it.
                self._items.close()
            self._items = iter(())


class Buffers(threading.local):
    """A buffer for each thread: memory that is new for each file would cost as much as the copy."""

    _memory = memoryview(b"")

    def take(self, size: int) -> memoryview:
        """Return this thread's buffer, of so many bytes; it holds anything."""
        if len(self._memory) < size:
            self._memory = memoryview(pages(max(size, 2 * len(self._memory))))
        return self._memory[:size]
