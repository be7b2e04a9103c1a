"""Some tensors of one device that are looked at together: what is asked of the device, and what comes of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from runhaven_integrations.torch.counting import count, look_through, numbers_of, squares_of, to_host
from runhaven_integrations.torch.sampling import sample
from runhaven_integrations.torch.small import SMALL, SmallTensors
from runhaven_integrations.torch.totals import Totals, unscaled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runhaven_integrations.torch.part import Part

_NO_TENSOR = torch.empty(0)


class Batch:
    """What is known of some tensors, soon."""

    def __init__(
        self, kind: str, parts: Sequence[Part], room: int, scale: torch.Tensor | None, *, is_exact: bool
    ) -> None:
        """Look at the tensors; they are let go, and not even a view is kept: their memory is the training's.

        Args:
            kind: "gradients" or "parameters".
            parts: What to look at; all on one device.
            room: Of how many of them histograms may be kept.
            scale: What the numbers are multiplied by.
            is_exact: Whether to count all numbers, however many a tensor has.
        """
        self.kind = kind
        self._labels = [(part.name, part.place, part.zeros, bool(part.ranks)) for part in parts]
        self._sizes = [part.tensor.numel() for part in parts]
        self._room = room
        self._scale = None if scale is None else to_host(scale.detach().reshape(-1))
        self._small = [(places, SmallTensors([parts[place].tensor for place in places])) for places in _small(parts)]
        self._large = [place for place, size in enumerate(self._sizes) if size > SMALL]
        self._norms = _NO_TENSOR
        self._pieces: Sequence[int] = ()
        self._counts: dict[int, torch.Tensor] = {}
        if self._large:
            flats = {place: parts[place].tensor for place in self._large}
            self._look_through(flats, {} if is_exact else {place: parts[place].blocks for place in self._large})

    def _look_through(self, flats: dict[int, torch.Tensor], blocks: dict[int, int]) -> None:
        """Look at large tensors; `blocks` tells of which a sample is enough, and of how many blocks."""
        counted = {place for place in flats if place < self._room}
        sampled = {place for place in counted if blocks.get(place)}
        norms, self._pieces, counts = look_through(flats, counted - sampled)
        if sampled:
            # On a host, the norm tells at once where every number has to be looked at.
            sums = numbers_of(squares_of(norms, self._pieces)) if norms.device.type == "cpu" else [0.0] * len(flats)
            bad = {place for place, square in zip(flats, sums, strict=True) if not math.isfinite(square)}
            counts |= count(
                {
                    place: flats[place] if place in bad else sample(flats[place], blocks[place])
                    for place in sorted(sampled)
                }
            )
        self._norms = to_host(norms)
        self._counts = dict(zip(counts, _to_hosts(list(counts.values())), strict=True))

    def totals(self) -> Totals:
        """Return what is known, once the device has done it."""
        scale = 1.0 if self._scale is None else numbers_of(self._scale)[0]
        squares, counts = self._found()
        totals = Totals()
        for number, (name, place, zeros, is_sharded) in enumerate(self._labels):
            totals.places[name] = place
            totals.squares[name] = squares[number] / scale**2
            totals.zeros[name] = zeros
            if is_sharded:
                totals.partial.add(name)
            if number in counts:
                totals.counts[name] = counts[number] if scale == 1.0 else unscaled(counts[number], scale)
                totals.sizes[name] = self._sizes[number] + zeros
        return totals

    def _found(self) -> tuple[dict[int, float], dict[int, torch.Tensor]]:
        """Return the sums of the squares and the counts, by the tensors' places."""
        squares: dict[int, float] = dict(
            zip(self._large, numbers_of(squares_of(self._norms, self._pieces)), strict=True)
        )
        counts = dict(self._counts)
        for places, small in self._small:
            squares |= zip(places, small.squares(), strict=True)
            counted = [place for place in places if place < self._room]
            counts |= zip(counted, small.counts(len(counted)), strict=True)
        return squares, counts


def _small(parts: Sequence[Part]) -> Iterator[list[int]]:
    """Yield the places of the small ones, those of one type together."""
    found: dict[torch.dtype, list[int]] = {}
    for place, part in enumerate(parts):
        if part.tensor.numel() <= SMALL:
            found.setdefault(part.tensor.dtype, []).append(place)
    yield from found.values()


def _to_hosts(counts: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """Bring many counts to the host in one copy."""
    if not counts or counts[0].device.type == "cpu":
        return counts
    return to_host(torch.stack(list(counts))).unbind()
