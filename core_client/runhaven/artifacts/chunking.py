"""Large files are kept as chunks whose borders their content decides, so that a small change costs a small part."""

from __future__ import annotations

import functools
import threading
from importlib.util import find_spec
from io import FileIO
from queue import LifoQueue
from typing import TYPE_CHECKING

from runhaven.platform.files import read_full
from runhaven.platform.memory import pages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = 8 << 20
"""A file of so many bytes or more is cut into chunks."""
SMALLEST, AVERAGE, GREATEST = 256 << 10, 1 << 20, 4 << 20
_STEP = 4 << 20
_WINDOWS = 4


@functools.cache
def can_cut() -> bool:
    """Tell whether the package that finds the borders is installed; without it files are kept whole."""
    return find_spec("pyfastcdc") is not None


class Cutter:
    """Cuts a stream of bytes, window by window; the borders do not depend on the windows."""

    def __init__(self) -> None:
        """Set the sizes of chunks, which two versions share only while nobody changes them."""
        from pyfastcdc import FastCDC

        self._finder = FastCDC(avg_size=AVERAGE, min_size=SMALLEST, max_size=GREATEST)

    def cut(self, window: memoryview, *, is_last: bool) -> Iterator[memoryview]:
        """Go through the chunks that a window begins with.

        Args:
            window: The bytes from the end of the last chunk on; more than the greatest chunk, unless they are the last.
            is_last: Whether the stream ends with the window; if not, what lies behind the last border is left.
        """
        start = 0
        for chunk in self._finder.cut_buf(window):
            end = start + chunk.length
            # Where a window ends there may be no border, if more of the stream comes.
            if end == len(window) and not is_last:
                return
            yield window[start:end]
            start = end


class Chunk:
    """A chunk in the memory of a window, which is used again once nobody is in a `with` of a chunk of it any more."""

    def __init__(self, windows: Windows, window: _Window, data: memoryview) -> None:
        """Hold the window."""
        self._windows = windows
        self._window = windows.hold(window)
        self._data = data

    def __enter__(self) -> memoryview:
        """Return its bytes."""
        return self._data

    def __exit__(self, *_: object) -> None:
        """Give it back: from now on its bytes are others."""
        self._windows.release(self._window)


class Windows:
    """A few stretches of memory that files are read through, be they of any size."""

    def __init__(self) -> None:
        """Take no memory yet."""
        # The one that was used last comes first: of memory that was never touched the system has to make each page.
        self._free: LifoQueue[_Window] = LifoQueue()
        self._left = _WINDOWS
        self._lock = threading.Lock()

    def chunks(self, path: Path) -> Iterator[Chunk]:
        """Go through the chunks of a file, read as they are asked for; each must be entered, or all stops in the end.

        Raises:
            OSError: If it cannot be read.
        """
        cutter, is_last = Cutter(), False
        window, rest = None, memoryview(b"")
        with FileIO(path) as file:
            while not is_last:
                before, window = window, self._take()
                window.memory[: len(rest)] = rest
                if before is not None:
                    self.release(before)
                count = read_full(file, window.memory[len(rest) : len(rest) + _STEP])
                held, is_last = window.memory[: len(rest) + count], count < _STEP
                used = 0
                for data in cutter.cut(held, is_last=is_last):
                    yield Chunk(self, window, data)
                    used += len(data)
                rest = held[used:]
        if window is not None:
            self.release(window)

    def _take(self) -> _Window:
        if self._left and self._free.empty():
            self._left -= 1
            return self.hold(_Window())
        return self.hold(self._free.get())

    def hold(self, window: _Window) -> _Window:
        """Keep a window from being used again."""
        with self._lock:
            window.users += 1
        return window

    def release(self, window: _Window) -> None:
        """Let a window be used again, if nobody else holds it."""
        with self._lock:
            window.users -= 1
            is_free = not window.users
        if is_free:
            self._free.put(window)


class _Window:
    def __init__(self) -> None:
        self.memory = memoryview(pages(GREATEST + _STEP))
        self.users = 0
