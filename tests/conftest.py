"""What every test shares: a store of its own, and no setting of the person who runs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import runhaven

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    for name in os.environ:
        if name.startswith(("RUNHAVEN", "WANDB")):
            monkeypatch.delenv(name)
    directory = tmp_path / "store"
    monkeypatch.setenv("RUNHAVEN_DIR", str(directory))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache_home"))
    monkeypatch.setenv("RUNHAVEN_SILENT", "1")
    monkeypatch.setenv("RUNHAVEN_X_DISABLE_STATS", "1")
    monkeypatch.setenv("RUNHAVEN_DISABLE_GIT", "1")
    yield directory
    runhaven.teardown()
