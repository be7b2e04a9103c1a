"""What a process and all its descendants use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runhaven_gpu_monitor.importing import imports

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

_FILE_LIMIT = 1 << 16


class Usage(NamedTuple):
    """Sums over a process and all its descendants.

    Attributes:
        cpu_s: Processor time so far, with that of descendants that have ended.
        rss_bytes: Resident memory; pages that several processes share count in each.
        threads: Number of threads.
        open_files: Number of open file descriptors.
    """

    cpu_s: float
    rss_bytes: int
    threads: int
    open_files: int


class ProcessTree(Protocol):
    """A process and all its descendants."""

    def read(self) -> Usage:
        """Return what the tree uses now."""
        ...


def open_tree(pid: int, *, root: str = "/") -> ProcessTree:
    """Return the cheapest way to read the tree of a process on this system.

    Args:
        pid: The process at the top.
        root: Where `proc` lies.
    """
    proc = os.path.join(root, "proc")
    # Not every kernel is built with the file that names the children.
    return _ProcTree(pid, proc) if os.path.exists(f"{proc}/{pid}/task/{pid}/children") else _PsutilTree(pid)


class _ProcTree:
    """Reads only the files of the tree's own processes, where psutil reads those of every process of the machine."""

    def __init__(self, pid: int, proc: str) -> None:
        self._pid = pid
        self._proc = proc
        self._tick_s = 1 / os.sysconf("SC_CLK_TCK")
        self._page_bytes = os.sysconf("SC_PAGE_SIZE")

    def read(self) -> Usage:
        """Return what the tree uses now."""
        usages = [usage for pid in self._pids() if (usage := self._usage(pid))]
        return Usage(*(sum(column) for column in zip(*usages, strict=True))) if usages else Usage(0.0, 0, 0, 0)

    def _pids(self) -> Iterator[int]:
        pids = [self._pid]
        while pids:
            pid = pids.pop()
            pids.extend(self._children(pid))
            yield pid

    def _children(self, pid: int) -> Iterator[int]:
        # Each thread has a list of the children that it started.
        for thread in _names(f"{self._proc}/{pid}/task"):
            yield from map(int, _bytes(f"{self._proc}/{pid}/task/{thread}/children").split())

    def _usage(self, pid: int) -> Usage | None:
        # The name of the process comes second, in brackets, and may hold brackets itself.
        fields = _bytes(f"{self._proc}/{pid}/stat").rpartition(b")")[2].split()
        if not fields:
            return None
        # utime stime cutime cstime: the last two get what a child had used when it ends.
        cpu_s = sum(map(int, fields[11:15])) * self._tick_s
        own_handle = 1 if pid == os.getpid() else 0
        open_files = max(0, len(_names(f"{self._proc}/{pid}/fd")) - own_handle)
        return Usage(cpu_s, int(fields[21]) * self._page_bytes, int(fields[17]), open_files)


class _PsutilTree:
    def __init__(self, pid: int) -> None:
        with imports:
            import psutil

        self._top = psutil.Process(pid)
        self._error = psutil.Error

    def read(self) -> Usage:
        """Return what the tree uses now."""
        usages = [usage for process in self._processes() if (usage := self._usage(process))]
        return Usage(*(sum(column) for column in zip(*usages, strict=True))) if usages else Usage(0.0, 0, 0, 0)

    def _processes(self) -> list[psutil.Process]:
        return [self._top, *self._top.children(recursive=True)]

    def _usage(self, process: psutil.Process) -> Usage | None:
        try:
            with process.oneshot():
                times = process.cpu_times()
                cpu_s = times.user + times.system + times.children_user + times.children_system
                # Windows has handles where the others have file descriptors.
                files: int = getattr(process, "num_fds", getattr(process, "num_handles", int))()
                return Usage(cpu_s, process.memory_info().rss, process.num_threads(), files)
        except self._error:  # it has ended, or belongs to somebody else
            return None


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _bytes(path: str) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(file, _FILE_LIMIT)
    except OSError:  # the process ended in between
        return b""
    finally:
        os.close(file)
