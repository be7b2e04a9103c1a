"""Train a small convolutional network on scikit-learn's 8x8 images of digits, and watch it in Runhaven.

Metrics, learning rate, what it takes some images for, and the best model are kept. Nothing is downloaded: the images come with scikit-learn. Takes well under a minute on two processor cores.
"""

from __future__ import annotations

import argparse
import os
from typing import Any, cast

import numpy as np
from sklearn.datasets import load_digits

os.environ.setdefault("KERAS_BACKEND", "torch")
import keras

import runhaven
from runhaven_integrations.keras import RunhavenCallback


def network(channels: int, dropout: float) -> Any:
    """Return two convolutions and a dense layer; input 8x8x1 images in [0, 1], output 10 probabilities."""
    layers = keras.layers
    return keras.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Conv2D(channels, 3, padding="same", activation="relu"),
            layers.Conv2D(2 * channels, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dropout(dropout),
            layers.Dense(10, activation="softmax"),
        ],
        name="digits",
    )


def main() -> None:
    """Train once, with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=12)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--dropout", type=float, default=0.2)
    parser.add_argument("--batch-size", type=int, default=32)
    options = parser.parse_args()

    keras.utils.set_random_seed(0)
    digits = cast("Any", load_digits())
    order = np.random.default_rng(0).permutation(len(digits.target))
    images = digits.images[order, :, :, None].astype("float32") / 16
    labels = digits.target[order]
    training, validation = (images[:1437], labels[:1437]), (images[1437:], labels[1437:])

    model = network(options.channels, options.dropout)
    steps = options.epochs * -(-len(training[0]) // options.batch_size)
    schedule: Any = keras.optimizers.schedules.CosineDecay(options.lr, steps)
    model.compile(keras.optimizers.AdamW(schedule), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    callback = RunhavenCallback(
        monitor="val_accuracy",
        project="digits",
        config=vars(options),
        log_batch_frequency=1,
        validation_data=validation,
        log_evaluation=True,
        log_model=True,
    )
    model.fit(
        *training,
        validation_data=validation,
        epochs=options.epochs,
        batch_size=options.batch_size,
        callbacks=[callback],
        verbose=2,
    )
    runhaven.finish()


if __name__ == "__main__":
    main()
