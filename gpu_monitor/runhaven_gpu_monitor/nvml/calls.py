"""Functions of NVML that fill a structure, with the structures laid out once."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from runhaven_gpu_monitor.nvml.code import INSUFFICIENT_SIZE
from runhaven_gpu_monitor.nvml.layout import MemoryV1, MemoryV2, ProcessInfo, Temperature, Utilization, versioned

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from runhaven_gpu_monitor.nvml.driver import Driver
    from runhaven_gpu_monitor.nvml.quantity import Number, Part

_UNKNOWN_BYTES = 0xFFFFFFFFFFFFFFFF
"""What Windows says of the memory of a process."""


class Calls:
    """Each method asks about a GPU, keeps the answers by name in `parts`, and returns NVML's code.

    Args:
        driver: The connection.
        own_pids: Returns the numbers of the processes whose memory is asked for.
    """

    def __init__(self, driver: Driver, own_pids: Callable[[], Collection[int]]) -> None:
        self._driver = driver
        self._own_pids = own_pids
        self._number = ctypes.c_ulonglong()
        self._period = ctypes.c_uint()
        self._utilization = Utilization()
        self._memory_v1 = MemoryV1()
        self._memory = MemoryV2(version=versioned(MemoryV2, 2))
        self._temperature = Temperature(version=versioned(Temperature, 1))
        self._processes = (ProcessInfo * 64)()
        self.parts: Mapping[str, float] = {}

    def number(self, number: Number, handle: object) -> tuple[int, int]:
        """Return the code and the number of a function that returns one."""
        # Some functions write four of the eight bytes.
        self._number.value = 0
        outs = (ctypes.byref(self._number), ctypes.byref(self._period))[: 1 + number.has_period]
        code = self._driver.function(number.function)(handle, *number.arguments, *outs)
        return code, self._number.value

    def utilization(self, handle: object) -> int:
        """The parts of its last moments in which a kernel ran, and memory was read or written: `gpu`, `memory`."""
        found = self._utilization
        code = self._driver.function("nvmlDeviceGetUtilizationRates")(handle, ctypes.byref(found))
        self.parts = {"gpu": found.gpu, "memory": found.memory}
        return code

    def memory(self, handle: object) -> int:
        """Its memory in bytes, without what the driver took for itself: `used`, `reserved`, `percent`."""
        found = self._memory
        code = self._driver.function("nvmlDeviceGetMemoryInfo_v2")(handle, ctypes.byref(found))
        self.parts = {"reserved": found.reserved} | _used(found.used, found.total)
        return code

    def memory_v1(self, handle: object) -> int:
        """Its memory in bytes, the driver's part counted as used: `used`, `percent`."""
        found = self._memory_v1
        code = self._driver.function("nvmlDeviceGetMemoryInfo")(handle, ctypes.byref(found))
        self.parts = _used(found.used, found.total)
        return code

    def temperature(self, handle: object) -> int:
        """The temperature of the chip: `celsius`."""
        found = self._temperature
        code = self._driver.function("nvmlDeviceGetTemperatureV")(handle, ctypes.byref(found))
        self.parts = {"celsius": found.celsius}
        return code

    def processes(self, handle: object) -> int:
        """The memory of those of our processes that compute there: `used`, in bytes; nothing if none is seen."""
        count = ctypes.c_uint(len(self._processes))
        ask = self._driver.function("nvmlDeviceGetComputeRunningProcesses_v3")
        code = ask(handle, ctypes.byref(count), self._processes)
        if code == INSUFFICIENT_SIZE:
            self._processes = (ProcessInfo * (2 * count.value))()
            count.value = len(self._processes)
            code = ask(handle, ctypes.byref(count), self._processes)
        own = self._own_pids() if count.value and not code else ()
        used = [one.used for one in self._processes[: count.value] if one.pid in own and one.used != _UNKNOWN_BYTES]
        self.parts = {"used": sum(used)} if used else {}
        return code


def _used(used: int, total: int) -> dict[str, float]:
    return {"used": used, "percent": 100.0 * used / total} if total else {"used": used}


def method_of(part: Part) -> Callable[[Calls, object], int]:
    """Return the method that gets a part."""
    return _METHODS[part.call]


_METHODS: dict[str, Callable[[Calls, object], int]] = {
    method.__name__: method
    for method in (Calls.utilization, Calls.memory, Calls.memory_v1, Calls.temperature, Calls.processes)
}
