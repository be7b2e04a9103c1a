"""Readings of AMD GPUs from what the kernel's driver amdgpu shows under `/sys`; no library of ROCm is needed.

https://docs.kernel.org/gpu/amdgpu/thermal.html and .../driver-misc.html name the files and their units. `pcie_bw` is never read: the
kernel measures for a second before it answers.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven_gpu_monitor.kernel_file import list_names, read_number, read_text
from runhaven_gpu_monitor.visibility import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runhaven_gpu_monitor.source import Tell

_AMD, _NVIDIA = "0x1002", "0x10de"
_DISPLAY = "0x03"
_CARD = re.compile(r"card\d+$")
_MICRO, _MILLI, _MEGA = 1e-6, 1e-3, 1e6


class _File(NamedTuple):
    """A file with one number.

    Attributes:
        name: Key below `gpu/<index>/`.
        path: Below the device, or below its `hwmon` directory for those that measure.
        scale: From the unit of the file to that of the key; None keeps a whole number.
    """

    name: str
    path: str
    scale: float | None = None


_DEVICE = (
    _File("utilization_percent", "gpu_busy_percent"),
    _File("memory_utilization_percent", "mem_busy_percent"),
    _File("memory_used_bytes", "mem_info_vram_used"),
)
_MEASURED = (
    _File("power_watts", "power1_average", _MICRO),
    _File("power_watts", "power1_input", _MICRO),  # newer GPUs have no mean
    _File("power_limit_watts", "power1_cap", _MICRO),
    _File("sm_clock_mhz", "freq1_input", 1 / _MEGA),
    _File("memory_clock_mhz", "freq2_input", 1 / _MEGA),
)
_TEMPERATURES = {
    "edge": "temperature_celsius",
    "junction": "hotspot_temperature_celsius",
    "mem": "memory_temperature_celsius",
}
_FAN = ("pwm1", "pwm1_max")


class _Gpu(NamedTuple):
    number: int
    device: str
    files: list[_File]
    memory_bytes: int | None


class AmdSource:
    """Reads all AMD GPUs of the machine. They are numbered on from the NVIDIA GPUs, in the order of the PCI bus.

    Args:
        root: Where `sys` lies.
    """

    def __init__(self, *, root: str = "/") -> None:
        self._root = root
        self._gpus: list[_Gpu] = []

    def open(self, tell: Tell) -> dict[str, Any] | None:  # noqa: ARG002 - the kernel tells of no incident
        """Return the facts about the GPUs, or None without one."""
        first = self._count_nvidia()
        devices = sorted(self._devices(), key=_pci)
        self._gpus = [_open(device, first + place) for place, device in enumerate(devices)]
        if not self._gpus:
            return None
        facts = [_describe(gpu) for gpu in self._gpus]
        numbers = visible(facts, _visibility(os.environ))
        for place, gpu in enumerate(facts):
            gpu["is_visible"] = None if numbers is None else numbers[place] is not None
        return {"gpus": facts}

    def sample(self) -> dict[str, float]:
        """Return the current readings of all GPUs."""
        values: dict[str, float] = {}
        for gpu in self._gpus:
            prefix = f"gpu/{gpu.number}/"
            for file in gpu.files:
                number = read_number(file.path)
                if number is not None:
                    values[prefix + file.name] = number if file.scale is None else number * file.scale
            used = values.get(f"{prefix}memory_used_bytes")
            if used is not None and gpu.memory_bytes:
                values[f"{prefix}memory_used_percent"] = 100.0 * used / gpu.memory_bytes
        return values

    def close(self) -> None:
        """Forget the GPUs; nothing is held open."""
        self._gpus = []

    def _devices(self) -> Iterator[str]:
        drm = os.path.join(self._root, "sys/class/drm")
        for name in list_names(drm):
            device = os.path.join(drm, name, "device")
            if _CARD.match(name) and read_text(os.path.join(device, "vendor")) == _AMD:
                yield device

    def _count_nvidia(self) -> int:
        bus = os.path.join(self._root, "sys/bus/pci/devices")
        return sum(
            read_text(os.path.join(bus, name, "vendor")) == _NVIDIA
            and (read_text(os.path.join(bus, name, "class")) or "").startswith(_DISPLAY)
            for name in list_names(bus)
        )


def _open(device: str, index: int) -> _Gpu:
    """Find the files that there are and can be read."""
    monitors = [os.path.join(device, "hwmon", name) for name in list_names(os.path.join(device, "hwmon"))]
    found: dict[str, _File] = {}
    for file in _DEVICE:
        found[file.name] = file._replace(path=os.path.join(device, file.path))
    for monitor in monitors:
        for file in (*_MEASURED, *_temperatures(monitor), *_fan(monitor)):
            path = os.path.join(monitor, file.path)
            if file.name not in found and read_number(path) is not None:
                found[file.name] = file._replace(path=path)
    files = [file for file in found.values() if read_number(file.path) is not None]
    return _Gpu(index, device, files, read_number(os.path.join(device, "mem_info_vram_total")))


def _temperatures(monitor: str) -> Iterator[_File]:
    for name in list_names(monitor):
        if re.match(r"temp\d+_input$", name):
            # Older GPUs have one sensor, on the edge of the chip, and do not say so.
            label = read_text(os.path.join(monitor, name.replace("_input", "_label"))) or "edge"
            if label in _TEMPERATURES:
                yield _File(_TEMPERATURES[label], name, _MILLI)


def _fan(monitor: str) -> Iterator[_File]:
    most = read_number(os.path.join(monitor, _FAN[1]))
    if most:
        yield _File("fan_percent", _FAN[0], 100.0 / most)


def _describe(gpu: _Gpu) -> dict[str, Any]:
    name = read_text(os.path.join(gpu.device, "product_name"))
    unique = read_text(os.path.join(gpu.device, "unique_id"))
    return {
        "index": gpu.number,
        "vendor": "AMD",
        "name": name or f"AMD GPU {read_text(os.path.join(gpu.device, 'device'))}",
        # As ROCm writes it in ROCR_VISIBLE_DEVICES.
        "uuid": f"GPU-{unique.removeprefix('0x')}" if unique else None,
        "memory_bytes": gpu.memory_bytes,
        "pci": _pci(gpu.device),
    }


def _visibility(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what hides GPUs from ROCm, as CUDA would say it: both number GPUs in the order of the bus."""
    names = ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "CUDA_VISIBLE_DEVICES")
    setting = next((environment[name] for name in names if name in environment), None)
    found = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    return found if setting is None else found | {"CUDA_VISIBLE_DEVICES": setting}


def _pci(device: str) -> str:
    return os.path.basename(os.path.realpath(device))
