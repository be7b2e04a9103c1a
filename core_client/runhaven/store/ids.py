"""Ids of runs: time-sorted ones for directories, short ones for people."""

from __future__ import annotations

import os
import secrets
import threading
import time

from runhaven.errors import UsageError

ULID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
ULID_LENGTH = 26
RUN_ID_LENGTH = 8
_RUN_ID_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
_FORBIDDEN = frozenset("/\\#?%:")
_MAX_LENGTH = 128
_RANDOM_BITS = 80


class _UlidClock:
    """Makes ids that sort in the order they were made, within one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._pid = 0

    def next(self) -> int:
        fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        with self._lock:
            # A forked child remembers its parent's last id and would count on from the same one.
            is_ours = self._pid == os.getpid()
            self._pid = os.getpid()
            self._last = max(fresh, self._last + 1) if is_ours else fresh
            return self._last

    def renew_lock(self) -> None:
        self._lock = threading.Lock()


_clock = _UlidClock()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_clock.renew_lock)


def new_ulid() -> str:
    """Return a new id that sorts after all earlier ones of this process."""
    number = _clock.next()
    return "".join(ULID_ALPHABET[number >> shift & 31] for shift in range(5 * (ULID_LENGTH - 1), -1, -5))


def is_ulid(text: str) -> bool:
    """Tell whether a text has the form of an id that `new_ulid` makes."""
    return len(text) == ULID_LENGTH and text[0] <= "7" and all(letter in ULID_ALPHABET for letter in text)


def ulid_time_ms(ulid: str) -> int:
    """Return when an id was made, in milliseconds since the epoch."""
    number = 0
    for letter in ulid[:10]:
        number = number << 5 | ULID_ALPHABET.index(letter)
    return number


def new_run_id() -> str:
    """Return a random id of eight lowercase letters and digits."""
    return "".join(secrets.choice(_RUN_ID_ALPHABET) for _ in range(RUN_ID_LENGTH))


def validate_id(text: str, *, kind: str = "run id") -> str:
    """Return the text if it can name a run, a project or an entity.

    Args:
        text: What the user chose.
        kind: What it is, for the message.

    Raises:
        UsageError: If it is empty, too long, or holds a character that paths and addresses give a meaning.
    """
    bad = sorted({letter for letter in text if letter in _FORBIDDEN or ord(letter) < ord(" ")})
    if bad:
        listed = " ".join(repr(letter) for letter in bad)
        message = (
            f"The {kind} {text!r} holds {listed}; leave out {' '.join(sorted(_FORBIDDEN))} and control characters."
        )
        raise UsageError(message)
    if not text.strip() or text in {".", ".."}:
        message = f"The {kind} {text!r} says nothing; choose a word."
        raise UsageError(message)
    if len(text) > _MAX_LENGTH:
        message = f"The {kind} {text[:20]!r}... has {len(text)} characters; use at most {_MAX_LENGTH}."
        raise UsageError(message)
    return text
