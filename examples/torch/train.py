"""Train a small network on scikit-learn's 8x8 images of digits with plain PyTorch, and watch its gradients in Runhaven.

Histograms, norms and update ratios of all gradients and parameters are kept at every tenth step of the optimizer. Nothing is downloaded: the images come with scikit-learn.
Takes a few seconds on two processor cores.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, cast

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional

import runhaven

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def network(channels: int) -> nn.Sequential:
    """Return two convolutions and two linear layers; input 1x8x8 images in [0, 1], output 10 logits."""
    return nn.Sequential(
        nn.Conv2d(1, channels, 3, padding=1), nn.ReLU(),
        nn.Conv2d(channels, 2 * channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(2 * channels * 16, 64), nn.ReLU(), nn.Linear(64, 10),
    )  # fmt: skip


def main() -> None:
    """Train once, with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args()

    torch.manual_seed(0)
    digits = cast("Bunch", load_digits())
    order = torch.randperm(1797)
    images = torch.tensor(digits.images, dtype=torch.float32)[order, None] / 16
    labels = torch.tensor(digits.target)[order]
    model = network(options.channels)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options.lr)

    with runhaven.init(project="gradients", config=vars(options)) as run:
        run.watch(model, log="all", log_freq=10, log_graph=True)
        for epoch in range(options.epochs):
            mixed: Any = torch.randperm(1437)
            for batch in mixed.split(options.batch_size):
                loss = functional.cross_entropy(model(images[batch]), labels[batch])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                run.log({"train/loss": loss.detach(), "epoch": epoch})
            with torch.no_grad():
                right = model(images[1437:]).argmax(1) == labels[1437:]
            run.log({"val/accuracy": right.float().mean(), "epoch": epoch})


if __name__ == "__main__":
    main()
