"""What a framework's adapter shows of itself, so that the one suite in `test_adapters.py` can run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Protocol, cast

Point = tuple[str, int, float]
"""Key, step and value."""

ADAPTERS = sorted(path.stem for path in Path(__file__).with_name("adapters").glob("*.py"))
"""The frameworks that have a case: `contracts/adapters/<name>.py`, whose `case` it is."""


@dataclass
class Trained:
    """What a training came to, by the framework's own account.

    Attributes:
        points: All numbers that the framework itself recorded, under the adapter's names, at the framework's steps.
        checkpoints: The checkpoints that are on the disk, oldest first.
    """

    points: set[Point]
    checkpoints: list[Path]


class AdapterCase(Protocol):
    """A tiny model in a real framework, with the adapter in it.

    Attributes:
        package: The top-level module without which the adapter cannot be imported.
        missing: The message that then says what to do, whole.
        parameters: What the configuration has to hold afterwards, as it is read back from the store.
        best: The series that the training watches for its best value, and whether less or more is better ("min", "max").
        epoch: The column of epochs; None if the framework counts none.
    """

    package: str
    missing: str
    parameters: ClassVar[Mapping[str, Any]]
    best: tuple[str, str]
    epoch: str | None

    def make(self, **options: Any) -> Any:
        """Make the object that is handed to the framework; its attribute `adapter` is a `runhaven.adapter.Adapter`.

        Args:
            **options: `project`, `log_model`, `strict`, `id` and other arguments of `runhaven.init()`.
        """
        ...

    def train(
        self,
        folder: Path,
        *,
        epochs: int = 2,
        is_resumed: bool = False,
        on_batch: Callable[[int, int], None] | None = None,
        **options: Any,
    ) -> Trained:
        """Train a tiny model with a new adapter; a checkpoint is written at the end of each epoch.

        Args:
            folder: Where the framework puts its files.
            epochs: The epoch to reach, counted from the very beginning.
            is_resumed: Whether the newest checkpoint in the folder is gone on from.
            on_batch: Called inside the training with epoch and batch, from 0; each epoch has at least three batches.
            **options: As for `make`.
        """
        ...


def case_of(name: str) -> AdapterCase:
    """Return the case of a framework; skips the test where the framework is absent."""
    return cast("AdapterCase", import_module(f"contracts.adapters.{name}").case)
