"""Runs before a Python program below `runhaven run`: the environment's own `sitecustomize` first, then Runhaven."""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path


def _run_the_environments() -> None:
    here = Path(__file__).resolve().parent
    spec = PathFinder.find_spec(__name__, [place for place in sys.path if Path(place).resolve() != here])
    if spec is not None and spec.loader is not None:
        module = sys.modules[__name__] = module_from_spec(spec)
        spec.loader.exec_module(module)


def _begin() -> None:
    try:
        from runhaven.launch.program import begin
    except ImportError:
        # Another Python, which has no Runhaven: the launcher keeps what it can see from outside.
        return
    begin()


try:
    _run_the_environments()
finally:
    _begin()
