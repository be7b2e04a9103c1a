"""Sums over rows of readings. Each row stands for the time since the row before it.

Sums are kept for every GPU of the machine, so that whoever reads them decides which GPUs count.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven_gpu_monitor.usage.tally import tally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from runhaven_gpu_monitor.usage.tally import Tally

LOADERS_WORK_FROM_PERCENT = 50.0
"""Child processes that together use half a processor or more are taken to prepare data."""

_HOST = {
    "cpu_utilization_percent": "cpu/utilization_percent",
    "memory_used_percent": "memory/used_percent",
    "process_memory_bytes": "memory/process_bytes",
}
_GPU = ("utilization_percent", "memory_used_percent", "memory_used_bytes")
_REASON = "throttled_"


class Usage:
    """Sums up rows of readings.

    Args:
        gpus: The facts about the GPUs, as `Sampler` hands them to `on_device`.
        clock: Seconds that never go back.
    """

    def __init__(self, gpus: Sequence[Mapping[str, Any]] = (), *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._time_s = clock()
        self._seconds = 0.0
        self._host: dict[str, Tally] = {}
        self._gpus = [_GpuSums(facts) for facts in gpus]

    def add(self, values: Mapping[str, float]) -> None:
        """Take in a row of readings by metric key."""
        now_s = self._clock()
        seconds, self._time_s = now_s - self._time_s, now_s
        self._seconds += seconds
        tally(self._host, {name: values[key] for name, key in _HOST.items() if key in values}, seconds)
        processes = _processes(values)
        for gpu in self._gpus:
            gpu.add(values, seconds, processes)

    def record(self) -> dict[str, Any]:
        """Return the sums so far as JSON; `summarise` reads them."""
        host = {name: found.record() for name, found in self._host.items()}
        return {"seconds": round(self._seconds, 6), "host": host, "gpus": [gpu.record() for gpu in self._gpus]}


class _Processes(NamedTuple):
    """How busy the training process is, and its children, where 100 % is one processor."""

    own_percent: float
    children_percent: float


def _processes(values: Mapping[str, float]) -> _Processes | None:
    children = values.get("cpu/children_percent")
    return None if children is None else _Processes(values["cpu/process_percent"] - children, children)


class _GpuSums:
    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._who = {name: facts.get(name) for name in ("index", "uuid", "name", "is_visible")}
        self._prefix = f"gpu/{facts['index']}/"
        self._tallied = [(name, self._prefix + name) for name in _GPU]
        self._reasons: list[tuple[str, str]] = []
        self._row_length = -1
        self._counted_joules = 0.0
        self._tallies: dict[str, Tally] = {}
        self._sums: dict[str, float] = {}

    def add(self, values: Mapping[str, float], seconds: float, processes: _Processes | None) -> None:
        found = {name: values[key] for name, key in self._tallied if key in values}
        active = values.get(f"{self._prefix}graphics_active_percent")
        if active is not None:
            # The mean over the whole time, where the other is what the driver saw in its last moments.
            found["utilization_percent"] = active
        joules = self._joules(values, seconds)
        if not found and joules is None:
            return
        tally(self._tallies, found, seconds)
        self._count("seconds", seconds)
        self._count("energy_joules", joules or 0.0)
        for name, key in self._throttled(values):
            self._count(name, values.get(key, 0.0) / 100 * seconds)
        own_bytes = values.get(f"{self._prefix}process_memory_bytes")
        if own_bytes:
            self._sums["process_memory_bytes"] = max(own_bytes, self._sums.get("process_memory_bytes", 0))
        if "utilization_percent" in found:
            self._add_idle(1 - found["utilization_percent"] / 100, seconds, processes)

    def record(self) -> dict[str, Any]:
        sums = {name: round(value, 6) for name, value in self._sums.items()}
        return self._who | {"sums": sums, "tallies": {name: found.record() for name, found in self._tallies.items()}}

    def _count(self, name: str, amount: float) -> None:
        self._sums[name] = self._sums.get(name, 0.0) + amount

    def _joules(self, values: Mapping[str, float], seconds: float) -> float | None:
        counted = values.get(f"{self._prefix}energy_joules")
        if counted is None:
            watts = values.get(f"{self._prefix}power_watts")
            return None if watts is None else watts * seconds
        joules, self._counted_joules = counted - self._counted_joules, counted
        return max(0.0, joules)

    def _throttled(self, values: Mapping[str, float]) -> Iterable[tuple[str, str]]:
        """Return the reasons for which there are readings, looked for only when a row has other keys."""
        if self._row_length != len(values):
            self._row_length = len(values)
            start = self._prefix + _REASON
            keys = [key for key in values if key.startswith(start)]
            self._reasons = [(f"{_REASON}{key[len(start) :].removesuffix('_percent')}_s", key) for key in keys]
        return self._reasons

    def _add_idle(self, idle: float, seconds: float, processes: _Processes | None) -> None:
        """Divide the time in which the GPU had nothing to do by what the training process did meanwhile."""
        self._count("idle_s", idle * seconds)
        if processes is None:
            return
        # The GPU idled for one part of the time and the process slept for another: both at most for the smaller one.
        waiting = min(idle, max(0.0, 1 - processes.own_percent / 100))
        self._count("idle_while_busy_s", (idle - waiting) * seconds)
        works = processes.children_percent >= LOADERS_WORK_FROM_PERCENT
        self._count("idle_while_loading_s", waiting * seconds if works else 0.0)
