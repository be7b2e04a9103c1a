"""Brings the adapters, which lie above the core; `runhaven.integration.<name>` is one of them, as W&B spells it."""

from __future__ import annotations

from typing import Any

from runhaven.finder import find
from runhaven.missing import missing


def adapter(name: str, *, feature: str) -> Any:
    """Import the adapter of a framework.

    Args:
        name: The framework, which is the adapter's name and that of the extra.
        feature: What the user wanted, for the message.

    Raises:
        ImportError: If the adapter or its framework cannot be imported.
    """
    entry = find(name)
    if entry is None:
        raise ImportError(missing(f"runhaven[{name}]", feature))
    return entry.load()
