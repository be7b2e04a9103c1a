"""Finds the plots that Ultralytics has drawn."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from PIL import Image

import runhaven

_PATIENCE_S = 2.0
_PAUSE_S = 0.05


class Plots:
    """The plots of a training, each of which is logged when it is new or drawn again."""

    def __init__(self) -> None:
        """Know of none yet."""
        self._seen: dict[Path, float] = {}

    def take(self, trainer: Any, *, waits: bool = False) -> dict[str, runhaven.Image]:
        """Return what was drawn since the last call, by name.

        Args:
            trainer: Whose plots, and whose validator's.
            waits: Whether threads that are still drawing are waited for, for two seconds at most.
        """
        drawn = {**trainer.plots, **getattr(trainer.validator, "plots", {})}
        new = {
            Path(path): facts["timestamp"]
            for path, facts in drawn.items()
            if self._seen.get(Path(path)) != facts["timestamp"]
        }
        deadline = time.monotonic() + (_PATIENCE_S if waits else 0)
        ready: dict[str, runhaven.Image] = {}
        for path, drawn_at in new.items():
            if _is_whole(path, deadline):
                self._seen[path] = drawn_at
                ready[f"plots/{path.stem}"] = runhaven.Image(path)
        return ready


def _is_whole(path: Path, deadline: float) -> bool:
    """Tell whether a picture can be read to its end; Ultralytics draws some in threads of their own."""
    while True:
        try:
            with Image.open(path) as picture:
                picture.load()
        except OSError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_PAUSE_S)
        else:
            return True
