"""A driver that is none, for tests in processes of their own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

HERE = Path(__file__).parent

BEGIN = """
import ctypes, json, os, sys, time
sys.path.insert(0, {here!r})
from fake_gpu import *
fake = FakeDriver({library!r})
fake.be_h100()
from runhaven_gpu_monitor.nvml import NvmlSource
told = []
source = NvmlSource()
start = lambda: source.open(told.append)
def answer(*things): print(json.dumps(things))
class Clock:
    # Time that a test moves on, for everything that asks for it.
    now = time.monotonic()
    def pass_by(self, seconds): self.now += seconds
clock = Clock()
time.monotonic = lambda: clock.now
"""


class Play(Protocol):
    def __call__(self, code: str, **environment: str) -> Any: ...


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if shutil.which("gcc") is None or sys.platform != "linux":
        pytest.skip("the stand-in for the driver is built with gcc")
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(HERE)!r}); from fake_gpu import *; print(build(Path({str(tmp_path_factory.mktemp('nvml'))!r})))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return Path(done.stdout.strip())


@pytest.fixture
def play(library: Path) -> Play:
    """Run code in a process of its own, with the stand-in loaded before pynvml looks for the driver."""

    def run(code: str, **environment: str) -> Any:
        text = BEGIN.format(library=str(library), here=str(HERE)) + textwrap.dedent(code)
        clean = {
            name: value for name, value in os.environ.items() if not name.startswith(("CUDA_", "SLURM", "TORCHEL"))
        }
        done = subprocess.run(
            [sys.executable, "-c", text],
            capture_output=True,
            text=True,
            check=False,
            env=clean | environment,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[str], Path]:
    """Lay out files from lines such as "sys/a = text" and "sys/b -> ../a"."""

    def build(text: str) -> Path:
        root = tmp_path / "root"
        for path, kind, content in re.findall(r"^(?!#)(\S+) (=|->) ?(.*)$", textwrap.dedent(text), re.MULTILINE):
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            if kind == "->":
                (root / path).symlink_to(content)
            else:
                (root / path).write_text(content.replace("\\n", "\n") + "\n")
        return root

    return build
