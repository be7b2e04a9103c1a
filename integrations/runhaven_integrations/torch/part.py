"""What of a gradient or parameter lies in this process, as flat numbers that can be counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from runhaven_integrations.torch.sampling import share_of

if TYPE_CHECKING:
    from collections.abc import Sequence


_STRIDED = torch.strided
_WIDE = frozenset((torch.float32, torch.bfloat16, torch.float16, torch.float64))


class Part(NamedTuple):
    """A tensor to look at, or the part of it that lies here.

    Attributes:
        place: The parameter's place in the model.
        name: The parameter's name.
        tensor: Its numbers, flat; a view wherever that is possible.
        zeros: How many zeros a sparse tensor leaves out.
        ranks: The processes over which the whole lies; none if it is all here.
        blocks: How many blocks of the numbers to count; 0 to count them all.
    """

    place: int
    name: str
    tensor: torch.Tensor
    zeros: int = 0
    ranks: Sequence[int] = ()
    blocks: int = 0


def part_of(place: int, name: str, value: Any, *, sample: int = 0) -> Part | None:
    """Return what of a tensor lies in this process; None if it holds no floating-point numbers that count here.

    Args:
        place: The parameter's place in the model.
        name: Its name.
        value: The tensor.
        sample: How many numbers to count of a tensor that has many more; 0 to count them all.
    """
    tensor: Any = value.detach() if value.requires_grad else value
    ranks: Sequence[int] = ()
    if hasattr(tensor, "device_mesh"):
        if any(placement.is_partial() for placement in tensor.placements):
            return None
        ranks, is_first = _ranks(tensor), _is_first_copy(tensor)
        tensor = tensor.to_local() if is_first or not ranks else tensor.to_local().reshape(-1)[:0]
    if tensor.is_meta:
        return None
    blocks = share_of(sample, tensor.numel(), value.numel()) if sample and tensor.layout is _STRIDED else 0
    zeros = 0
    if tensor.dtype not in _WIDE or tensor.layout is not _STRIDED:
        tensor, zeros = _numbers(tensor)
    is_there = tensor.dtype.is_floating_point and (tensor.numel() or zeros or ranks)
    return Part(place, name, _flat(tensor), zeros, ranks, blocks) if is_there else None


def _numbers(tensor: Any) -> tuple[Any, int]:
    """Return a dense tensor of real numbers that are wide enough to compute with, and how many zeros it leaves out."""
    zeros = 0
    if tensor.layout is not _STRIDED:
        held = tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.values()
        zeros, tensor = tensor.numel() - held.numel(), held
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.resolve_conj())
    if tensor.dtype.itemsize == 1 and tensor.is_floating_point():
        tensor = tensor.to(torch.bfloat16)
    return tensor, zeros


def _ranks(tensor: Any) -> Sequence[int]:
    is_sharded = any(placement.is_shard() for placement in tensor.placements)
    return tuple(tensor.device_mesh.mesh.flatten().tolist()) if is_sharded else ()


def _is_first_copy(tensor: Any) -> bool:
    """Tell whether, of processes that hold the same shard, this is the one whose counts."""
    where = tensor.device_mesh.get_coordinate() or ()
    return not any(
        coordinate for coordinate, placement in zip(where, tensor.placements, strict=False) if placement.is_replicate()
    )


def _flat(tensor: torch.Tensor) -> torch.Tensor:
    """Return the numbers in the order of the memory, so that channels-last and transposed tensors are not copied."""
    if tensor.dim() == 1 and tensor.is_contiguous():
        return tensor
    if not tensor.is_contiguous():
        tensor = tensor.permute(sorted(range(tensor.dim()), key=tensor.stride, reverse=True))
    return tensor.reshape(-1)
