"""Counts the codes of tensors' numbers, and their norms, without waiting for a device."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import torch

from runhaven.log_histogram import CODES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

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


def look_through(
    flats: Sequence[torch.Tensor], is_counted: Sequence[bool]
) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
    """Go once through flat tensors of one device.

    Args:
        flats: The tensors.
        is_counted: Of which of them to count the codes, too.

    Returns:
        The sums of the squares in double precision, and by their place the counts of the 4096 codes.
    """
    if flats[0].device.type == "cpu":
        return _look_through_on_host(flats, is_counted)
    counts = {place: count_codes(flat) for place, flat in enumerate(flats) if is_counted[place]}
    return torch.stack([norm.to(torch.float64) for norm in _norms(flats)]).square_(), counts


def _look_through_on_host(
    flats: Sequence[torch.Tensor], is_counted: Sequence[bool]
) -> tuple[torch.Tensor, dict[int, torch.Tensor]]:
    """Take each piece's norm just before its codes, so that it comes from the memory once.

    Pieces add up in double precision: in single precision, 64 million numbers would lose half a per cent.
    """
    counts: dict[int, torch.Tensor] = {}
    small = [place for place, flat in enumerate(flats) if flat.numel() <= SMALL]
    places, norms = list(small), list(_norms([flats[place] for place in small]))
    for place, flat in enumerate(flats):
        for piece in pieces(flat, CHUNK) if flat.numel() > SMALL else ():
            places.append(place)
            norms += _norms([piece])
            if is_counted[place]:
                part = _count(piece)
                counts[place] = counts[place].add_(part) if place in counts else part
    counts |= _count_small({place: flats[place] for place in small if is_counted[place]})
    sums = torch.stack([norm.to(torch.float64) for norm in norms]).square_()
    return torch.zeros(len(flats), dtype=torch.float64).index_add_(0, torch.tensor(places), sums), counts


def squares(flats: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the sums of the squares of flat tensors of one device, in double precision."""
    return look_through(flats, [False] * len(flats))[0]


def _norms(flats: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """Return the Euclidean norms, computed in single precision at least."""
    kinds = {flat.dtype for flat in flats}
    if len(kinds) > 1:
        return [norm for flat in flats for norm in _norms([flat])]
    narrow = torch.float32 if any(kind.itemsize < torch.float32.itemsize for kind in kinds) else None
    return torch._foreach_norm(list(flats), 2, narrow) if kinds else ()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def count_codes(flat: torch.Tensor) -> torch.Tensor:
    """Return how often each of the 4096 codes occurs in a flat tensor, on its device."""
    is_host = flat.device.type == "cpu"
    counts: torch.Tensor | None = None
    for piece in pieces(flat, CHUNK if is_host else DEVICE_CHUNK):
        # bincount() would wait for the device to learn the greatest code.
        part = _count(piece) if is_host else torch.histc(_codes(piece).int(), CODES, 0, CODES).long()
        counts = part if counts is None else counts.add_(part)
    assert counts is not None, "there is one piece at least"
    return counts


def _count(piece: torch.Tensor) -> torch.Tensor:
    return torch.bincount(_single_codes(piece) if piece.dtype is torch.float32 else _codes(piece), minlength=CODES)


def _count_small(flats: Mapping[int, torch.Tensor]) -> dict[int, torch.Tensor]:
    """Count many small tensors at once: each in a range of codes of its own."""
    found: dict[int, torch.Tensor] = {}
    kinds: dict[torch.dtype, list[int]] = {}
    for place, flat in flats.items():
        kinds.setdefault(flat.dtype, []).append(place)
    for places in kinds.values():
        for start in range(0, len(places), PACKED):
            some = places[start : start + PACKED]
            sizes = [flats[place].numel() for place in some]
            offsets = torch.arange(0, len(some) * CODES, CODES, dtype=torch.int32)
            starts = offsets.repeat_interleave(torch.tensor(sizes), output_size=sum(sizes))
            codes = _codes(torch.cat([flats[place] for place in some])).to(torch.int32).add_(starts)
            counts = torch.bincount(codes, minlength=len(some) * CODES).view(-1, CODES)
            found |= zip(some, counts.unbind(), strict=True)
    return found


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
