"""Counts the codes of tensors' numbers, and their norms, without waiting for a device."""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from runhaven.log_histogram import CODES, NEGATIVE

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

CHUNK = 1 << 19
DEVICE_CHUNK = 1 << 24
SMALL = 1 << 12
PACKED = 64
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
        The sums of the squares in double precision, and by their place what `count` returns.
    """
    if flats[0].device.type != "cpu":
        counts = count({place: flat for place, flat in enumerate(flats) if is_counted[place]})
        return torch.stack([norm.to(torch.float64) for norm in norms_of(flats)]).square_(), counts
    # Each piece's norm just before its codes, so that it comes from the memory once. Pieces add up in double precision:
    # in single precision, 64 million numbers would lose half a per cent.
    counts: dict[int, torch.Tensor] = {}
    places: list[int] = []
    norms: list[torch.Tensor] = []
    for load in _loads(dict(enumerate(flats))):
        places += [place for place, _ in load]
        norms += norms_of([piece for _, piece in load])
        _count_load([(place, piece) for place, piece in load if is_counted[place]], counts)
    sums = torch.stack(norms).to(torch.float64).square_()
    return torch.zeros(len(flats), dtype=torch.float64).index_add_(0, torch.tensor(places), sums), counts


def norms_of(flats: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """Return the Euclidean norms, computed in single precision at least."""
    kinds = {flat.dtype for flat in flats}
    if len(kinds) > 1:
        return [norm for flat in flats for norm in norms_of([flat])]
    narrow = torch.float32 if any(kind.itemsize < torch.float32.itemsize for kind in kinds) else None
    return torch._foreach_norm(list(flats), 2, narrow) if kinds else ()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def count(flats: Mapping[int, torch.Tensor]) -> dict[int, torch.Tensor]:
    """Return how often each of the 4096 codes occurs in flat tensors of one device, as `by_code` takes it."""
    counts: dict[int, torch.Tensor] = {}
    if all(flat.device.type == "cpu" for flat in flats.values()):
        for load in _loads(flats):
            _count_load(load, counts)
        return counts
    with _in_any_order():
        for place, flat in flats.items():
            for piece in pieces(flat, DEVICE_CHUNK):
                # bincount() would wait for the device to learn the greatest code.
                _add(counts, place, torch.histc(_signed(piece).int().add_(NEGATIVE), CODES, 0, CODES).long())
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


def by_code(counts: torch.Tensor) -> torch.Tensor:
    """Return the counts in the order of the codes; they are made with those of negative numbers first."""
    return counts.roll(NEGATIVE)


def _loads(flats: Mapping[int, torch.Tensor]) -> Iterator[list[tuple[int, torch.Tensor]]]:
    """Yield what is looked at together: many small tensors of a kind, or a piece of a large one that a cache holds."""
    small: dict[torch.dtype, list[tuple[int, torch.Tensor]]] = {}
    for place, flat in flats.items():
        if flat.numel() <= SMALL:
            small.setdefault(flat.dtype, []).append((place, flat))
            continue
        for piece in pieces(flat, CHUNK):
            yield [(place, piece)]
    for of_kind in small.values():
        for start in range(0, len(of_kind), PACKED):
            yield of_kind[start : start + PACKED]


def _count_load(load: Sequence[tuple[int, torch.Tensor]], counts: dict[int, torch.Tensor]) -> None:
    """Count the codes of a load's pieces at once, each in a range of its own, and add them to those of their tensors."""
    if not load:
        return
    pieces = [piece for _, piece in load]
    flat = pieces[0] if len(load) == 1 else torch.cat(pieces)
    codes = _signed(flat, out=_scratch.codes()[: flat.numel()])
    codes.add_(NEGATIVE if len(load) == 1 else _starts(tuple(piece.numel() for piece in pieces)))
    found = torch.bincount(codes, minlength=len(load) * CODES).view(-1, CODES)
    for (place, _), part in zip(load, found.unbind(), strict=True):
        _add(counts, place, part)


@functools.lru_cache(maxsize=16)
def _starts(sizes: tuple[int, ...]) -> torch.Tensor:
    """Return for each number of some pieces what its code is counted from."""
    starts = torch.arange(NEGATIVE, len(sizes) * CODES, CODES, dtype=torch.int32)
    return starts.repeat_interleave(torch.tensor(sizes), output_size=sum(sizes))


def _add(counts: dict[int, torch.Tensor], place: int, part: torch.Tensor) -> None:
    counts[place] = counts[place].add_(part) if place in counts else part


class _Scratch(threading.local):
    """Room for the codes of one chunk, for each thread; fresh pages cost as much as the counting."""

    _codes: Any = None

    def codes(self) -> Any:
        if self._codes is None:
            self._codes = torch.empty(CHUNK, dtype=torch.int32)
        return self._codes


_scratch = _Scratch()


def _signed(flat: torch.Tensor, *, out: torch.Tensor | None = None) -> torch.Tensor:
    """Return codes as signed integers of 12 bits: what an arithmetic shift leaves of the number."""
    if flat.dtype == torch.float32:
        return torch.bitwise_right_shift(flat.view(torch.int32), 20, out=out)
    if flat.dtype == torch.bfloat16:
        signed = flat.view(torch.int16) >> 4
    elif flat.dtype == torch.float64:
        signed = _signed_of_double(flat)
    else:
        signed = flat.float().view(torch.int32) >> 20
    return signed if out is None else out.copy_(signed)


def _signed_of_double(flat: torch.Tensor) -> torch.Tensor:
    bits = flat.view(torch.int64) >> 49
    magnitude = (bits & 0x3FFF) - _DOUBLE_BIAS
    special = magnitude >= (2047 * 8 - _DOUBLE_BIAS)
    single = torch.where(special, magnitude - (2047 * 8 - _DOUBLE_BIAS) + _INFINITY, magnitude.clamp(0, _LAST_FINITE))
    return single - NEGATIVE * (bits < 0)


def pieces(flat: Any, size: int) -> Sequence[torch.Tensor]:
    """Return views of the parts of a flat tensor, each of the given size but the last."""
    return (flat,) if flat.numel() <= size else flat.split(size)


def split(flat: Any, sizes: list[int]) -> Sequence[torch.Tensor]:
    """Return views of the parts of a flat tensor, of the given sizes."""
    return flat.split(sizes)


def numbers_of(tensor: Any) -> list[Any]:
    """Return the numbers of a tensor on the host."""
    return tensor.tolist()
