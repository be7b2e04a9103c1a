"""How much a step of the optimizer changes the parameters, by a sample of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from runhaven_integrations.torch.counting import numbers_of, sums_of, to_host
from runhaven_integrations.torch.sampling import spread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven_integrations.torch.part import Part

BLOCKS, BLOCK = 64, 32
SAMPLE = BLOCKS * BLOCK


class Change:
    """The parameters before a step, and after it; all on one device.

    Attributes:
        names: The parameters' names, in the order of what `squares` returns.
        sharded: Those of them of which only a shard lies here.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        """Copy each small parameter, and a sample of each large one."""
        small = [part for part in parts if part.tensor.numel() <= SAMPLE]
        large = [part for part in parts if part.tensor.numel() > SAMPLE]
        self.names = [part.name for part in large + small]
        self.sharded = {part.name for part in parts if part.ranks}
        self._sizes = [SAMPLE] * len(large) + [part.tensor.numel() for part in small]
        self._scales = [part.tensor.numel() / SAMPLE for part in large] + [1.0] * len(small)
        self._sampled = [spread(part.tensor, BLOCKS, BLOCK) for part in large]
        self._whole = [part.tensor for part in small]
        self._looks = [self._look()]

    def look_again(self) -> torch.Tensor:
        """Copy the same numbers after the step, let go of the parameters, and return the copy."""
        self._looks.append(self._look())
        self._sampled, self._whole = [], []
        return self._looks[-1]

    def squares(self) -> tuple[list[float], list[float]]:
        """Return the sums of the squares of the changes and of the parameters; computed on the host."""
        before, after = (look.to(torch.float64) for look in self._looks)
        sums = sums_of(torch.stack([after - before, after]).square_(), self._sizes)
        changes, weights = numbers_of(sums.mul_(torch.tensor(self._scales, dtype=torch.float64)))
        return changes, weights

    def _look(self) -> torch.Tensor:
        """Return a copy on its way to the host."""
        sampled = [torch.stack(self._sampled).view(-1)] if self._sampled else []
        return to_host(torch.cat([*sampled, *self._whole]))
