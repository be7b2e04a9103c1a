"""The GPU performance monitor of Hopper and later: how busy the parts of the chip were between two samples.

The sample of one beat is kept for the next, so that each reading is the mean over a whole interval and nobody waits.
"""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING

from runhaven_gpu_monitor.nvml.layout import GPM_HEAD, GPM_METRIC, GpmSupport

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runhaven_gpu_monitor.nvml.driver import Driver
    from runhaven_gpu_monitor.nvml.quantity import Answers, Gpm, Quantity

_VERSION = 1
_MOST_METRICS = 512
_SHORTEST_S = 0.1
"""NVML asks for more than 100 ms between the samples."""


def has_gpm(driver: Driver, handle: object) -> bool:
    """Tell whether a GPU has a performance monitor."""
    support = GpmSupport(version=_VERSION)
    code = driver.function("nvmlGpmQueryDeviceSupport")(handle, ctypes.byref(support))
    return code == 0 and bool(support.is_supported)


class GpmPair:
    """The two samples that a reading lies between.

    Args:
        driver: The connection.
        take: Fills a sample of a GPU or of an instance, and returns NVML's code.
    """

    def __init__(self, driver: Driver, take: Callable[[object], int]) -> None:
        self._driver = driver
        self._take = take
        self._older, self._newer = ctypes.c_void_p(), ctypes.c_void_p()
        self._time_s: float | None = None
        self._buffer = ctypes.create_string_buffer(GPM_HEAD.size + GPM_METRIC.size * _MOST_METRICS)
        self._asked: Sequence[Gpm] = ()
        self._layout = struct.Struct("")
        allocate = driver.function("nvmlGpmSampleAlloc")
        self._code = allocate(ctypes.byref(self._older)) or allocate(ctypes.byref(self._newer))

    def read(self, metrics: Sequence[Gpm], time_s: float, answers: Answers) -> list[tuple[Quantity, int]]:
        """Take a sample, add what happened since the one before, and return what failed with its code."""
        if self._time_s is not None and time_s - self._time_s < _SHORTEST_S:
            return []
        code = self._code or self._take(self._newer)
        if code:
            return [(metric, code) for metric in metrics]
        is_first, self._time_s = self._time_s is None, time_s
        self._older, self._newer = self._newer, self._older
        return [] if is_first else self._compare(metrics, answers)

    def _compare(self, metrics: Sequence[Gpm], answers: Answers) -> list[tuple[Quantity, int]]:
        if metrics != self._asked:
            self._asked = metrics
            self._layout = struct.Struct("@" + GPM_METRIC.format[1:] * len(metrics))
            for at, metric in enumerate(metrics):
                place = GPM_HEAD.size + GPM_METRIC.size * at
                GPM_METRIC.pack_into(self._buffer, place, metric.id, 0, 0.0, 0, 0, 0)
        # After the exchange the newer sample is called the older one: it will be at the next beat.
        GPM_HEAD.pack_into(self._buffer, 0, _VERSION, len(metrics), self._newer.value or 0, self._older.value or 0)
        code = self._driver.function("nvmlGpmMetricsGet")(self._buffer)
        if code:
            return [(metric, code) for metric in metrics]
        cells = self._layout.unpack_from(self._buffer, GPM_HEAD.size)
        failed: list[tuple[Quantity, int]] = []
        for metric, found, value in zip(metrics, cells[1::6], cells[2::6], strict=True):
            if found:
                failed.append((metric, found))
            else:
                answers[metric] = value
        return failed

    def close(self) -> None:
        """Give the samples back."""
        for sample in (self._older, self._newer):
            if sample:
                self._driver.function("nvmlGpmSampleFree")(sample)
