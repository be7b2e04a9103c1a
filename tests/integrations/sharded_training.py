"""A training that `test_torch_shards` starts on two processes."""

from __future__ import annotations

import os
import sys
from typing import Any

import torch
import torch.distributed as dist

import runhaven
from runhaven_integrations.torch import shards

# Processes that train in step are late only where the machine is slow.
shards.PATIENCE_S = shards.PATIENCE_AT_END_S = 600.0


def shard(how: str, model: torch.nn.Module) -> Any:
    if how == "ddp":
        return torch.nn.parallel.DistributedDataParallel(model)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(
        "cpu", (2, 1) if how == "replicated" else (2,), mesh_dim_names=("a", "b")[: 1 + (how == "replicated")]
    )
    fully_shard(model, mesh=mesh)
    return model


def train(how: str, rank: int, x: torch.Tensor) -> None:
    sharded = shard(how, make(how))
    optimizer = torch.optim.SGD(sharded.parameters(), lr=0.1)
    with runhaven.init(project=how, settings={"silent": False, "console": "off"}) as run:
        if how == "alone":
            shards.PATIENCE_S = 0.5
        if how != "alone" or rank == 0:
            run.watch(sharded, exact=how != "sampled")
        sharded(x[rank * 16 : rank * 16 + 16]).square().mean().backward()
        optimizer.step()
    dist.barrier()


def make(how: str) -> torch.nn.Module:
    torch.manual_seed(0)
    if how == "sampled":
        return torch.nn.Sequential(torch.nn.Linear(8, 1 << 16), torch.nn.Tanh(), torch.nn.Linear(1 << 16, 1))
    return torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))


def main(folder: str) -> None:
    rank = int(os.environ["RANK"])
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    x = torch.randn(32, 8, generator=torch.Generator().manual_seed(1))
    for how in ("exact", "sampled") if rank == 0 else ():
        model = make(how)
        model(x).square().mean().backward()
        torch.save({name: each.grad for name, each in model.named_parameters()}, f"{folder}/{how}.pt")
    for how in ("ddp", "fsdp2", "replicated", "sampled", "alone"):
        train(how, rank, x)
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
