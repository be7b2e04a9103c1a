"""Lets torchvision's wheel from PyPI, which is built for CUDA, be imported beside a torch without it.

Its library of operators needs CUDA's libraries and does not load; importing it fails then because it describes operators
that nobody has declared. Those are declared here, just before, and non-maximum suppression is computed by torch itself.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

SIGNATURES = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_kept: list[Any] = []


class Finder:
    """Puts the operators in place while torchvision is being imported."""

    _is_looking = False

    @classmethod
    def find_spec(cls, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name != "torchvision" or cls._is_looking:
            return None
        cls._is_looking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            cls._is_looking = False
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            loader.exec_module = functools.partial(execute, loader.exec_module)
        return spec


def execute(original: Any, module: Any) -> None:
    if has_operators(Path(module.__file__).parent):
        original(module)
        return
    declare()
    original(module)
    sys.modules["torchvision.extension"]._has_ops = lambda: True  # type: ignore[attr-defined]


def has_operators(folder: Path) -> bool:
    import torch

    try:
        torch.ops.load_library(next(folder.glob("_C*.so")))
    except (OSError, StopIteration):
        return False
    return True


def declare() -> None:
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for signature in SIGNATURES:
        library.define(signature)
    library.impl("nms", keep_apart, "CPU")
    # A library's operators live as long as it does.
    _kept.append(library)


def keep_apart(boxes: Any, scores: Any, threshold: float) -> Any:
    """Return the numbers of the boxes that overlap no surer one by more than the threshold, the surest first."""
    import torch

    left = scores.argsort(descending=True, stable=True)
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    kept: list[Any] = []
    while len(left):
        first, left = left[0], left[1:]
        kept.append(first)
        low, high = boxes[left, :2].maximum(boxes[first, :2]), boxes[left, 2:].minimum(boxes[first, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        left = left[shared <= threshold * (areas[left] + areas[first] - shared)]
    return torch.stack(kept) if kept else left


def install() -> None:
    try:
        version("torchvision")
    except PackageNotFoundError:
        return
    if Finder not in sys.meta_path:
        sys.meta_path.insert(0, Finder)


install()
