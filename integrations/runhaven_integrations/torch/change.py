"""How much a step of the optimizer changes the parameters, by a sample of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from runhaven_integrations.torch.counting import split, squares
from runhaven_integrations.torch.sampling import BLOCK, blocks_in, pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven_integrations.torch.part import Part

SAMPLE = 1 << 12


class Change:
    """The parameters before a step, to be compared with those after it; all on one device.

    Attributes:
        names: The parameters' names, in the order of what `measure` returns.
        sharded: Those of them of which only a shard lies here.
        scales: By how much a sample's sum is to be multiplied to stand for all of its parameter.
    """

    def __init__(self, parts: Sequence[Part], *, is_exact: bool) -> None:
        """Copy a sample of each parameter, or all of it."""
        whole = [part for part in parts if is_exact or part.tensor.numel() <= SAMPLE]
        sampled = [part for part in parts if not is_exact and part.tensor.numel() > SAMPLE]
        self.names = [part.name for part in whole + sampled]
        self.sharded = {part.name for part in parts if part.ranks}
        self.scales = [1.0] * len(whole) + [part.tensor.numel() / SAMPLE for part in sampled]
        self._whole = [part.tensor for part in whole]
        rows = [blocks_in(part.tensor) for part in sampled]
        self._sampled = [(each, pick(each, SAMPLE // BLOCK)) for each in rows]
        self._before = self._look()

    def measure(self) -> torch.Tensor:
        """Return, after the step, the sums of the squares of the changes and of the parameters: two rows."""
        now = self._look()
        changed = [after - before for after, before in zip(now, self._before, strict=True)]
        return torch.stack([self._squares(changed), self._squares(now)])

    def _look(self) -> list[torch.Tensor]:
        samples = [rows.index_select(0, picked) for rows, picked in self._sampled]
        return [torch.cat(flats) for flats in (self._whole, samples) if flats]

    def _squares(self, looked: Sequence[torch.Tensor]) -> torch.Tensor:
        found: list[torch.Tensor] = []
        if self._whole:
            found.append(squares(split(looked[0], [flat.numel() for flat in self._whole])))
        if self._sampled:
            samples = looked[-1].view(len(self._sampled), SAMPLE)
            found.append(samples.float().square().sum(1).to(torch.float64))
        return torch.cat(found)
