"""What is asked once of a GPU: who it is, and how it is divided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from runhaven_gpu_monitor.nvml.driver import Driver

_VIRTUAL = {1: "passthrough", 2: "vgpu", 3: "vgpu host", 4: "vsga host"}
_MIG_ON = 1


class Instance(NamedTuple):
    """A MIG instance.

    Attributes:
        handle: NVML's handle of it.
        gpu_instance: The number that the performance monitor wants.
        facts: `index`, `uuid`, `gpu_instance`, `compute_instance`, `memory_bytes` and `multiprocessors`.
    """

    handle: Any
    gpu_instance: int
    facts: dict[str, Any]


def describe(driver: Driver, handle: Any) -> dict[str, Any]:
    """Return the facts about a GPU; None stands for what it does not tell."""
    memory = driver.ask("nvmlDeviceGetMemoryInfo", handle)
    pci = driver.ask("nvmlDeviceGetPciInfo", handle)
    capability = driver.ask("nvmlDeviceGetCudaComputeCapability", handle)
    limit = driver.ask("nvmlDeviceGetEnforcedPowerLimit", handle)
    cuda = driver.ask("nvmlSystemGetCudaDriverVersion")
    return {
        "vendor": "NVIDIA",
        "name": driver.ask("nvmlDeviceGetName", handle),
        "uuid": driver.ask("nvmlDeviceGetUUID", handle),
        "memory_bytes": None if memory is None else int(memory.total),
        "pci": None if pci is None else _text(pci.busId),
        "compute_capability": None if capability is None else f"{capability[0]}.{capability[1]}",
        "cores": driver.ask("nvmlDeviceGetNumGpuCores", handle),
        "power_limit_watts": None if limit is None else limit / 1000,
        "driver": driver.ask("nvmlSystemGetDriverVersion"),
        "cuda": None if cuda is None else f"{cuda // 1000}.{cuda % 1000 // 10}",
        "virtualization": _VIRTUAL.get(driver.ask("nvmlDeviceGetVirtualizationMode", handle)),
    }


def instances(driver: Driver, handle: Any) -> list[Instance]:
    """Return the MIG instances of a GPU."""
    mode = driver.ask("nvmlDeviceGetMigMode", handle)
    if mode is None or mode[0] != _MIG_ON:
        return []
    found: list[Instance] = []
    for index in range(driver.ask("nvmlDeviceGetMaxMigDeviceCount", handle) or 0):
        instance = driver.ask("nvmlDeviceGetMigDeviceHandleByIndex", handle, index)
        if instance is not None:
            found.append(_instance(driver, instance, index))
    return found


def _instance(driver: Driver, handle: Any, index: int) -> Instance:
    memory = driver.ask("nvmlDeviceGetMemoryInfo", handle)
    attributes = driver.ask("nvmlDeviceGetAttributes_v2", handle)
    number = driver.ask("nvmlDeviceGetGpuInstanceId", handle)
    facts = {
        "index": index,
        "uuid": driver.ask("nvmlDeviceGetUUID", handle),
        "gpu_instance": number,
        "compute_instance": driver.ask("nvmlDeviceGetComputeInstanceId", handle),
        "memory_bytes": None if memory is None else int(memory.total),
        "multiprocessors": None if attributes is None else int(attributes.multiprocessorCount),
    }
    return Instance(handle, number or 0, facts)


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
