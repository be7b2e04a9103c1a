"""Small tensors: copied together as they are, and counted later on the host, for a copy costs less than counts of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from runhaven.log_histogram import CODES
from runhaven_integrations.torch.counting import codes_of, numbers_of, owners, sums_of, to_host

if TYPE_CHECKING:
    from collections.abc import Sequence

# From here on, the counts take less memory than the numbers.
SMALL = 1 << 13


class SmallTensors:
    """Copies of small tensors of one device and type."""

    def __init__(self, flats: Sequence[torch.Tensor]) -> None:
        """Copy flat tensors."""
        self._sizes = [flat.numel() for flat in flats]
        self._numbers = to_host(torch.cat(list(flats)))

    def squares(self) -> list[float]:
        """Return the sum of each tensor's squares."""
        return numbers_of(sums_of(self._numbers.to(torch.float64).square()[None], self._sizes)[0])

    def counts(self, number: int) -> Sequence[torch.Tensor]:
        """Return how often each code occurs in each of the first so many tensors."""
        rows = owners(self._sizes[:number])
        codes = codes_of(self._numbers[: len(rows)]).to(torch.int64)
        return torch.bincount(codes.add_(rows, alpha=CODES), minlength=number * CODES).view(-1, CODES).unbind()
