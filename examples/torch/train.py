"""A PyTorch training whose gradients are kept."""

from __future__ import annotations

import torch

import runhaven


def main() -> None:
    """Train a small model."""
    model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    with runhaven.init(project="gradients") as run:
        run.watch(model, log="all", log_freq=10)
        for _ in range(100):
            x = torch.randn(64, 8)
            loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            run.log({"loss": loss.detach()})


if __name__ == "__main__":
    main()
