"""Ten lines, no framework: a run with one curve. Then: `runhaven ui`."""

from __future__ import annotations

import math
import random

import runhaven

with runhaven.init(project="quickstart", config={"lr": 0.1, "steps": 500}) as run:
    for step in range(run.config.steps):
        loss = math.exp(-run.config.lr * step / 5) + random.random() / 10  # noqa: S311 - noise for the eye
        run.log({"loss": loss, "accuracy": 1 - loss / 1.2})
