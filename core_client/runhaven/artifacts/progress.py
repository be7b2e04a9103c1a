"""A line on the terminal that says how far a long copy is."""

from __future__ import annotations

import sys
import threading
import time
from typing import Self

from runhaven.settings import resolve

_PATIENCE_S = 1.0
_BEAT_S = 0.2


class Progress:
    """Counts bytes, and shows them when it takes long and somebody looks at a terminal."""

    def __init__(self, what: str, total: int) -> None:
        """Begin.

        Args:
            what: What is done, such as "storing model".
            total: How many bytes there are.
        """
        self._what, self._total, self._done = what, max(total, 1), 0
        self._lock = threading.Lock()
        self._shown_s = time.monotonic() + _PATIENCE_S
        self._width = 0
        stream = sys.__stderr__
        self._stream = stream if stream is not None and stream.isatty() else None

    def add(self, count: int) -> None:
        """Count bytes that are done."""
        with self._lock:
            self._done += count
            now = time.monotonic()
            if self._stream is not None and now >= self._shown_s:
                self._shown_s = now + _BEAT_S
                if not self._width and resolve().silent:
                    self._stream = None
                    return
                share = min(1.0, self._done / self._total)
                self._show(f"runhaven: {self._what} {share:4.0%} of {self._total / 1e6:,.0f} MB")

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Take the line away."""
        if self._width:
            self._show("")

    def _show(self, text: str) -> None:
        assert self._stream is not None
        try:
            self._stream.write(f"\r{text}{' ' * max(0, self._width - len(text))}{'' if text else chr(13)}")
            self._stream.flush()
        except (OSError, ValueError):
            self._stream = None
        self._width = len(text) if self._stream is not None else 0
