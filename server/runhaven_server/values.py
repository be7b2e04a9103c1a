"""Values of configurations and summaries as JSON has them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, cast

from runhaven.value import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping


def plain(value: Any) -> Any:
    """Return a tree whose non-finite numbers are the strings "NaN", "Infinity" and "-Infinity"."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in cast("list[Any]", value)]
    return value


def flat(tree: Mapping[str, Any]) -> dict[str, str | int | float | bool | None]:
    """Return the leaves of a tree, keys joined with "."; what is no scalar becomes its JSON."""
    found: dict[str, str | int | float | bool | None] = {}
    for key, value in flatten(tree):
        shown = plain(value)
        found[key] = json.dumps(shown, ensure_ascii=False) if isinstance(shown, dict | list) else shown
    return found
