"""Readings of the machine itself: processor, memory, disk, network, and the process that trains."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, TypeVar

from runhaven_gpu_monitor.cgroup import cpu_limit, memory_limit
from runhaven_gpu_monitor.importing import imports
from runhaven_gpu_monitor.pressure import Pressure
from runhaven_gpu_monitor.processes import open_tree
from runhaven_gpu_monitor.source import Incident
from runhaven_gpu_monitor.traffic import disk_traffic, network_traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runhaven_gpu_monitor.cgroup import Limit
    from runhaven_gpu_monitor.processes import TreeLoad
    from runhaven_gpu_monitor.source import Tell
    from runhaven_gpu_monitor.traffic import Traffic

_T = TypeVar("_T")

_NEARLY_FULL_PERCENT = 95.0
_SHARED_MEMORY_TEXT = (
    "The tmpfs through which data loaders hand over batches is {percent:.0f} % full: their workers soon die of a bus "
    "error. Give the container more (docker run --shm-size=16g), or use fewer workers or smaller batches."
)


class HostSource:
    """Reads the machine, as far as control groups let this process use it.

    The readings of the process are sums over it and all its descendants, where 100 % is one processor. Counters begin
    at zero when the source is opened. What this system cannot tell is left out.

    Args:
        pid: The process at the top of the tree. Default: this one.
        disk: A path on the disk whose fill level is read. Default: the working directory.
        root: Where `proc` and `sys` lie.
    """

    def __init__(self, *, pid: int | None = None, disk: str = ".", root: str = "/") -> None:
        self._pid = os.getpid() if pid is None else pid
        self._disk = os.path.abspath(disk)
        self._root = root
        self._readings: list[Callable[[], dict[str, float]]] = []

    def open(self, tell: Tell) -> dict[str, Any] | None:
        """Note where the counters stand and return the facts about the machine, or None without psutil."""
        with imports:
            try:
                import psutil
            except ImportError:
                return None
            import socket

        memory_bytes = psutil.virtual_memory().total
        cpus = _below(len(_processors(self._pid)), cpu_limit(self._root))
        memory = _below(memory_bytes, memory_limit(self._root))
        self._readings = list(_working(self._starts(cpus, memory, tell)))
        facts: dict[str, Any] = {
            "host": socket.gethostname(),
            "cpu_count": os.cpu_count(),
            "memory_bytes": memory_bytes,
        }
        if cpus:
            facts["cpu_limit"] = cpus.amount
        if memory:
            facts["memory_limit_bytes"] = int(memory.amount)
        return facts

    def sample(self) -> dict[str, float]:
        """Return the current readings by metric key."""
        values: dict[str, float] = {}
        for reading in _working(self._readings):
            values.update(reading)
        return values

    def close(self) -> None:
        """Forget the counters."""
        self._readings = []

    def _starts(
        self, cpus: Limit | None, memory: Limit | None, tell: Tell
    ) -> list[Callable[[], Callable[[], dict[str, float]]]]:
        return [
            lambda: (_LimitedProcessors(cpus) if cpus else _Processors(_processors(self._pid))).read,
            lambda: lambda: _memory(memory),
            _swap,
            lambda: _SharedMemory(os.path.join(self._root, "dev/shm"), tell).read,
            lambda: Pressure(self._root).read,
            lambda: _Process(self._pid, self._root).read,
            lambda: _counters("disk/read_bytes", "disk/written_bytes", disk_traffic(self._root)),
            lambda: lambda: _fill_level(self._disk),
            lambda: _counters("network/sent_bytes", "network/received_bytes", network_traffic(self._root)),
        ]


def _working(calls: Iterable[Callable[[], _T]]) -> Iterator[_T]:
    """Yield what the calls return, without those that fail: what cannot be read is left out."""
    for call in calls:
        try:
            yield call()
        except Exception:  # noqa: BLE001, S112 - psutil raises many kinds
            continue


class _Processors:
    """How busy the processors are on which a process may run."""

    def __init__(self, numbers: list[int]) -> None:
        self._numbers = numbers
        self._are_all = len(numbers) == os.cpu_count()
        self._busy_s, self._total_s = self._times()

    def read(self) -> dict[str, float]:
        busy_s, total_s = self._times()
        busy, total = busy_s - self._busy_s, total_s - self._total_s
        self._busy_s, self._total_s = busy_s, total_s
        return {"cpu/utilization_percent": min(100.0, max(0.0, 100.0 * busy / total))} if total > 0 else {}

    def _times(self) -> tuple[float, float]:
        # Not psutil's own percentage: older releases share its state with everybody else in this process who asks.
        with imports:
            import psutil

        if self._are_all:
            return _busy_and_total(psutil.cpu_times())
        each = psutil.cpu_times(percpu=True)
        pairs = [_busy_and_total(each[number]) for number in self._numbers if number < len(each)]
        return sum(busy for busy, _ in pairs), sum(total for _, total in pairs)


class _LimitedProcessors:
    """How much of its quota of processors a control group uses."""

    def __init__(self, limit: Limit) -> None:
        self._limit = limit
        self._used_s = limit.used()
        self._time_s = time.monotonic()

    def read(self) -> dict[str, float]:
        used_s, time_s = self._limit.used(), time.monotonic()
        used, elapsed = used_s - self._used_s, time_s - self._time_s
        self._used_s, self._time_s = used_s, time_s
        return {"cpu/utilization_percent": max(0.0, 100.0 * used / (elapsed * self._limit.amount))} if elapsed else {}


class _Process:
    """What a process and all its descendants use, and the descendants' part of it."""

    def __init__(self, pid: int, root: str) -> None:
        self._tree = open_tree(pid, root=root)
        self._cpu_s = self._times(self._tree.read())
        self._time_s = time.monotonic()

    def read(self) -> dict[str, float]:
        load, time_s = self._tree.read(), time.monotonic()
        before_s, self._cpu_s = self._cpu_s, self._times(load)
        elapsed, self._time_s = time_s - self._time_s, time_s
        own, children = load
        values: dict[str, float] = {
            "memory/process_bytes": own.rss_bytes + children.rss_bytes,
            "memory/children_bytes": children.rss_bytes,
            "process/threads": own.threads + children.threads,
            "process/open_files": own.open_files + children.open_files,
        }
        if elapsed > 0:
            shares = [max(0.0, 100.0 * (now - then) / elapsed) for now, then in zip(self._cpu_s, before_s, strict=True)]
            values["cpu/process_percent"], values["cpu/children_percent"] = shares
        return values

    def _times(self, load: TreeLoad) -> tuple[float, float]:
        return load.own.cpu_s + load.children.cpu_s, load.children.cpu_s


def _memory(limit: Limit | None) -> dict[str, float]:
    with imports:
        import psutil

    if limit:
        used, total = limit.used(), limit.amount
    else:
        memory = psutil.virtual_memory()
        used, total = memory.total - memory.available, memory.total
    return {"memory/used_bytes": used, "memory/used_percent": 100.0 * used / total}


class _SharedMemory:
    """What lies in the memory that processes share, through which data loaders hand over batches."""

    def __init__(self, path: str, tell: Tell) -> None:
        self._path = path
        self._tell = tell
        self._is_told = False

    def read(self) -> dict[str, float]:
        found = os.statvfs(self._path)
        used = (found.f_blocks - found.f_bfree) * found.f_frsize
        percent = 100.0 * used / (found.f_blocks * found.f_frsize)
        if percent >= _NEARLY_FULL_PERCENT and not self._is_told:
            self._is_told = True
            self._tell(Incident("shared memory is nearly full", _SHARED_MEMORY_TEXT.format(percent=percent), "WARN"))
        return {"shared_memory/used_bytes": used, "shared_memory/used_percent": percent}


def _swap() -> Callable[[], dict[str, float]]:
    with imports:
        import psutil

    has_swap = psutil.swap_memory().total > 0
    return lambda: {"swap/used_bytes": psutil.swap_memory().used} if has_swap else {}


def _fill_level(path: str) -> dict[str, float]:
    with imports:
        import psutil

    return {"disk/used_percent": psutil.disk_usage(path).percent}


def _counters(first: str, second: str, traffic: Traffic) -> Callable[[], dict[str, float]]:
    return lambda: dict(zip((first, second), traffic.read(), strict=True)) if traffic.has_devices else {}


def _busy_and_total(times: Any) -> tuple[float, float]:
    # Linux counts the time of guests a second time under `user`; only some systems know `iowait` and `guest`.
    total = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total - times.idle - getattr(times, "iowait", 0.0), total


def _processors(pid: int) -> list[int]:
    """Return the numbers of the processors on which a process may run."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(pid))
    return list(range(os.cpu_count() or 1))


def _below(amount: float, limit: Limit | None) -> Limit | None:
    """Return the limit if it is tighter than what the machine has."""
    return limit if limit and limit.amount < amount else None
