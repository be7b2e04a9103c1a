"""Counts the codes of tensors' numbers, and their norms, without waiting for a device."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from runhaven.log_histogram import CODES, NEGATIVE

try:
    import numpy as np
except ImportError:  # PyTorch can do without it, and then counts a tenth slower.
    np = None

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from collections.abc import Set as AbstractSet

CHUNK = 1 << 19
DEVICE_CHUNK = 1 << 24
_SINGLE = torch.float32
_norm: Callable[..., torch.Tensor] = torch.linalg.vector_norm  # pyright: ignore[reportUnknownVariableType] - torch leaves it untyped
_LAST_FINITE = 2039
_INFINITY = 2040
_DOUBLE_BIAS = 8 * (1023 - 127)


def look_through(
    flats: Mapping[int, torch.Tensor], counted: AbstractSet[int]
) -> tuple[torch.Tensor, Sequence[int], dict[int, torch.Tensor]]:
    """Go once through flat tensors of one device.

    Args:
        flats: The tensors, by what they are known by.
        counted: Of which of them to count the codes, too.

    Returns:
        The norms of the tensors' pieces, of how many pieces each tensor is, and what `count` returns.
    """
    if not is_on_host(flats):
        counts = count({place: flat for place, flat in flats.items() if place in counted})
        return torch.stack(list(norms_of(list(flats.values())))), [1] * len(flats), counts
    # Each piece's norm just before its codes, so that it comes from the memory once.
    counts: dict[int, torch.Tensor] = {}
    norms: list[torch.Tensor] = []
    numbers: list[int] = []
    for place, flat in flats.items():
        parts = pieces(flat, CHUNK)
        numbers.append(len(parts))
        narrow = None if flat.dtype.itemsize >= _SINGLE.itemsize else _SINGLE
        for piece in parts:
            norms.append(_norm(piece, dtype=narrow))
            if place in counted:
                _add(counts, place, _count_piece(piece))
    return torch.stack(norms), numbers, counts


def squares_of(norms: torch.Tensor, numbers: Sequence[int]) -> torch.Tensor:
    """Return the sums of the squares of tensors whose pieces have these norms, on the host.

    They add up in double precision: in single precision, 64 million numbers would lose half a per cent.
    """
    return sums_of(norms.to(torch.float64).square_()[None], numbers)[0]


def norms_of(flats: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """Return the Euclidean norms, computed in single precision at least."""
    kinds = {flat.dtype for flat in flats}
    if len(kinds) > 1:
        return [norm for flat in flats for norm in norms_of([flat])]
    narrow = torch.float32 if any(kind.itemsize < torch.float32.itemsize for kind in kinds) else None
    return torch._foreach_norm(list(flats), 2, narrow) if kinds else ()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def count(flats: Mapping[int, torch.Tensor]) -> dict[int, torch.Tensor]:
    """Return how often each of the 4096 codes occurs in flat tensors of one device."""
    counts: dict[int, torch.Tensor] = {}
    if is_on_host(flats):
        for place, flat in flats.items():
            for piece in pieces(flat, CHUNK):
                _add(counts, place, _count_piece(piece))
        return counts
    with _in_any_order():
        for place, flat in flats.items():
            for piece in pieces(flat, DEVICE_CHUNK):
                # bincount() would wait for the device to learn the greatest code.
                _add(counts, place, torch.histc(codes_of(piece).int(), CODES, 0, CODES).long())
    return counts


@contextmanager
def _in_any_order() -> Generator[None]:
    """Count even if deterministic algorithms alone are allowed: it is one, which not all versions of PyTorch know."""
    is_asked = torch.are_deterministic_algorithms_enabled()
    only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(False)  # noqa: FBT003 - its only parameter without a name
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(is_asked, warn_only=only_warns)


def is_on_host(flats: Mapping[int, torch.Tensor]) -> bool:
    """Tell whether tensors of one device lie where Python runs."""
    return all(flat.device.type == "cpu" for flat in flats.values())


def _add(counts: dict[int, torch.Tensor], place: int, part: torch.Tensor) -> None:
    counts[place] = counts[place].add_(part) if place in counts else part


# On the host


def _count_piece(piece: torch.Tensor) -> torch.Tensor:
    """Count the codes of a piece that a cache holds."""
    return torch.bincount(_scratch.codes(piece), minlength=CODES)


class _Scratch(threading.local):
    """Room for the codes of one chunk, for each thread; fresh pages cost as much as the counting."""

    _room: Any = None
    _same: Any = None

    def codes(self, piece: torch.Tensor) -> torch.Tensor:
        """Return a piece's codes, until the next call."""
        if self._room is None:
            self._room = torch.empty(CHUNK, dtype=torch.int32)
        size = piece.numel()
        room = self._room if size == CHUNK else self._room[:size]
        if np is None or piece.dtype not in _BITS:
            return room.copy_(codes_of(piece))
        if self._same is None:
            self._same = self._room.numpy().view(np.uint32)
        # An unsigned shift, which PyTorch lacks, needs no second pass to take the sign bit for a number.
        readable, unsigned, shift = _BITS[piece.dtype]
        bits = (piece if readable is piece.dtype else piece.view(readable)).numpy().view(unsigned)
        np.right_shift(bits, shift, out=self._same[:size])
        return room


_scratch = _Scratch()
# What NumPy can read of a type, as which numbers, and by how many bits to shift them.
_BITS: dict[torch.dtype, Any] = {torch.float32: (torch.float32, "u4", 20), torch.bfloat16: (torch.int16, "u2", 4)}


def codes_of(flat: torch.Tensor) -> torch.Tensor:
    """Return the code of each number: the top 12 bits of it in single precision."""
    if flat.dtype == torch.float32:
        signed = flat.view(torch.int32) >> 20
    elif flat.dtype == torch.bfloat16:
        signed = flat.view(torch.int16) >> 4
    elif flat.dtype == torch.float64:
        signed = _signed_of_double(flat)
    else:
        signed = flat.float().view(torch.int32) >> 20
    return signed.bitwise_and_(CODES - 1)


def _signed_of_double(flat: torch.Tensor) -> torch.Tensor:
    bits = flat.view(torch.int64) >> 49
    magnitude = (bits & 0x3FFF) - _DOUBLE_BIAS
    special = magnitude >= (2047 * 8 - _DOUBLE_BIAS)
    single = torch.where(special, magnitude - (2047 * 8 - _DOUBLE_BIAS) + _INFINITY, magnitude.clamp(0, _LAST_FINITE))
    return single - NEGATIVE * (bits < 0)


def pieces(flat: Any, size: int) -> Sequence[torch.Tensor]:
    """Return views of the parts of a flat tensor, each of the given size but the last."""
    return (flat,) if flat.numel() <= size else flat.split(size)


def numbers_of(tensor: Any) -> list[Any]:
    """Return the numbers of a tensor on the host."""
    return tensor.tolist()


def to_host(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor that is on the host soon: once the device has done what it was asked."""
    return tensor.to("cpu", non_blocking=True)


def sums_of(rows: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    """Return the sums over stretches of each row.

    Args:
        rows: Numbers: (rows, numbers).
        sizes: How long the stretches are.

    Returns:
        The sums: (rows, stretches).
    """
    return rows.new_zeros(len(rows), len(sizes)).index_add_(1, owners(sizes), rows)


def owners(sizes: Sequence[int]) -> torch.Tensor:
    """Return for each number the place of its stretch."""
    return torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes, dtype=torch.int64), output_size=sum(sizes))
