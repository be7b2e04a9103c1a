"""The few lines that Runhaven prints: on stderr, each warning once, none when silent."""

from __future__ import annotations

import logging
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

logger = logging.getLogger("runhaven")

_DIM, _BOLD, _YELLOW, _RESET = "\033[2m", "\033[1m", "\033[33m", "\033[0m"


class Notices:
    """Prints a run's lines; what `is_silent` holds back still goes to the "runhaven" logger at debug level."""

    def __init__(self, *, is_silent: bool = False, is_quiet: bool = False, stream: TextIO | None = None) -> None:
        """Choose how much is printed.

        Args:
            is_silent: Print nothing at all.
            is_quiet: Print warnings alone.
            stream: Where to print; the process's original stderr by default, which console capture does not see.
        """
        self._is_silent = is_silent
        self._is_quiet = is_quiet
        self._stream = stream
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """Print a line of information."""
        self._print(text, is_hidden=self._is_silent or self._is_quiet)

    def warn(self, text: str, *, about: str | None = None) -> None:
        """Print a warning, unless one about the same thing was printed before."""
        if (about or text) in self._said:
            logger.debug(text)
            return
        self._said.add(about or text)
        mark = self.paint("warning:", _YELLOW)
        self._print(f"{mark} {text}", is_hidden=self._is_silent)

    def debug_once(self, text: str) -> None:
        """Log a line at debug level, once."""
        if text not in self._said:
            self._said.add(text)
            logger.debug(text)

    def alert(self, level: str, title: str, text: str) -> None:
        """Print an alert that the user raised."""
        mark = self.paint(f"{level.lower()}:", _YELLOW)
        self._print(f"{mark} {self.strong(title)}{f' - {text}' if text else ''}", is_hidden=self._is_silent)

    def strong(self, text: str) -> str:
        """Return the text in bold, where the terminal has colours."""
        return self.paint(text, _BOLD)

    def dim(self, text: str) -> str:
        """Return the text in a lighter shade, where the terminal has colours."""
        return self.paint(text, _DIM)

    def paint(self, text: str, code: str) -> str:
        """Return the text with an ANSI code, where the terminal has colours."""
        stream = self._target()
        has_colour = stream is not None and stream.isatty() and not os.environ.get("NO_COLOR")
        return f"{code}{text}{_RESET}" if has_colour else text

    def _target(self) -> TextIO | None:
        return self._stream or sys.__stderr__

    def _print(self, text: str, *, is_hidden: bool) -> None:
        stream = self._target()
        if is_hidden or stream is None:
            logger.debug(text)
            return
        try:
            stream.write(f"{self.dim('runhaven:')} {text}\n")
            stream.flush()
        except (OSError, ValueError):
            logger.debug(text)
