"""What the tests of media share: a value's whole way into a store and back."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image as Pillow

import runhaven
from runhaven.store.blobs import Blobs

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np


class Kept:
    """A row as it was read back, and the bytes that it refers to."""

    def __init__(self, store: Path, row: dict[str, Any], run: Any) -> None:
        self.store = store
        self.row = row
        self.run = run

    def __getitem__(self, key: str) -> Any:
        return self.row[key]

    def path(self, reference: dict[str, Any]) -> Path:
        return Blobs(self.store).find(reference)

    def bytes(self, reference: dict[str, Any]) -> bytes:
        return self.path(reference).read_bytes()

    def picture(self, reference: dict[str, Any]) -> Any:
        return Pillow.open(io.BytesIO(self.bytes(reference)))


@pytest.fixture
def keep(store: Path) -> Callable[..., Kept]:
    """Log values in a run of its own and read the row."""

    def log(settings: Any = None, **values: Any) -> Kept:
        run = runhaven.init(project="p", settings=settings)
        run.log(values)
        run.finish()
        found = runhaven.Api().run(run.path)
        (row,) = found.scan_history()
        return Kept(store, row, found)

    return log


@pytest.fixture
def kept_pixels(keep) -> Callable[..., np.ndarray]:
    """Log one image and return its pixels."""
    import numpy as np

    def log(*arguments: Any, **named: Any) -> np.ndarray:
        kept = keep(image=runhaven.Image(*arguments, **named))
        assert kept["image"]["_type"] == "image-file", kept["image"]
        return np.asarray(kept.picture(kept["image"]))

    return log
