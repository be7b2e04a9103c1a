"""What every test shares: a store of its own, and no setting of the person who runs it."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

import runhaven

if TYPE_CHECKING:
    from collections.abc import Generator

# The same examples each time: what fails is due to what was changed. `just search` looks for others.
settings.register_profile("repeat", derandomize=True)
settings.register_profile("search", derandomize=False)
settings.load_profile("repeat")

SHIM = Path(__file__).parent / "shims" / "torchvision_cpu"


def let_torchvision_load() -> None:
    """Put the shim into this process and into those that tests start."""
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SHIM), os.environ.get("PYTHONPATH")]))
    spec = importlib.util.spec_from_file_location("torchvision_cpu", SHIM / "sitecustomize.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(importlib.util.module_from_spec(spec))


if importlib.util.find_spec("torchvision") is not None:
    let_torchvision_load()

# A shell that starts the tests in its background lets them, and all that they start, ignore Ctrl-C; `nohup`, SIGHUP.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)

# Keras looks for TensorFlow unless it is told otherwise.
os.environ.setdefault("KERAS_BACKEND", "torch")


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
