"""What was used last, as long as it fits."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Keeps values up to a total weight; those that nobody asked for the longest go first. Thread-safe."""

    def __init__(self, most: float) -> None:
        """Keep nothing yet.

        Args:
            most: The greatest sum of weights; the newest value is kept whatever it weighs.
        """
        self._most = most
        self._held: OrderedDict[K, tuple[V, float]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return a value; None if it is not kept."""
        with self._lock:
            if key not in self._held:
                return None
            self._held.move_to_end(key)
            return self._held[key][0]

    def put(self, key: K, value: V, weight: float = 1) -> list[K]:
        """Keep a value, or say what it weighs by now; returns the keys of what went for it."""
        with self._lock:
            self._held[key] = value, weight
            self._held.move_to_end(key)
            gone: list[K] = []
            while len(self._held) > 1 and sum(held for _, held in self._held.values()) > self._most:
                gone.append(self._held.popitem(last=False)[0])
            return gone

    def drop(self, is_meant: Callable[[K], bool]) -> None:
        """Let go of the keys that are meant."""
        with self._lock:
            for key in [key for key in self._held if is_meant(key)]:
                del self._held[key]
