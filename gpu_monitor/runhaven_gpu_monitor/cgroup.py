"""The limits that control groups, version 1 and 2, set for this process."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from runhaven_gpu_monitor.kernel_file import read_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NO_LIMIT = 1 << 60
"""Version 1 spells "no memory limit" as the largest multiple of a page below 2**63."""


@dataclass(frozen=True)
class Limit:
    """The tightest limit on the way from this process's group to the root.

    Attributes:
        amount: Processors, or bytes.
        used: Returns what the group that carries the limit has used: processor seconds so far, or bytes now.
    """

    amount: float
    used: Callable[[], float]


def cpu_limit(root: str = "/") -> Limit | None:
    """Return the quota of processors, or None when there is none.

    Args:
        root: Where `proc` and `sys` lie.
    """
    groups = _Groups(root)
    if groups.is_v2:
        quotas = ((_cpu_quota_v2(level), partial(_cpu_used_v2, level)) for level in groups.levels(""))
    else:
        quotas = ((_cpu_quota_v1(level), partial(_cpu_used_v1, groups.twin(level))) for level in groups.levels("cpu"))
    return _tightest(quotas)


def memory_limit(root: str = "/") -> Limit | None:
    """Return the limit of memory, or None when there is none.

    Args:
        root: Where `proc` and `sys` lie.
    """
    groups = _Groups(root)
    names = _V2_MEMORY if groups.is_v2 else _V1_MEMORY
    levels = groups.levels("" if groups.is_v2 else "memory")
    return _tightest((_memory_maximum(level, names), partial(_memory_used, level, names)) for level in levels)


def own_group(root: str = "/") -> str | None:
    """Return the directory of this process's group of version 2, or None where there is none.

    Args:
        root: Where `proc` and `sys` lie.
    """
    groups = _Groups(root)
    return next(groups.levels("")) if groups.is_v2 else None


class _Groups:
    def __init__(self, root: str) -> None:
        self._mount = os.path.join(root, "sys/fs/cgroup")
        self.is_v2 = os.path.exists(os.path.join(self._mount, "cgroup.controllers"))
        self._paths: dict[str, str] = {}
        for line in (read_text(os.path.join(root, "proc/self/cgroup")) or "").splitlines():
            _, names, path = line.split(":", 2)
            self._paths.update(dict.fromkeys(names.split(","), path))

    def levels(self, controller: str) -> Iterator[str]:
        """Yield the directories from this process's group up to the root of the controller."""
        top = os.path.join(self._mount, controller)
        # In a container the path can be the host's, of which only the top is mounted, or point above the top.
        path = os.path.normpath(self._paths.get(controller, "/"))
        while path != "/":
            level = top.rstrip("/") + path
            if ".." not in path and os.path.isdir(level):
                yield level
            path = os.path.dirname(path)
        yield top

    def twin(self, level: str) -> str:
        """Return the directory that accounts for the processors of a group of version 1."""
        if os.path.exists(os.path.join(level, "cpuacct.usage")):
            return level
        relative = os.path.relpath(level, os.path.join(self._mount, "cpu"))
        twin = os.path.normpath(os.path.join(self._mount, "cpuacct", relative))
        return twin if os.path.isdir(twin) else next(self.levels("cpuacct"))


def _tightest(limits: Iterator[tuple[float | None, Callable[[], float]]]) -> Limit | None:
    found = [Limit(amount, used) for amount, used in limits if amount is not None]
    return min(found, key=lambda limit: limit.amount, default=None)


def _cpu_quota_v2(level: str) -> float | None:
    quota, _, period = (read_text(os.path.join(level, "cpu.max")) or "max").partition(" ")
    return None if quota.strip() == "max" else int(quota) / int(period)


def _cpu_used_v2(level: str) -> float:
    return _field(os.path.join(level, "cpu.stat"), "usage_usec") / 1e6


def _cpu_quota_v1(level: str) -> float | None:
    quota = int(read_text(os.path.join(level, "cpu.cfs_quota_us")) or -1)
    return None if quota <= 0 else quota / int(read_text(os.path.join(level, "cpu.cfs_period_us")) or 100_000)


def _cpu_used_v1(level: str) -> float:
    return int(read_text(os.path.join(level, "cpuacct.usage")) or 0) / 1e9


@dataclass(frozen=True)
class _MemoryFiles:
    maximum: str
    current: str
    reclaimable: str


_V1_MEMORY = _MemoryFiles("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2_MEMORY = _MemoryFiles("memory.max", "memory.current", "inactive_file")


def _memory_maximum(level: str, names: _MemoryFiles) -> float | None:
    text = (read_text(os.path.join(level, names.maximum)) or "max").strip()
    return None if text == "max" or int(text) >= _NO_LIMIT else int(text)


def _memory_used(level: str, names: _MemoryFiles) -> float:
    current = int(read_text(os.path.join(level, names.current)) or 0)
    # The kernel drops this part of the page cache before it kills anybody: reading a large file is no memory use.
    return max(0, current - _field(os.path.join(level, "memory.stat"), names.reclaimable))


def _field(path: str, name: str) -> int:
    for line in (read_text(path) or "").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0
