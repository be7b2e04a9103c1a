"""Passes on what a program prints, byte by byte, and keeps a copy of the text."""

from __future__ import annotations

import codecs
import contextlib
import os
import select
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_CHUNK = 1 << 16
_PAUSE_S = 0.25
_QUIET_PAUSES = 4
_NAMES = {1: "stdout", 2: "stderr"}


class Relay:
    """Stands between a program and this process's stdout and stderr.

    Where these are a terminal, the program has one too, of the same size, so that colours and progress bars stay.
    """

    def __init__(self, keep: Callable[[str, str], None]) -> None:
        """Open the ways.

        Args:
            keep: Called with "stdout" or "stderr" and text.
        """
        self._keep = keep
        self._threads: dict[int, threading.Thread] = {}
        self._passing: set[int] = set()
        self._terminal: int | None = None
        self._ends: dict[int, int] = {}
        self.outputs: dict[int, int] = {}
        is_terminal = {number: os.isatty(number) for number in _NAMES}
        for number in _NAMES:
            if is_terminal[number] and self._terminal is not None:
                self.outputs[number] = self.outputs[1]
            else:
                self._ends[number], self.outputs[number] = self._open_terminal() if is_terminal[number] else os.pipe()

    def _open_terminal(self) -> tuple[int, int]:
        import pty
        import termios

        ours, theirs = pty.openpty()
        modes = termios.tcgetattr(theirs)
        # The terminal behind this one makes line ends.
        modes[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, modes)
        self._terminal = ours
        self.resize()
        return ours, theirs

    def resize(self) -> None:
        """Give the program's terminal the size that this one has."""
        import termios

        number = next((number for number in _NAMES if os.isatty(number)), None)
        if self._terminal is not None and number is not None:
            with contextlib.suppress(OSError, termios.error):
                termios.tcsetwinsize(self._terminal, termios.tcgetwinsize(number))

    def begin(self) -> None:
        """Begin to pass on, once the program has its ends."""
        for theirs in set(self.outputs.values()):
            os.close(theirs)
        for number, end in self._ends.items():
            thread = threading.Thread(target=self._pass_on, args=(number, end), name="runhaven-relay", daemon=True)
            self._threads[number] = thread
            thread.start()

    def end(self) -> None:
        """Pass on the rest. A process that the program left behind, and that holds the way open, is not waited for long."""
        for number, thread in self._threads.items():
            quiet = 0
            while thread.is_alive() and quiet < _QUIET_PAUSES:
                thread.join(_PAUSE_S)
                quiet = 0 if self._is_coming(number) else quiet + 1

    def _is_coming(self, number: int) -> bool:
        """Tell whether there is something to pass on, be it that a busy machine has not got round to it."""
        try:
            return number in self._passing or bool(select.select([self._ends[number]], [], [], 0)[0])
        except (OSError, ValueError):
            return False

    def _pass_on(self, number: int, end: int) -> None:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        # At the end of a terminal reading fails, elsewhere it returns nothing; a reader of ours that is gone, such as `head`,
        # is gone for the program too.
        with contextlib.suppress(OSError):
            while data := os.read(end, _CHUNK):
                self._passing.add(number)
                self._keep(_NAMES[number], decoder.decode(data))
                while data:
                    data = data[os.write(number, data) :]
                self._passing.discard(number)
        os.close(end)
