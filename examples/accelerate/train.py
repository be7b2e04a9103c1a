"""Train a small network on scikit-learn's 8x8 images of digits with accelerate, and watch it in Runhaven.

Losses, accuracy and the images that it takes for something else are kept. Nothing is downloaded: the images come with scikit-learn. Takes a few seconds on two processor
cores; `torchrun --nproc-per-node=2 train.py` trains on two processes, into one run.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, cast

import torch
from accelerate import Accelerator
from accelerate.utils import set_seed
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset, random_split

from runhaven_integrations.accelerate import RunhavenTracker

if TYPE_CHECKING:
    from sklearn.utils import Bunch


def load(batch_size: int) -> tuple[Any, Any]:
    """Return loaders of 1,437 training and 360 validation images, float32 64 in [0, 1]."""
    digits = cast("Bunch", load_digits())
    data = TensorDataset(torch.tensor(digits.data, dtype=torch.float32) / 16, torch.tensor(digits.target))
    training, validation = random_split(data, [1437, 360], torch.Generator().manual_seed(0))
    return DataLoader(training, batch_size, shuffle=True), DataLoader(validation, 360)


def evaluate(accelerator: Any, model: nn.Module, validation: Any, step: int) -> None:
    """Log the accuracy on all processes' images, and some that the main process got wrong."""
    model.eval()
    with torch.no_grad():
        images, labels = next(iter(validation))
        guesses = model(images).argmax(1)
    model.train()
    right, images = accelerator.gather_for_metrics(((guesses == labels).float(), images))
    accelerator.log({"val/accuracy": right.mean().item()}, step=step)
    if accelerator.is_main_process:
        tracker = accelerator.get_tracker("runhaven")
        wrong = images[right == 0][:8].reshape(-1, 8, 8).cpu()
        tracker.log_images({"val/mistakes": list(wrong)}, step=step)


def main() -> None:
    """Train once, with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args()

    set_seed(0)
    # From accelerate 1.15 on, log_with="runhaven" does the same.
    accelerator: Any = Accelerator(log_with=RunhavenTracker("digits"))
    accelerator.init_trackers("digits", config=vars(options))
    network = nn.Sequential(nn.Linear(64, options.width), nn.ReLU(), nn.Linear(options.width, 10))
    model, optimizer, training, validation = accelerator.prepare(
        network, torch.optim.AdamW(network.parameters(), options.lr), *load(options.batch_size)
    )
    step = 0
    for epoch in range(options.epochs):
        for images, labels in training:
            loss = functional.cross_entropy(model(images), labels)
            accelerator.backward(loss)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            accelerator.log({"train/loss": loss.detach(), "epoch": epoch}, step=step)
        evaluate(accelerator, model, validation, step)
    accelerator.end_training()


if __name__ == "__main__":
    main()
