"""Many field values of a GPU in one call."""

from __future__ import annotations

import ctypes
import struct
from typing import TYPE_CHECKING

from runhaven_gpu_monitor.nvml.code import INVALID_ARGUMENT, NOT_SUPPORTED
from runhaven_gpu_monitor.nvml.layout import FIELD_VALUE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven_gpu_monitor.nvml.driver import Driver
    from runhaven_gpu_monitor.nvml.quantity import Answers, Field, Quantity

_DOUBLE, _UINT, _LONG, _INT, _USHORT = 0, 1, 4, 5, 6
_NARROW = frozenset({_UINT, _INT, _USHORT})


class FieldBatch:
    """Asks for a set of fields again and again, in a buffer that is laid out once."""

    def __init__(self, driver: Driver, fields: Sequence[Field]) -> None:
        self._driver = driver
        self._fields = fields
        self._get = driver.function("nvmlDeviceGetFieldValues")
        self._buffer = ctypes.create_string_buffer(FIELD_VALUE.size * len(fields))
        for at, field in enumerate(fields):
            FIELD_VALUE.pack_into(self._buffer, FIELD_VALUE.size * at, field.id, field.scope, 0, 0, 0, 0, 0)
        self._layout = struct.Struct(FIELD_VALUE.format + FIELD_VALUE.format[1:] * (len(fields) - 1))

    def read(self, handle: object, answers: Answers) -> list[tuple[Quantity, int]]:
        """Add the answers, and return what failed with its code."""
        code = self._get(handle, len(self._fields), self._buffer)
        if code == INVALID_ARGUMENT and len(self._fields) > 1:
            # One field that this driver has never heard of may spoil the call for all: ask each by itself which it is.
            alone = (FieldBatch(self._driver, [field]) for field in self._fields)
            return [failed for batch in alone for failed in batch.read(handle, answers)]
        if code:
            return [(field, code) for field in self._fields]
        failed: list[tuple[Quantity, int]] = []
        cells = self._layout.unpack_from(self._buffer)
        for field, kind, code, raw in zip(self._fields, cells[4::7], cells[5::7], cells[6::7], strict=True):
            if code:
                failed.append((field, code))
            elif field.is_wide and kind in _NARROW:
                failed.append((field, NOT_SUPPORTED))
            else:
                answers[field] = raw if kind in (2, 3) else _decode(kind, raw)
        return failed


def _decode(kind: int, raw: int) -> float:
    """Return a value from the eight bytes of nvmlValue_t, of which the driver wrote as many as its type has."""
    if kind == _UINT:
        return raw & 0xFFFFFFFF
    if kind == _USHORT:
        return raw & 0xFFFF
    if kind == _INT:
        return ctypes.c_int32(raw & 0xFFFFFFFF).value
    if kind == _LONG:
        return ctypes.c_int64(raw).value
    return struct.unpack("=d", struct.pack("=Q", raw))[0] if kind == _DOUBLE else raw
