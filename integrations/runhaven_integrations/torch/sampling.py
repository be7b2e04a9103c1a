"""Takes a sample of a large tensor's numbers: blocks at random places, each as likely as any other."""

from __future__ import annotations

import functools
import random
from typing import Any

import torch

BLOCK = 64
_NEAR = 4
_LINE = 16
_random = random.Random().random  # noqa: S311 - no secret


def share_of(sample: int, local: int, whole: int) -> int:
    """Return how many blocks of a shard make its share of a sample of the whole; 0 if all numbers are to be taken.

    Args:
        sample: How many numbers to take of the whole.
        local: How many numbers the shard has; all are taken of one that makes no block.
        whole: How many the whole has: no sample is taken of one that is not much greater than the sample.
    """
    return 0 if whole <= _NEAR * sample or local < BLOCK else -(-sample * local // (whole * BLOCK))


def sample(flat: torch.Tensor, blocks: int) -> torch.Tensor:
    """Return the numbers of so many blocks of a flat tensor, flat; the random numbers that the training draws stay what they were."""
    rows: Any = flat[: flat.numel() // BLOCK * BLOCK].view(-1, BLOCK)
    picked = torch.randint(len(rows), (blocks,), generator=_generator(rows.device), device=rows.device)
    return rows.index_select(0, picked).view(-1)


def spread(flat: torch.Tensor, blocks: int, block: int) -> torch.Tensor:
    """Return a view of blocks from all over a flat tensor, as rows.

    They are evenly spaced, by another distance each time: always the same one might meet the same columns of a matrix in
    all rows. Places are chosen by lines of a cache.

    Args:
        flat: The tensor; it has more numbers than all blocks.
        blocks: How many blocks.
        block: How many numbers a block has.
    """
    widest = (flat.numel() - block) // (blocks - 1)
    step = _LINE * int((widest - _random() * (widest - block) / 8) / _LINE)
    start = _LINE * int(_random() * (flat.numel() - block - step * (blocks - 1) + 1) / _LINE)
    return flat.as_strided((blocks, block), (step, 1), flat.storage_offset() + start)


@functools.cache
def _generator(device: torch.device) -> torch.Generator:
    return torch.Generator(device)
