"""Reads Thrift's compact protocol, in which the footer and the page heads of a Parquet file are written.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any, TypeAlias

Struct: TypeAlias = "dict[int, Any]"
"""A struct's fields by their number."""

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_LONG_LIST = 15


class ThriftReader:
    """Reads one value after another.

    Attributes:
        position: Where the next value begins.
    """

    def __init__(self, data: bytes | memoryview, position: int = 0) -> None:
        """Begin at a position of some bytes."""
        self.position = position
        self._data = data

    def struct(self, *, before: int = 2**15) -> Struct:
        """Read a struct, or what it has before a field; the reader then stands where the value of the next field begins.

        Raises:
            ValueError: If the bytes hold none.
            IndexError: If they end within it.
        """
        fields: Struct = {}
        number = 0
        while head := self._byte():
            step = head >> 4
            number = number + step if step else self.zigzag()
            if number >= before:
                break
            fields[number] = self._value(head & 15)
        return fields

    def _byte(self) -> int:
        value = self._data[self.position]
        self.position += 1
        return value

    def varint(self) -> int:
        """Read an unsigned number."""
        result = shift = 0
        while True:
            byte = self._byte()
            result |= (byte & 0x7F) << shift
            if byte < 0x80:  # noqa: PLR2004 - the bit that says that more follows
                return result
            shift += 7

    def zigzag(self) -> int:
        """Read a number with a sign."""
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def _value(self, kind: int) -> Any:
        if kind in (_TRUE, _FALSE):
            return kind == _TRUE
        if kind in (_I16, _I32, _I64):
            return self.zigzag()
        if kind == _BYTE:
            return self._byte()
        if kind in (_BINARY, _DOUBLE):
            return self._bytes(8 if kind == _DOUBLE else self.varint())
        if kind in (_STRUCT, _LIST, _SET):
            return self.struct() if kind == _STRUCT else self._list()
        message = f"no value of Thrift's kind {kind} is expected here"
        raise ValueError(message)

    def _bytes(self, length: int) -> bytes:
        value = bytes(self._data[self.position : self.position + length])
        self.position += length
        return value

    def _list(self) -> list[Any]:
        head = self._byte()
        kind, count = head & 15, head >> 4
        count = self.varint() if count == _LONG_LIST else count
        if kind in (_TRUE, _FALSE):
            return [self._byte() == _TRUE for _ in range(count)]
        return [self._value(kind) for _ in range(count)]
