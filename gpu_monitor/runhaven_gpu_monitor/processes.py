"""What a process and all its descendants use."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple, Protocol

from runhaven_gpu_monitor.importing import imports
from runhaven_gpu_monitor.kernel_file import list_names, read_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import psutil

_LAUNCHERS = frozenset({"TORCHELASTIC_RUN_ID", "OMPI_COMM_WORLD_LOCAL_RANK", "SLURM_STEP_ID"})
"""Variables that torchrun, Open MPI and srun set in each process that they start."""


class Load(NamedTuple):
    """Sums over processes.

    Attributes:
        cpu_s: Processor time so far.
        rss_bytes: Resident memory; pages that several processes share count in each.
        threads: Number of threads.
        open_files: Number of open file descriptors.
    """

    cpu_s: float = 0.0
    rss_bytes: int = 0
    threads: int = 0
    open_files: int = 0


class TreeLoad(NamedTuple):
    """What a process uses, and what its descendants use, those that have ended with their processor time."""

    own: Load
    children: Load


class ProcessTree(Protocol):
    """A process and all its descendants."""

    def read(self) -> TreeLoad:
        """Return what the tree uses now."""
        ...

    def pids(self) -> list[int]:
        """Return the numbers of its processes, the top first."""
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

    def read(self) -> TreeLoad:
        """Return what the tree uses now."""
        top, *others = (self._load(pid) for pid in self.pids())
        return _tree_load(top, others)

    def pids(self) -> list[int]:
        """Return the numbers of its processes, the top first."""
        found: list[int] = []
        pids = [self._pid]
        while pids:
            pid = pids.pop()
            pids.extend(self._children(pid))
            found.append(pid)
        return found

    def _children(self, pid: int) -> Iterator[int]:
        if pid == self._pid == os.getpid() and not _has_children():
            return
        # Each thread has a list of the children that it started.
        for thread in list_names(f"{self._proc}/{pid}/task"):
            yield from map(int, _bytes(f"{self._proc}/{pid}/task/{thread}/children").split())

    def _load(self, pid: int) -> tuple[Load, float] | None:
        # The name of the process comes second, in brackets, and may hold brackets itself.
        fields = _bytes(f"{self._proc}/{pid}/stat").rpartition(b")")[2].split()
        if not fields:
            return None
        # utime stime cutime cstime: the last two get what a child had used when it ends.
        own_s, ended_s = (sum(map(int, times)) * self._tick_s for times in (fields[11:13], fields[13:15]))
        own_handle = 1 if pid == os.getpid() else 0
        open_files = max(0, len(list_names(f"{self._proc}/{pid}/fd")) - own_handle)
        return Load(own_s, int(fields[21]) * self._page_bytes, int(fields[17]), open_files), ended_s


class _PsutilTree:
    def __init__(self, pid: int) -> None:
        with imports:
            import psutil

        self._top = psutil.Process(pid)
        self._error = psutil.Error

    def read(self) -> TreeLoad:
        """Return what the tree uses now."""
        top, *others = (self._load(process) for process in self._processes())
        return _tree_load(top, others)

    def pids(self) -> list[int]:
        """Return the numbers of its processes, the top first."""
        return [process.pid for process in self._processes()]

    def _processes(self) -> list[psutil.Process]:
        return [self._top, *self._top.children(recursive=True)]

    def _load(self, process: psutil.Process) -> tuple[Load, float] | None:
        try:
            with process.oneshot():
                times = process.cpu_times()
                # Windows has handles where the others have file descriptors.
                files: int = getattr(process, "num_fds", getattr(process, "num_handles", int))()
                load = Load(times.user + times.system, process.memory_info().rss, process.num_threads(), files)
                return load, times.children_user + times.children_system
        except self._error:  # it has ended, or belongs to somebody else
            return None


def _tree_load(top: tuple[Load, float] | None, others: Sequence[tuple[Load, float] | None]) -> TreeLoad:
    """Sum up; each load comes with the processor time of children that have ended."""
    own, ended_s = top or (Load(), 0.0)
    found = [other for other in others if other]
    sums = [sum(column) for column in zip(*(load for load, _ in found), strict=True)] or list(Load())
    cpu_s = sums[0] + ended_s + sum(seconds for _, seconds in found)
    return TreeLoad(own, Load(cpu_s, *map(int, sums[1:])))


def _has_children() -> bool:
    """Tell whether this process has children, ended ones among them; in one call, whichever thread started them."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _bytes(path: str) -> bytes:
    try:
        return read_bytes(path)
    except OSError:  # the process ended in between
        return b""


def own_processes() -> Callable[[], set[int]]:
    """Return what returns the numbers of the processes that train here together.

    Those are this one and its descendants; where a launcher started one process for each GPU, the launcher's.
    """
    is_launched = not _LAUNCHERS.isdisjoint(os.environ)
    tree = open_tree(os.getppid() if is_launched else os.getpid())
    return lambda: set(tree.pids())
