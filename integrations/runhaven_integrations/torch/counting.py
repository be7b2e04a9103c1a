"""Counts the codes of a tensor's numbers without waiting for a device."""

from __future__ import annotations

import torch

from runhaven.log_histogram import CODES

CHUNK = 1 << 17
DEVICE_CHUNK = 1 << 24
BLOCKS = 16
BLOCK = 4096
_LAST_FINITE = 2039
_INFINITY = 2040
_DOUBLE_BIAS = 8 * (1023 - 127)


def count_codes(flat: torch.Tensor) -> torch.Tensor:
    """Return how often each of the 4096 codes occurs in a flat tensor, on the tensor's device."""
    size = CHUNK if flat.device.type == "cpu" else DEVICE_CHUNK
    counts: torch.Tensor | None = None
    for start in range(0, flat.numel(), size):
        part = _count(_codes(flat[start : start + size]))
        counts = part if counts is None else counts.add_(part)
    return torch.zeros(CODES, dtype=torch.int64, device=flat.device) if counts is None else counts


def _codes(chunk: torch.Tensor) -> torch.Tensor:
    if chunk.dtype == torch.bfloat16:
        return (chunk.view(torch.int16) >> 4).bitwise_and_(CODES - 1)
    if chunk.dtype == torch.float64:
        return _double_codes(chunk)
    single = chunk if chunk.dtype == torch.float32 else chunk.float()
    return (single.view(torch.int32) >> 20).bitwise_and_(CODES - 1)


def _double_codes(chunk: torch.Tensor) -> torch.Tensor:
    bits = chunk.view(torch.int64) >> 49
    magnitude = (bits & 0x3FFF) - _DOUBLE_BIAS
    special = magnitude >= (2047 * 8 - _DOUBLE_BIAS)
    single = torch.where(special, magnitude - (2047 * 8 - _DOUBLE_BIAS) + _INFINITY, magnitude.clamp(0, _LAST_FINITE))
    return single | ((bits < 0).long() << 11)


def _count(codes: torch.Tensor) -> torch.Tensor:
    if codes.device.type == "cpu":
        return torch.bincount(codes, minlength=CODES)
    # bincount() would wait for the device to learn the greatest code.
    return torch.histc(codes.int(), CODES, 0, CODES).long()


def sample(flat: torch.Tensor) -> torch.Tensor:
    """Return 65536 numbers of a large tensor, in blocks all over it."""
    gap = (flat.numel() - BLOCK) // (BLOCKS - 1)
    # An odd distance does not fall in step with rows whose length is a power of two.
    return flat.as_strided((BLOCKS, BLOCK), (gap - 1 + gap % 2, 1)).reshape(-1)


def norms(flats: list[torch.Tensor]) -> torch.Tensor:
    """Return the Euclidean norms, computed in single precision at least."""
    found: list[torch.Tensor | None] = [None] * len(flats)
    kinds: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for place, flat in enumerate(flats):
        kinds.setdefault((flat.device, flat.dtype), []).append(place)
    for (_, kind), places in kinds.items():
        narrow = torch.float32 if kind.itemsize < torch.float32.itemsize else None
        computed = torch._foreach_norm([flats[place] for place in places], 2, narrow)  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
        for place, norm in zip(places, computed, strict=True):
            found[place] = norm
    return torch.stack([norm.to(torch.float64) for norm in found if norm is not None])
