"""The table of what is read from an NVIDIA GPU: under which key, in which unit, from where.

A metric has several ways, the best first; the first that the GPU supports is used. Counters come before gauges: what a
counter counted between two readings describes all the time between them, a gauge a small part of it. Functions that are
slow in the driver have no place here: nvmlDeviceGetPcieThroughput, for one, measures for 20 ms.
Numbers and units: nvml.h of NVML 13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runhaven_gpu_monitor.nvml.quantity import (
    ALL_LINKS,
    Field,
    Gpm,
    Number,
    Part,
    bits,
    gauge,
    positive,
    rate,
    share,
    total,
)

if TYPE_CHECKING:
    from runhaven_gpu_monitor.nvml.quantity import Way


class Metric(NamedTuple):
    """A row of the table.

    Attributes:
        name: Key below `gpu/<index>/`, its unit last.
        ways: Where it comes from, the best first.
    """

    name: str
    ways: tuple[Way, ...]


def _metric(name: str, *ways: Way) -> Metric:
    return Metric(name, ways)


_KIB, _MIB, _MILLI = 1024.0, 1024.0**2, 1e-3

_ENERGY = Field(83)  # mJ since the driver was loaded
_ENERGY_CALL = Number("nvmlDeviceGetTotalEnergyConsumption")
_CLOCK = "nvmlDeviceGetClockInfo"
_WHY_SLOW = Number("nvmlDeviceGetCurrentClocksEventReasons")
_WHY_SLOW_OLD = Number("nvmlDeviceGetCurrentClocksThrottleReasons")


def _throttled(reason: str, field: int, mask: int = 0) -> Metric:
    """How long clocks were held down for a reason: counted in ns, or by the bit that says whether they are just now."""
    by_bit = (bits(_WHY_SLOW, mask), bits(_WHY_SLOW_OLD, mask)) if mask else ()
    return _metric(f"throttled_{reason}_percent", share(Field(field)), *by_bit)


OFTEN = (
    _metric("utilization_percent", gauge(Part("utilization", "gpu"))),
    _metric("memory_utilization_percent", gauge(Part("utilization", "memory"))),
    _metric("memory_used_bytes", gauge(Part("memory", "used")), gauge(Part("memory_v1", "used"))),
    _metric("memory_used_percent", gauge(Part("memory", "percent")), gauge(Part("memory_v1", "percent"))),
    _metric("memory_reserved_bytes", gauge(Part("memory", "reserved"))),
    _metric(
        "power_watts",
        rate(_ENERGY, _MILLI),
        rate(_ENERGY_CALL, _MILLI),
        gauge(Field(185), _MILLI),  # mean of the last second
        gauge(Field(186), _MILLI),
        gauge(Number("nvmlDeviceGetPowerUsage"), _MILLI),
    ),
    _metric("energy_joules", total(_ENERGY, _MILLI), total(_ENERGY_CALL, _MILLI)),
    _metric(
        "temperature_celsius",
        gauge(Part("temperature", "celsius")),
        gauge(Number("nvmlDeviceGetTemperature", (0,))),
    ),
    _metric("memory_temperature_celsius", positive(Field(82))),  # 0 where the memory has no sensor
    _metric("sm_clock_mhz", gauge(Number(_CLOCK, (1,)))),
    _metric("memory_clock_mhz", gauge(Number(_CLOCK, (2,)))),
    _throttled("power", 74, 0x4),
    _throttled("thermal", 75),
    _throttled("sync_boost", 76, 0x10),
    _throttled("board_limit", 77),
    _throttled("reliability", 79),
    _throttled("software_thermal", 269, 0x20),
    _throttled("hardware_thermal", 270, 0x40),
    _throttled("power_brake", 271, 0x80),
    _metric("pcie_sent_bytes_per_second", gauge(Gpm(20), _MIB), rate(Field(197, is_wide=True))),
    _metric("pcie_received_bytes_per_second", gauge(Gpm(21), _MIB), rate(Field(198, is_wide=True))),
    _metric(
        "nvlink_sent_bytes_per_second",
        rate(Field(138, ALL_LINKS, is_wide=True), _KIB),
        rate(Field(202, ALL_LINKS, is_wide=True)),
        gauge(Gpm(61), _MIB),
    ),
    _metric(
        "nvlink_received_bytes_per_second",
        rate(Field(139, ALL_LINKS, is_wide=True), _KIB),
        rate(Field(204, ALL_LINKS, is_wide=True)),
        gauge(Gpm(60), _MIB),
    ),
)
"""Read at each beat."""

ACTIVITY = (
    _metric("graphics_active_percent", gauge(Gpm(1))),
    _metric("sm_active_percent", gauge(Gpm(2))),
    _metric("sm_occupancy_percent", gauge(Gpm(3))),
    _metric("integer_active_percent", gauge(Gpm(4))),
    _metric("tensor_active_percent", gauge(Gpm(5))),
    _metric("dram_active_percent", gauge(Gpm(10))),
    _metric("fp64_active_percent", gauge(Gpm(11))),
    _metric("fp32_active_percent", gauge(Gpm(12))),
    _metric("fp16_active_percent", gauge(Gpm(13))),
)
"""How busy the parts of the chip were since the beat before; Hopper and later."""

SELDOM = (
    _metric("power_limit_watts", gauge(Field(190), _MILLI), gauge(Number("nvmlDeviceGetEnforcedPowerLimit"), _MILLI)),
    _metric("graphics_clock_mhz", gauge(Number(_CLOCK, (0,)))),
    _metric("performance_state", gauge(Number("nvmlDeviceGetPerformanceState"))),
    _metric("fan_percent", gauge(Number("nvmlDeviceGetFanSpeed"))),
    _metric("pcie_generation", gauge(Number("nvmlDeviceGetCurrPcieLinkGeneration"))),
    _metric("pcie_width_lanes", gauge(Number("nvmlDeviceGetCurrPcieLinkWidth"))),
    _metric("pcie_replays", gauge(Field(94)), gauge(Number("nvmlDeviceGetPcieReplayCounter"))),
    _metric("ecc_corrected_errors", gauge(Field(3)), gauge(Number("nvmlDeviceGetTotalEccErrors", (0, 0)))),
    _metric("ecc_uncorrected_errors", gauge(Field(4)), gauge(Number("nvmlDeviceGetTotalEccErrors", (1, 0)))),
    _metric("remapped_rows_corrected", gauge(Field(142))),
    _metric("remapped_rows_uncorrected", gauge(Field(143))),
    _metric("row_remap_pending", gauge(Field(144))),
    _metric("row_remap_failed", gauge(Field(145))),
    _metric("recovery_action", gauge(Field(230))),
    _metric("nvlink_crc_errors", gauge(Field(45)), gauge(Field(163, ALL_LINKS))),
    _metric("nvlink_replay_errors", gauge(Field(52)), gauge(Field(161, ALL_LINKS))),
    _metric("nvlink_recovery_errors", gauge(Field(59)), gauge(Field(162, ALL_LINKS))),
    _metric("process_memory_bytes", gauge(Part("processes", "used"))),
)
"""Read about twice a minute: they change seldom, or are slow in the driver."""

ENGINES = tuple(
    _metric(f"{name.lower()}_utilization_percent", gauge(Number(f"nvmlDeviceGet{code}Utilization", has_period=True)))
    for name, code in (("encoder", "Encoder"), ("decoder", "Decoder"), ("jpeg", "Jpg"), ("optical_flow", "Ofa"))
)
"""The engines for video and pictures, which training seldom uses: read on request."""

OF_INSTANCE = (
    _metric("memory_used_bytes", gauge(Part("memory", "used")), gauge(Part("memory_v1", "used"))),
    _metric("memory_used_percent", gauge(Part("memory", "percent")), gauge(Part("memory_v1", "percent"))),
    *ACTIVITY,
)
"""What can be read of a MIG instance, below `gpu/<index>/mig/<number>/`."""
