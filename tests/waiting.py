"""Waiting for what a test claims, however long a busy machine takes for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")

# Ends a test that waits for what never comes; nothing is expected to take this long.
PATIENCE_S = 120


def until(check: Callable[[], Found], *, every_s: float = 0.02) -> Found:
    """Ask again and again; returns the first answer that is true.

    Raises:
        AssertionError: no answer was true; the last one is told.
    """
    deadline = time.monotonic() + PATIENCE_S
    while not (answer := check()):
        assert time.monotonic() < deadline, f"waited {PATIENCE_S} s; the last answer was {answer!r}"
        time.sleep(every_s)
    return answer
