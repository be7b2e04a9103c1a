"""How NVML lays out what it writes. The names of the C types stand beside; the tests compare sizes with pynvml's."""

from __future__ import annotations

import ctypes
import struct


class Utilization(ctypes.Structure):
    """nvmlUtilization_t: percent."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class MemoryV1(ctypes.Structure):
    """nvmlMemory_t: bytes."""

    _fields_ = tuple((name, ctypes.c_ulonglong) for name in ("total", "free", "used"))


class MemoryV2(ctypes.Structure):
    """nvmlMemory_v2_t: bytes; `used` is without what the driver reserved for itself."""

    _fields_ = (
        ("version", ctypes.c_uint),
        *((name, ctypes.c_ulonglong) for name in ("total", "reserved", "free", "used")),
    )


class Temperature(ctypes.Structure):
    """nvmlTemperature_v1_t: degrees Celsius."""

    _fields_ = (("version", ctypes.c_uint), ("sensor", ctypes.c_uint), ("celsius", ctypes.c_int))


class ProcessInfo(ctypes.Structure):
    """nvmlProcessInfo_v2_t, which the functions of version 3 fill: bytes."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class GpmSupport(ctypes.Structure):
    """nvmlGpmSupport_t."""

    _fields_ = (("version", ctypes.c_uint), ("is_supported", ctypes.c_uint))


def versioned(layout: type[ctypes.Structure], version: int) -> int:
    """Return what the field `version` must hold: the size of the structure and its version in the highest byte."""
    return ctypes.sizeof(layout) | version << 24


FIELD_VALUE = struct.Struct("=IIqqIIQ")
"""nvmlFieldValue_t: fieldId, scopeId, timestamp and latencyUsec in microseconds, valueType, nvmlReturn, value."""

GPM_HEAD = struct.Struct("@IIPP")
"""nvmlGpmMetricsGet_t up to its metrics: version, numMetrics, sample1, sample2."""

GPM_METRIC = struct.Struct("@IIdPPP")
"""nvmlGpmMetric_t: metricId, nvmlReturn, value, and three texts."""
