"""Finds adapters, which lie above the core, by the entry points that they declare."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from runhaven.missing import missing

GROUP = "runhaven.integrations"


def adapter(name: str, *, feature: str) -> Any:
    """Import the adapter of a framework.

    Args:
        name: The framework, which is the adapter's name and that of the extra.
        feature: What the user wanted, for the message.

    Raises:
        ImportError: If the adapter or its framework cannot be imported.
    """
    for entry in entry_points(group=GROUP, name=name):
        return entry.load()
    raise ImportError(missing(f"runhaven[{name}]", feature))
