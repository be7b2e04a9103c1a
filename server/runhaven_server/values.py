"""Values of configurations and summaries as JSON has them."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any, cast

from runhaven.value import flatten

if TYPE_CHECKING:
    from collections.abc import Mapping


_SURROGATE = re.compile("[\ud800-\udfff]")


def legible(text: str) -> str:
    """Return a text that UTF-8 can hold: a byte that was none of UTF-8 stands as %XX."""
    return _SURROGATE.sub(lambda found: f"%{ord(found[0]) & 0xFF:02X}", text)


def plain(value: Any) -> Any:
    """Return a tree that JSON can hold: non-finite numbers are the strings "NaN", "Infinity" and "-Infinity"."""
    if isinstance(value, str):
        return legible(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {legible(str(key)): plain(item) for key, item in cast("dict[Any, Any]", value).items()}
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


def without_media(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary without what refers to media: panels show those, and tables cannot."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if not isinstance(value, dict):
            found[key] = value
        elif "_type" not in value:
            found[key] = without_media(cast("dict[str, Any]", value))
    return found
