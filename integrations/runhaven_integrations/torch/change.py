"""How much a step of the optimizer changes the parameters, by a sample of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from runhaven_integrations.torch.counting import norms_of, split
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

    def __init__(self, parts: Sequence[Part]) -> None:
        """Copy each small parameter, and a sample of each large one."""
        whole = [part for part in parts if part.tensor.numel() <= SAMPLE]
        sampled = [part for part in parts if part.tensor.numel() > SAMPLE]
        self.names = [part.name for part in whole + sampled]
        self.sharded = {part.name for part in parts if part.ranks}
        self.scales = [1.0] * len(whole) + [part.tensor.numel() / SAMPLE for part in sampled]
        self._sizes = [part.tensor.numel() for part in whole] + [SAMPLE] * len(sampled)
        self._whole = [part.tensor for part in whole]
        rows = [blocks_in(part.tensor) for part in sampled]
        self._sampled = [(each, pick(each, SAMPLE // BLOCK)) for each in rows]
        self._before = self._look()

    def measure(self) -> torch.Tensor:
        """Return, after the step, the sums of the squares of the changes and of the parameters: two rows."""
        now = self._look()
        flats = [*split(now - self._before, self._sizes), *split(now, self._sizes)]
        return torch.stack(list(norms_of(flats))).to(torch.float64).square_().view(2, -1)

    def _look(self) -> torch.Tensor:
        samples = [rows.index_select(0, picked).view(-1) for rows, picked in self._sampled]
        return torch.cat([*self._whole, *samples])
