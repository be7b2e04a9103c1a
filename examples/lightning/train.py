"""Train a small convolutional network on scikit-learn's 8x8 images of digits, and watch it in Runhaven.

Metrics, learning rate, the images that it takes for something else, and the best checkpoint are kept. Nothing is downloaded: the images come with scikit-learn. Takes well under a minute on two processor cores.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from typing import TYPE_CHECKING, cast

import lightning
import torch
from lightning.pytorch.callbacks import LearningRateMonitor, ModelCheckpoint
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset, random_split

import runhaven
from runhaven_integrations.lightning import RunhavenLogger

if TYPE_CHECKING:
    from sklearn.utils import Bunch
    from torch import Tensor


class Digits(nn.Module):
    """Two convolutions and a linear layer; input 1x8x8 images in [0, 1], output 10 logits."""

    def __init__(self, channels: int, dropout: float) -> None:
        """Build the layers."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(channels, 2 * channels, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(dropout),
            nn.Linear(2 * channels * 16, 10),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of a batch."""
        return self.layers(images)


class Classifier(lightning.LightningModule):
    """Trains `Digits` with AdamW and a cosine learning rate."""

    def __init__(self, channels: int = 16, dropout: float = 0.2, lr: float = 3e-3) -> None:
        """Build the network."""
        super().__init__()
        self.save_hyperparameters()
        self.lr = lr
        self.network = Digits(channels, dropout)

    def training_step(self, batch: list[Tensor], _: int) -> Tensor:
        """Return the loss of a batch."""
        images, labels = batch
        logits = self.network(images)
        loss = functional.cross_entropy(logits, labels)
        self.log("train/loss", loss)
        self.log("train/accuracy", (logits.argmax(1) == labels).float().mean())
        return loss

    def validation_step(self, batch: list[Tensor], _: int) -> None:
        """Measure a batch that the network was not trained on."""
        images, labels = batch
        logits = self.network(images)
        self.log("val/loss", functional.cross_entropy(logits, labels))
        guesses = logits.argmax(1)
        self.log("val/accuracy", (guesses == labels).float().mean(), prog_bar=True)
        if isinstance(self.logger, RunhavenLogger) and not self.trainer.sanity_checking:
            wrong = (guesses != labels).nonzero().flatten()[:16]
            captions = [f"{labels[at]}, taken for {guesses[at]}" for at in wrong]
            self.logger.log_image("val/mistakes", list(images[wrong]), step=self.global_step, caption=captions)

    def configure_optimizers(self) -> dict[str, object]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return AdamW with a cosine schedule over all steps."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.lr)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def load(batch_size: int) -> tuple[DataLoader[tuple[Tensor, ...]], DataLoader[tuple[Tensor, ...]]]:
    """Return loaders of 1,437 training and 360 validation images, float32 1x8x8 in [0, 1]."""
    digits = cast("Bunch", load_digits())
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    data = TensorDataset(images, torch.tensor(digits.target))
    training, validation = random_split(data, [1437, 360], torch.Generator().manual_seed(0))
    return DataLoader(training, batch_size, shuffle=True), DataLoader(validation, 360)


def main() -> None:
    """Train once, with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="lightning")

    lightning.seed_everything(0, verbose=False)
    training, validation = load(options.batch_size)
    trainer = lightning.Trainer(
        max_epochs=options.epochs,
        logger=RunhavenLogger(project="digits", log_model=True, config={"batch_size": options.batch_size}),
        callbacks=[LearningRateMonitor("step"), ModelCheckpoint(monitor="val/accuracy", mode="max")],
        log_every_n_steps=1,
        accelerator="auto",
        enable_model_summary=False,
    )
    trainer.fit(Classifier(options.channels, options.dropout, options.lr), training, validation)
    runhaven.finish()


if __name__ == "__main__":
    main()
