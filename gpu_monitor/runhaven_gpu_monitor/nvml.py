"""Readings of NVIDIA GPUs through the driver's library NVML."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runhaven_gpu_monitor.importing import imports

if TYPE_CHECKING:
    from collections.abc import Callable

    from runhaven_gpu_monitor.source import Tell

    Read = Callable[[Any], dict[str, float]]

_INVALID_ARGUMENT, _NOT_SUPPORTED, _NO_PERMISSION = 2, 3, 4
_FUNCTION_NOT_FOUND, _VERSION_MISMATCH, _DEPRECATED = 13, 25, 26
_GPU_IS_LOST, _RESET_REQUIRED = 15, 16

_PERMANENT = frozenset(
    {_INVALID_ARGUMENT, _NOT_SUPPORTED, _NO_PERMISSION, _FUNCTION_NOT_FOUND, _VERSION_MISMATCH, _DEPRECATED}
)
"""Codes that say the same at every call: the reading is dropped. All others leave a gap and are tried again."""
_LOST = frozenset({_GPU_IS_LOST, _RESET_REQUIRED})
"""Codes that concern the whole GPU: all its readings are dropped, other GPUs go on."""


@dataclass
class _Gpu:
    """A GPU and the ways to read it.

    Attributes:
        index: Its number in NVML, which is the order on the PCI bus and not that of CUDA.
        handle: What NVML wants to have back; costly to look up, so it is kept.
        readings: For each reading the ways to get it, best first.
    """

    index: int
    handle: Any
    readings: list[list[Read]]


class NvmlSource:
    """Reads all NVIDIA GPUs of the machine: load, memory, power and temperature.

    Without a driver there is one line in the log at debug level, and nothing else.
    """

    def __init__(self) -> None:
        self._nvml: Any = None
        self._gpus: list[_Gpu] = []
        self._pid = 0

    def open(self, tell: Tell) -> dict[str, Any] | None:  # noqa: ARG002
        """Connect to the driver and return the facts about the GPUs, or None without a driver or a GPU."""
        with imports:
            import logging

            try:
                import pynvml
            except ImportError:
                logging.getLogger("runhaven_gpu_monitor").debug("no GPU readings: nvidia-ml-py is not installed")
                return None

        self._nvml = pynvml
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            code: Any = getattr(error, "value", None)
            logging.getLogger("runhaven_gpu_monitor").debug("no GPU readings: no NVIDIA driver (code %s)", code)
            return None
        self._pid = os.getpid()
        self._gpus = self._find()
        if not self._gpus:
            self.close()
            return None
        return {"gpus": [self._describe(gpu) for gpu in self._gpus]}

    def sample(self) -> dict[str, float]:
        """Return the current readings of all GPUs that answer."""
        values: dict[str, float] = {}
        for gpu in self._gpus:
            for name, value in self._sample(gpu).items():
                values[f"gpu/{gpu.index}/{name}"] = value
        return values

    def close(self) -> None:
        """Disconnect, because an open connection keeps an administrator from unloading the driver."""
        # What NVML holds is not valid in a forked child.
        if self._pid == os.getpid():
            self._gpus = []
            self._pid = 0
            self._ask(self._nvml.nvmlShutdown)

    def _find(self) -> list[_Gpu]:
        gpus: list[_Gpu] = []
        for index in range(self._ask(self._nvml.nvmlDeviceGetCount) or 0):
            # A container can see the number of all GPUs and be refused most of them.
            handle = self._ask(self._nvml.nvmlDeviceGetHandleByIndex, index)
            if handle is not None:
                gpus.append(_Gpu(index, handle, self._readings()))
        return gpus

    def _readings(self) -> list[list[Read]]:
        return [
            [self._utilization],
            [self._memory_v2, self._memory],
            [self._power],
            [self._temperature_v, self._temperature],
        ]

    def _sample(self, gpu: _Gpu) -> dict[str, float]:
        values: dict[str, float] = {}
        for ways in list(gpu.readings):
            while ways:
                try:
                    values.update(ways[0](gpu.handle))
                except self._nvml.NVMLError as error:
                    if error.value in _LOST:
                        gpu.readings.clear()
                        return values
                    if error.value not in _PERMANENT:
                        break
                    ways.pop(0)
                else:
                    break
        gpu.readings = [ways for ways in gpu.readings if ways]
        return values

    def _describe(self, gpu: _Gpu) -> dict[str, Any]:
        memory = self._ask(self._nvml.nvmlDeviceGetMemoryInfo, gpu.handle)
        return {
            "index": gpu.index,
            "name": self._ask(self._nvml.nvmlDeviceGetName, gpu.handle),
            "uuid": self._ask(self._nvml.nvmlDeviceGetUUID, gpu.handle),
            "memory_bytes": None if memory is None else int(memory.total),
            "driver": self._ask(self._nvml.nvmlSystemGetDriverVersion),
        }

    def _ask(self, function: Callable[..., Any], *arguments: object) -> Any:
        """Return what the driver answers, or None when it refuses."""
        try:
            return function(*arguments)
        except self._nvml.NVMLError:
            return None

    def _utilization(self, handle: object) -> dict[str, float]:
        return {"utilization_percent": self._nvml.nvmlDeviceGetUtilizationRates(handle).gpu}

    def _memory_v2(self, handle: object) -> dict[str, float]:
        # Version 1 counts what the driver reserved for itself as used.
        return _memory(self._nvml.nvmlDeviceGetMemoryInfo(handle, version=self._nvml.nvmlMemory_v2))

    def _memory(self, handle: object) -> dict[str, float]:
        return _memory(self._nvml.nvmlDeviceGetMemoryInfo(handle))

    def _power(self, handle: object) -> dict[str, float]:
        return {"power_watts": self._nvml.nvmlDeviceGetPowerUsage(handle) / 1000}

    def _temperature_v(self, handle: object) -> dict[str, float]:
        return {"temperature_celsius": self._nvml.nvmlDeviceGetTemperatureV(handle, self._nvml.NVML_TEMPERATURE_GPU)}

    def _temperature(self, handle: object) -> dict[str, float]:
        return {"temperature_celsius": self._nvml.nvmlDeviceGetTemperature(handle, self._nvml.NVML_TEMPERATURE_GPU)}


def _memory(info: Any) -> dict[str, float]:
    percent = {"memory_used_percent": 100.0 * info.used / info.total} if info.total else {}
    return {"memory_used_bytes": info.used, **percent}
