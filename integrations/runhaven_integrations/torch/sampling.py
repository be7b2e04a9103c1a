"""Takes a sample of a large tensor's numbers: blocks at random places, each as likely as any other."""

from __future__ import annotations

import functools
from typing import Any

import torch

BLOCK = 64
_NEAR = 4


def share_of(sample: int, local: int, whole: int) -> int:
    """Return how many blocks of a shard make its share of a sample of the whole; 0 if all numbers are to be taken.

    Args:
        sample: How many numbers to take of the whole.
        local: How many numbers the shard has; all are taken of one that makes no block.
        whole: How many the whole has: no sample is taken of one that is not much greater than the sample.
    """
    return 0 if whole <= _NEAR * sample or local < BLOCK else -(-sample * local // (whole * BLOCK))


def sample(flat: torch.Tensor, blocks: int) -> torch.Tensor:
    """Return the numbers of so many blocks of a flat tensor, flat."""
    rows = blocks_in(flat)
    return rows.index_select(0, pick(rows, blocks)).view(-1)


def blocks_in(flat: Any) -> torch.Tensor:
    """Return the blocks of a flat tensor as rows: a view, without the few numbers at the end that make no block."""
    return flat[: flat.numel() // BLOCK * BLOCK].view(-1, BLOCK)


def pick(rows: torch.Tensor, number: int) -> torch.Tensor:
    """Return which blocks to take; the random numbers that the training draws stay what they were."""
    return torch.randint(len(rows), (number,), generator=_generator(rows.device), device=rows.device)


@functools.cache
def _generator(device: torch.device) -> torch.Generator:
    return torch.Generator(device)
