"""A quick checksum beside the SHA-256 of each blob: it finds what a disk did to bytes, not what somebody did on purpose."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "xxh3_64"
"""What a manifest calls it: XXH3 with 64 bits, in hexadecimal; https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md defines it."""
DIGITS = 16


class Hash(Protocol):
    """A hash that is being computed."""

    def update(self, data: memoryview, /) -> None:
        """Take in some bytes."""
        ...

    def hexdigest(self) -> str:
        """Return it in hexadecimal."""
        ...


@functools.cache
def begin() -> Callable[[], Hash] | None:
    """Return what begins a checksum; None where the package that computes it is not installed."""
    try:
        from xxhash import xxh3_64
    except ImportError:
        return None
    return xxh3_64


def checksum_of(data: memoryview) -> str:
    """Return the checksum of some bytes; none, "", where it cannot be computed."""
    make = begin()
    if make is None:
        return ""
    whole = make()
    whole.update(data)
    return whole.hexdigest()
