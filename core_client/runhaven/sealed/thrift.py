"""Thrift's compact protocol, in which the footer and the page heads of a Parquet file are written.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_I32, _I64, _BINARY, _LIST, _STRUCT = 5, 6, 8, 9, 12
_LONG_LIST = 15


class Value(NamedTuple):
    """A value as it is written: Thrift's number of its kind, and its bytes."""

    kind: int
    data: bytes


TRUE = Value(1, b"")


def varint(number: int) -> bytes:
    """Return an unsigned number, seven bits a byte."""
    found = bytearray()
    while number >= 0x80:  # noqa: PLR2004 - the bit that says that more follows
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)


def zigzag(number: int) -> bytes:
    """Return a number with a sign."""
    return varint(number << 1 if number >= 0 else (-number << 1) - 1)


def i32(number: int) -> Value:
    """Return an integer of 32 bits."""
    return Value(_I32, zigzag(number))


def i64(number: int) -> Value:
    """Return an integer of 64 bits."""
    return Value(_I64, zigzag(number))


def binary(data: bytes) -> Value:
    """Return bytes, or a text's UTF-8."""
    return Value(_BINARY, varint(len(data)) + data)


def struct(fields: Mapping[int, Value]) -> Value:
    """Return a struct; its fields by their numbers, which ascend by less than 16."""
    parts: list[bytes] = []
    last = 0
    for number, (kind, data) in fields.items():
        parts += [bytes([(number - last) << 4 | kind]), data]
        last = number
    return Value(_STRUCT, b"".join([*parts, b"\0"]))


def listed(values: Sequence[Value]) -> Value:
    """Return a list of values of one kind, at least one."""
    count, kind = len(values), values[0].kind
    head = bytes([count << 4 | kind]) if count < _LONG_LIST else bytes([_LONG_LIST << 4 | kind]) + varint(count)
    return Value(_LIST, head + b"".join(value.data for value in values))


class VarintReader:
    """Reads numbers that `varint` and `zigzag` wrote.

    Attributes:
        position: Where the next one begins.
    """

    def __init__(self, data: bytes) -> None:
        """Begin at the first byte."""
        self.position = 0
        self._data = data

    def varint(self) -> int:
        """Read an unsigned number.

        Raises:
            IndexError: If the bytes end within it.
        """
        result = shift = 0
        while True:
            byte = self._data[self.position]
            self.position += 1
            result |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - as above
                return result
            shift += 7

    def zigzag(self) -> int:
        """Read a number with a sign."""
        value = self.varint()
        return (value >> 1) ^ -(value & 1)
