"""Pixels as PNG, by zlib alone: other threads go on while it compresses, which with Pillow they do not.

The format is that of the W3C's PNG specification, third edition. Every line holds its difference to the one above (filter 2), which
suits photographs as well as figures; docs/decisions/0006-pictures.md has the figures that chose filter and level.
"""

from __future__ import annotations

import struct
import zlib
from typing import Any

from runhaven.missing import require

_LEVEL = 4
_UP = 2
_COLOR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_FLAT = 2


def encode(array: Any) -> bytes:
    """Return the PNG of pixels.

    Args:
        array: HxW, or HxWxC with 1 to 4 channels, the last of 2 or 4 being alpha; of uint8 or uint16.
    """
    height, width = array.shape[:2]
    channels = 1 if array.ndim == _FLAT else array.shape[2]
    depth = array.dtype.itemsize * 8
    head = struct.pack(">IIBBBBB", width, height, depth, _COLOR_TYPES[channels], 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(_filtered(array), _LEVEL)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _filtered(array: Any) -> Any:
    """Return each line's difference to the one above, behind the number of the filter."""
    np = require("numpy", feature="a picture from an array")
    rows = np.ascontiguousarray(array, array.dtype.newbyteorder(">")).view(np.uint8).reshape(len(array), -1)
    lines = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    lines[:, 0] = _UP
    lines[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=lines[1:, 1:])
    return lines


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(name)))
