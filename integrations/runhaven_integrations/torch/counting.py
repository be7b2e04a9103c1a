"""Counts the codes of tensors' numbers, and their norms, without waiting for a device."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import torch

from runhaven.log_histogram import CODES

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK = 1 << 18
DEVICE_CHUNK = 1 << 24
SMALL = 1 << 12
PACKED = 64
BLOCKS = 16
BLOCK = 4096
_MASK = CODES - 1
_LAST_FINITE = 2039
_INFINITY = 2040
_DOUBLE_BIAS = 8 * (1023 - 127)


def count_codes(flats: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Return for each flat tensor how often each of the 4096 codes occurs, on the tensor's device."""
    found: list[torch.Tensor | None] = [None] * len(flats)
    small: dict[torch.dtype, list[int]] = {}
    for place, flat in enumerate(flats):
        if flat.numel() <= SMALL and flat.device.type == "cpu":
            small.setdefault(flat.dtype, []).append(place)
        else:
            found[place] = _count_large(flat)
    for places in small.values():
        for start in range(0, len(places), PACKED):
            some = places[start : start + PACKED]
            for place, counts in zip(some, _count_small([flats[each] for each in some]), strict=True):
                found[place] = counts
    return [counts for counts in found if counts is not None]


def _count_small(flats: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """Count many small tensors at once: each in a range of codes of its own."""
    sizes = [flat.numel() for flat in flats]
    starts = _repeated(torch.arange(0, len(flats) * CODES, CODES, dtype=torch.int32), sizes)
    codes = _codes(torch.cat(list(flats))).to(torch.int32)
    return torch.bincount(codes.add_(starts), minlength=len(flats) * CODES).view(-1, CODES).unbind()


def _count_large(flat: torch.Tensor) -> torch.Tensor:
    is_host = flat.device.type == "cpu"
    counts: torch.Tensor | None = None
    for chunk in pieces(flat, CHUNK if is_host else DEVICE_CHUNK):
        # bincount() would wait for the device to learn the greatest code.
        part = _count(chunk) if is_host else torch.histc(_codes(chunk).int(), CODES, 0, CODES).long()
        counts = part if counts is None else counts.add_(part)
    assert counts is not None, "there is one piece at least"
    return counts


def _count(chunk: torch.Tensor) -> torch.Tensor:
    return torch.bincount(_single_codes(chunk) if chunk.dtype is torch.float32 else _codes(chunk), minlength=CODES)


def _repeated(numbers: torch.Tensor, times: Sequence[int]) -> torch.Tensor:
    return numbers.repeat_interleave(torch.tensor(times), output_size=sum(times))


class _Scratch(threading.local):
    """Room for the codes of one chunk that stays in the cache; fresh pages cost as much as the counting."""

    def __init__(self) -> None:
        self.wide = torch.empty(CHUNK, dtype=torch.int32)
        self.narrow = torch.empty(CHUNK, dtype=torch.int16)


_scratch: _Scratch | None = None


def _single_codes(chunk: torch.Tensor) -> torch.Tensor:
    """Return the codes of a chunk in half of its width; valid until the next call on this thread."""
    global _scratch  # noqa: PLW0603 - made when the first large tensor comes
    if _scratch is None:
        _scratch = _Scratch()
    size = chunk.numel()
    wide, narrow = _scratch.wide[:size], _scratch.narrow[:size]
    torch.bitwise_right_shift(chunk.view(torch.int32), 20, out=wide)
    return narrow.copy_(wide).bitwise_and_(_MASK)


def _codes(chunk: torch.Tensor) -> torch.Tensor:
    if chunk.dtype == torch.bfloat16:
        return (chunk.view(torch.int16) >> 4).bitwise_and_(_MASK)
    if chunk.dtype == torch.float64:
        return _double_codes(chunk)
    return (chunk.float().view(torch.int32) >> 20).bitwise_and_(_MASK)


def _double_codes(chunk: torch.Tensor) -> torch.Tensor:
    bits = chunk.view(torch.int64) >> 49
    magnitude = (bits & 0x3FFF) - _DOUBLE_BIAS
    special = magnitude >= (2047 * 8 - _DOUBLE_BIAS)
    single = torch.where(special, magnitude - (2047 * 8 - _DOUBLE_BIAS) + _INFINITY, magnitude.clamp(0, _LAST_FINITE))
    return single | ((bits < 0).long() << 11)


def pieces(flat: Any, size: int) -> Sequence[torch.Tensor]:
    """Return views of the parts of a flat tensor, each of the given size but the last."""
    return (flat,) if flat.numel() <= size else flat.split(size)


def split(flat: Any, sizes: list[int]) -> Sequence[torch.Tensor]:
    """Return views of the parts of a flat tensor, of the given sizes."""
    return flat.split(sizes)


def numbers_of(tensor: Any) -> list[Any]:
    """Return the numbers of a tensor on the host."""
    return tensor.tolist()


def sample(flat: torch.Tensor, blocks: int = BLOCKS, block: int = BLOCK) -> torch.Tensor:
    """Return blocks of numbers from all over a large flat tensor, as rows; a view."""
    gap = (flat.numel() - block) // (blocks - 1)
    # An odd distance does not fall in step with rows whose length is a power of two.
    return flat.as_strided((blocks, block), (gap - 1 + gap % 2, 1), flat.storage_offset())


def squares(flats: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the sums of the squares of tensors of one device, in double precision.

    On a processor, single precision loses half a per cent over 64 million numbers; so it adds up chunks.
    """
    if flats[0].device.type != "cpu" or all(flat.numel() <= CHUNK for flat in flats):
        return _norms(flats).square_()
    chunks = [pieces(flat, CHUNK) for flat in flats]
    owners = _repeated(torch.arange(len(flats)), [len(some) for some in chunks])
    of_pieces = _norms([piece for some in chunks for piece in some]).square_()
    return torch.zeros(len(flats), dtype=torch.float64).index_add_(0, owners, of_pieces)


def _norms(flats: Sequence[torch.Tensor]) -> torch.Tensor:
    found: list[torch.Tensor | None] = [None] * len(flats)
    kinds: dict[torch.dtype, list[int]] = {}
    for place, flat in enumerate(flats):
        kinds.setdefault(flat.dtype, []).append(place)
    for kind, places in kinds.items():
        narrow = torch.float32 if kind.itemsize < torch.float32.itemsize else None
        computed = torch._foreach_norm([flats[place] for place in places], 2, narrow)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
        for place, norm in zip(places, computed, strict=True):
            found[place] = norm if len(kinds) == 1 else norm.to(torch.float64)
    return torch.stack([norm for norm in found if norm is not None]).to(torch.float64)
