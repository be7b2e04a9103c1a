"""What `runhaven doctor` finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes:
        level: "ok", "note" for what one may want to know, "problem" for what wants mending.
        text: What was found and, if it wants mending, what to do.
        about: Names and versions, for programs.
    """

    level: Literal["ok", "note", "problem"]
    text: str
    about: dict[str, Any] = field(default_factory=dict[str, Any])
