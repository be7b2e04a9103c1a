"""Keeps what the process prints: finished lines with their time, progress bars collapsed to their last state."""

from __future__ import annotations

import contextlib
import re
import sys
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from runhaven.redaction import MASK, redact_text

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_BYTES = 64 << 20
TAIL_BYTES = 1 << 20
_MAX_LINE = 16 << 10
_MAX_CHUNKS = 200_000
_UP = re.compile(r"\x1b\[(\d*)A")
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")

Line = tuple[int, str]


class Console:
    """Stands behind `sys.stdout.write` and `sys.stderr.write` without changing what they do."""

    def __init__(self, emit: Callable[[str, list[Line]], None], *, max_bytes: int = MAX_BYTES) -> None:
        """Prepare; `install` begins.

        Args:
            emit: Called by `drain` with "stdout" or "stderr" and finished lines: time in microseconds, and text.
            max_bytes: How much text is kept; of more, the beginning and the last `TAIL_BYTES`.
        """
        self._emit = emit
        self._room = max(0, max_bytes - TAIL_BYTES)
        self._taps: list[_Tap] = []
        self._tail: deque[tuple[str, Line]] = deque()
        self._tail_size = 0
        self._left_out = 0
        self._in_key: dict[str, bool] = {}
        self._events: Any = None

    def install(self) -> None:
        """Begin to keep what is printed from here on."""
        for name in ("stdout", "stderr"):
            stream = getattr(sys, name)
            if stream is not None:
                self._taps.append(_Tap(name, stream))
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        if shell is not None:
            # IPython replaces `write` for each cell and then puts back what stood there before the cell.
            shell.events.register("pre_run_cell", self._on_cell)
            self._events = shell.events

    def _on_cell(self, _: object) -> None:
        for tap in self._taps:
            tap.attach()

    def uninstall(self) -> None:
        """Give the streams back as they were."""
        if self._events is not None:
            with contextlib.suppress(ValueError):
                self._events.unregister("pre_run_cell", self._on_cell)
            self._events = None
        for tap in self._taps:
            tap.remove()

    def feed(self, name: str, text: str) -> None:
        """Keep text as if it had been written to a stream; for what another process prints."""
        for tap in self._taps:
            if tap.name == name:
                tap.chunks.append((time.time_ns(), text))

    def drain(self) -> None:
        """Hand out the lines that were finished since the last call."""
        for tap in self._taps:
            self._keep(tap.name, tap.lines.take(tap.chunks))

    def close(self) -> None:
        """Hand out what is left: unfinished lines, and the end of a log that was too long."""
        self.drain()
        for tap in self._taps:
            self._keep(tap.name, tap.lines.rest())
        if self._left_out:
            self._emit("stdout", [(time.time_ns() // 1000, f"... {self._left_out:,} lines left out ...")])
        for name, line in self._tail:
            self._emit(name, [line])
        self._tail.clear()

    def _keep(self, name: str, lines: list[Line]) -> None:
        kept: list[Line] = []
        for at, text in lines:
            line = (at, self._redact(name, text))
            self._room -= len(line[1])
            if self._room >= 0:
                kept.append(line)
            else:
                self._hold(name, line)
        if kept:
            self._emit(name, kept)

    def _redact(self, name: str, text: str) -> str:
        """Redact a line; of a private key, which spans many, every line."""
        if "PRIVATE KEY" in text and "-----" in text:
            is_begin = "BEGIN" in text
            self._in_key[name] = is_begin and "-----END" not in text.partition("BEGIN")[2]
            return MASK if not is_begin else f"{redact_text(text.partition('-----BEGIN')[0])}{MASK}"
        return MASK if self._in_key.get(name) and text.strip() else redact_text(text)

    def _hold(self, name: str, line: Line) -> None:
        self._tail.append((name, line))
        self._tail_size += len(line[1])
        while self._tail_size > TAIL_BYTES:
            _, (_, text) = self._tail.popleft()
            self._tail_size -= len(text)
            self._left_out += 1


class _Tap:
    """A stream whose `write` also appends to a queue."""

    def __init__(self, name: str, stream: Any) -> None:
        self.name = name
        self.chunks: deque[tuple[int, str]] = deque(maxlen=_MAX_CHUNKS)
        self.lines = _Lines()
        self._stream = stream
        self._write: Any = None
        self._before: Any = None
        self.attach()

    def attach(self) -> None:
        """Stand behind the stream's `write`, unless this tap does already."""
        attributes: dict[str, Any] = getattr(self._stream, "__dict__", {})
        if self._write is not None and attributes.get("write") is self._write:
            return
        self._before = attributes.get("write")
        original, append, now = self._stream.write, self.chunks.append, time.time_ns

        def write(text: str) -> Any:
            result = original(text)
            append((now(), text))
            return result

        with contextlib.suppress(AttributeError):
            self._stream.write = self._write = write

    def remove(self) -> None:
        """Put back the `write` that stood there, where this tap's still does."""
        if getattr(self._stream, "__dict__", {}).get("write") is not self._write:
            return
        if self._before is None:
            del self._stream.write
        else:
            self._stream.write = self._before


class _Lines:
    """Cuts chunks into lines as a terminal would show them in the end."""

    def __init__(self) -> None:
        self._open = ""
        self._time_us = 0

    def take(self, chunks: deque[tuple[int, str]]) -> list[Line]:
        """Return the lines that the chunks finish, emptying the queue."""
        lines: list[Line] = []
        while chunks:
            time_ns, text = chunks.popleft()
            self._time_us = time_ns // 1000
            for up in _UP.findall(text):
                del lines[max(0, len(lines) - int(up or 1)) :]
            *finished, self._open = (self._open + str(text)).split("\n")
            lines += [(self._time_us, _settle(line)) for line in finished]
            if len(self._open) > _MAX_LINE or "\r" in self._open:
                self._open = _last_state(self._open)
        return lines

    def rest(self) -> list[Line]:
        """Return the line that no newline finished."""
        line, self._open = _settle(self._open), ""
        return [(self._time_us, line)] if line else []


def _last_state(line: str) -> str:
    """Keep of a line what the last carriage return left, and that return if nothing followed it yet."""
    head, _, last = line[-_MAX_LINE:].rpartition("\r")
    return last or f"{head.rpartition(chr(13))[2]}\r"


def _settle(line: str) -> str:
    states = [state for state in line.split("\r") if state]
    return _ESCAPE.sub("", states[-1]).rstrip()[:_MAX_LINE] if states else ""
