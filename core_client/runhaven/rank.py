"""Which process of a distributed training this is, from what launchers leave in the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Rank(NamedTuple):
    """The place of a process among those that train together.

    Attributes:
        rank: 0 for the process that owns the run's metadata.
        world_size: How many processes there are.
        group: The same for all processes of one training; None when the launcher tells nothing.
    """

    rank: int
    world_size: int
    group: str | None

    @property
    def is_first(self) -> bool:
        """Whether this process owns the run's metadata."""
        return self.rank == 0


_PAIRS = (
    ("RANK", "WORLD_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("JSM_NAMESPACE_RANK", "JSM_NAMESPACE_SIZE"),
)


def detect(environment: Mapping[str, str] | None = None) -> Rank:
    """Return this process's rank; 0 of 1 when nothing speaks of others."""
    found = os.environ if environment is None else environment
    group = _group(found)
    for rank_name, size_name in _PAIRS:
        rank, size = _number(found, rank_name), _number(found, size_name)
        if rank is not None and size is not None and size > 1:
            return Rank(rank, size, group)
    size = _number(found, "WORLD_SIZE")
    local = _number(found, "LOCAL_RANK")
    if local is not None and size is not None and size > 1:
        node = _number(found, "NODE_RANK") or _number(found, "GROUP_RANK") or 0
        per_node = _number(found, "LOCAL_WORLD_SIZE") or max(local + 1, size // (node + 1))
        return Rank(node * per_node + local, size, group)
    rank, size = _number(found, "SLURM_PROCID"), _number(found, "SLURM_NTASKS")
    # An interactive shell inside an allocation has a rank too, but nobody trains beside it.
    is_step = found.get("SLURM_STEP_ID", "").isdecimal() and found.get("SLURM_JOB_NAME") not in ("bash", "interactive")
    if rank is not None and size is not None and size > 1 and is_step:
        return Rank(rank, size, group)
    return Rank(0, 1, None)


def _number(environment: Mapping[str, str], name: str) -> int | None:
    text = environment.get(name, "")
    return int(text) if text.isdecimal() else None


def _group(environment: Mapping[str, str]) -> str | None:
    elastic = environment.get("TORCHELASTIC_RUN_ID", "none")
    if elastic not in ("", "none"):
        return f"torchelastic {elastic}"
    job = environment.get("SLURM_JOB_ID")
    if job and environment.get("SLURM_STEP_ID", "").isdecimal():
        return f"slurm {job}.{environment['SLURM_STEP_ID']}"
    address, port = environment.get("MASTER_ADDR"), environment.get("MASTER_PORT")
    return f"master {address}:{port}" if address and port else None
