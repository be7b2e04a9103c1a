"""Large files are kept as chunks whose borders their content decides, so that a small change costs a small part."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGE = 8 << 20
"""A file of so many bytes or more is cut into chunks."""
SMALLEST, AVERAGE, GREATEST = 256 << 10, 1 << 20, 4 << 20


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
