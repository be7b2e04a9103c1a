"""Memory for buffers."""

from __future__ import annotations

import contextlib
import mmap
import sys


def pages(size: int) -> mmap.mmap:
    """Return memory of so many bytes, in huge pages where the system has them.

    Linux makes a page when it is first touched, and to make those of 4 KiB takes as long as to hash what they hold.
    """
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    found = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            found.madvise(mmap.MADV_HUGEPAGE)
    return found
