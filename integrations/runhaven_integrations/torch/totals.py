"""What is known of some tensors once it is on the host: adds up over shards, and becomes rows to log."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch

from runhaven.log_histogram import CODES, NEGATIVE, LogHistogram, cell_of
from runhaven_integrations.torch.counting import numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_INFINITY = 2040
_MOST_BYTES = 6


@dataclass
class Totals:
    """Sums over the elements of each tensor, by its name.

    Attributes:
        squares: The sum of the squares of each tensor's elements.
        places: The tensor's place in the model.
        counts: How often each code occurs, of the tensors that have a histogram: int64, (4096,).
        zeros: How many more zeros there are, of sparse tensors.
        sizes: How many numbers the tensors with a histogram have; more than were counted where a sample was.
        partial: The tensors of which not all shards are in it.
    """

    squares: dict[str, float] = field(default_factory=dict[str, float])
    places: dict[str, int] = field(default_factory=dict[str, int])
    counts: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])
    zeros: dict[str, int] = field(default_factory=dict[str, int])
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    partial: set[str] = field(default_factory=set[str])

    def add(self, other: Totals) -> None:
        """Add what another process holds of the same tensors."""
        for name, square in other.squares.items():
            self.squares[name] = self.squares.get(name, 0.0) + square
        for name, counts in other.counts.items():
            self.counts[name] = self.counts[name] + counts if name in self.counts else counts
        for own, others in ((self.zeros, other.zeros), (self.sizes, other.sizes)):
            own.update({name: own.get(name, 0) + number for name, number in others.items()})
        self.places |= other.places
        self.partial |= other.partial

    def whole(self) -> Totals:
        """Return those that are not sharded."""
        return self._of(name for name in self.squares if name not in self.partial)

    def shards(self) -> Totals:
        """Return those that are sharded."""
        return self._of(name for name in self.squares if name in self.partial)

    def in_order(self) -> Totals:
        """Return the same, in the order of the model."""
        return self._of(sorted(self.squares, key=lambda name: self.places[name]))

    def _of(self, names: Iterable[str]) -> Totals:
        squares = {name: self.squares[name] for name in names}
        counts = {name: self.counts[name] for name in squares if name in self.counts}
        return replace(self, squares=squares, counts=counts, partial=self.partial & squares.keys())

    def rows(self, kind: str, prefix: str) -> tuple[list[dict[str, Any]], dict[str, LogHistogram]]:
        """Return the rows to log, and of the tensors that are not finite everywhere what is not.

        Args:
            kind: "gradients" or "parameters".
            prefix: Stands before each name.
        """
        norms = {
            f"{kind}_norm/{prefix}{name}": math.sqrt(square)
            for name, square in self.squares.items()
            if name not in self.partial
        }
        if not self.partial:
            norms[f"{kind}_norm/{prefix}global"] = math.sqrt(sum(self.squares.values()))
        names = list(self.counts)
        histograms: dict[str, Any] = {}
        bad: dict[str, LogHistogram] = {}
        for name, (cell, special) in zip(names, self._cells(names), strict=True):
            histograms[f"{kind}/{prefix}{name}"] = cell
            is_hidden = "is_sampled" in cell and not math.isfinite(self.squares[name])
            if special.nonfinite or is_hidden:
                bad[name] = special
        nonfinite = {f"{kind}_nonfinite/{prefix}{name}": some.nonfinite for name, some in bad.items() if some.nonfinite}
        return [row for row in (norms, histograms, nonfinite) if row], bad

    def _cells(self, names: Sequence[str]) -> list[tuple[dict[str, Any], LogHistogram]]:
        if not names:
            return []
        counts = torch.stack([self.counts[name] for name in names])
        counts[:, 0] += counts[:, NEGATIVE] + torch.tensor([self.zeros.get(name, 0) for name in names])
        zeros, positive, negative = counts[:, 0], counts[:, _INFINITY], counts[:, NEGATIVE + _INFINITY]
        nan = counts[:, _INFINITY + 1 : NEGATIVE].sum(1) + counts[:, NEGATIVE + _INFINITY + 1 :].sum(1)
        specials = numbers_of(torch.stack([zeros, nan, positive, negative], 1))
        for place in (0, NEGATIVE):
            counts[:, place] = 0
            counts[:, place + _INFINITY : place + NEGATIVE] = 0
        finite = numbers_of(counts.sum(1))
        cells: list[tuple[dict[str, Any], LogHistogram]] = []
        for name, codes, some, number in zip(names, pack(counts), specials, finite, strict=True):
            special = LogHistogram({}, *some)
            cell = cell_of(codes, special, finite=number + special.zeros)
            size = self.sizes.get(name, 0)
            cell |= {"is_sampled": True, "size": size} if size > cell["count"] else {}
            cell |= {"is_partial": True} if name in self.partial else {}
            cells.append((cell, special))
        return cells


def pack(counts: torch.Tensor) -> list[bytes]:
    """Return for each row of counts by code its pairs of LEB128 integers, as `log_histogram.encode` packs them."""
    rows, codes = counts.nonzero(as_tuple=True)
    is_first = torch.ones_like(rows, dtype=torch.bool)
    is_first[1:] = rows[1:] != rows[:-1]
    gaps = codes.clone()
    gaps[1:] -= torch.where(is_first[1:], 0, codes[:-1])
    numbers = torch.stack([gaps, counts[rows, codes]], 1).reshape(-1, 1)
    shifts = torch.arange(0, 7 * _MOST_BYTES, 7)
    lengths = 1 + (numbers >> shifts[1:]).ne(0).sum(1)
    digits = (numbers >> shifts).bitwise_and_(127).bitwise_or_(128)
    digits[torch.arange(len(lengths)), lengths - 1] &= 127
    data = digits[torch.arange(_MOST_BYTES) < lengths[:, None]].to(torch.uint8).contiguous()
    sizes = torch.zeros(len(counts), dtype=torch.int64).index_add_(0, rows.repeat_interleave(2), lengths)
    packed = ctypes.string_at(data.data_ptr(), data.numel())
    ends = numbers_of(sizes.cumsum(0))
    return [packed[end - size : end] for end, size in zip(ends, numbers_of(sizes), strict=True)]


def unscaled(counts: torch.Tensor, scale: float) -> torch.Tensor:
    """Return the counts of the same numbers divided by a scale: moved by eighths of an octave.

    A power of two, as a GradScaler has, moves every number exactly; what leaves the range goes to its end.
    """
    moved = counts.clone()
    last = _INFINITY - 1
    places = (torch.arange(1, _INFINITY) - round(8 * math.log2(scale))).clamp_(1, last)
    for sign in (0, NEGATIVE):
        finite = slice(sign + 1, sign + _INFINITY)
        moved[finite] = torch.zeros(last, dtype=torch.int64).index_add_(0, places - 1, counts[finite])
    return moved


assert CODES == 2 * NEGATIVE, "a code is a sign and a magnitude"
