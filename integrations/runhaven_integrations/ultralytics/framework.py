# Types are checked without Ultralytics too, whose licence asks for a choice.
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""Imports Ultralytics, and says what is missing; nothing of it is copied, and nothing is imported before it is needed."""

from __future__ import annotations

from typing import Any

from runhaven.missing import missing

try:
    import ultralytics as _ultralytics
except ImportError as error:
    raise ImportError(missing("ultralytics", "RunhavenCallbacks")) from error

__all__ = ["is_main_process"]

_MAIN = (-1, 0)


def is_main_process() -> bool:
    """Whether this process logs: alone, or rank 0 of several."""
    from ultralytics import utils

    module: Any = utils
    return module.RANK in _MAIN


version: str = getattr(_ultralytics, "__version__", "")
