"""Alerts: short messages that a run wants a person to see."""

from __future__ import annotations

import time
from datetime import timedelta
from enum import Enum


class AlertLevel(Enum):
    """How much an alert matters."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"


DEFAULT_WAIT_S = 60.0


class Alerts:
    """Decides which alerts are new."""

    def __init__(self) -> None:
        """Start with none seen."""
        self._last: dict[str, float] = {}

    def accept(
        self, title: str, text: str, level: str | AlertLevel | None, wait_duration: float | timedelta | None
    ) -> dict[str, str] | None:
        """Return the alert to keep, or None if one with its title came less than `wait_duration` seconds ago."""
        wait_s = wait_duration.total_seconds() if isinstance(wait_duration, timedelta) else wait_duration
        now = time.monotonic()
        last = self._last.get(title)
        if last is not None and now - last < (DEFAULT_WAIT_S if wait_s is None else wait_s):
            return None
        self._last[title] = now
        word = level.value if isinstance(level, AlertLevel) else str(level or "INFO").upper()
        return {"title": title, "text": text, "level": word if word in AlertLevel.__members__ else "INFO"}
