"""Files to log, and a run to log them with."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

import runhaven
from runhaven.store.blobs import Blobs

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from runhaven import Run


@pytest.fixture
def run(store) -> Generator[Run]:
    with runhaven.init(entity="me", project="p") as made:
        yield made


@pytest.fixture
def blobs(store) -> Blobs:
    return Blobs(store)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Small files, an empty one, and one large enough to be cut."""
    made = tmp_path / "data"
    (made / "deep" / "deeper").mkdir(parents=True)
    (made / "a.txt").write_text("hello")
    (made / "empty").write_bytes(b"")
    (made / "deep" / "b.bin").write_bytes(random.Random(1).randbytes(300_000))
    (made / "deep" / "deeper" / "large.bin").write_bytes(random.Random(2).randbytes(20 << 20))
    return made
