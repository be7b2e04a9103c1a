"""What the sampler asks of a source of readings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable


class Incident(NamedTuple):
    """Something about a device that a person should hear of, once.

    Attributes:
        title: What happened, in a few words.
        text: What it means and what can be done.
        level: How bad it is.
    """

    title: str
    text: str
    level: Literal["INFO", "WARN", "ERROR"]


Tell: TypeAlias = "Callable[[Incident], None]"


class Source(Protocol):
    """Something on this machine that can be read.

    All calls come from the sampler's one thread. A reading that fails is left out of the row; a call that raises costs
    this source its part of one row.
    """

    def open(self, tell: Tell) -> dict[str, Any] | None:
        """Get ready and return the static facts, or None when there is nothing to read here.

        Lists of several sources under one key, such as `gpus`, are joined.

        Args:
            tell: Takes what a person should hear of, now or during a later call.
        """
        ...

    def sample(self) -> dict[str, float]:
        """Return the current readings by metric key."""
        ...

    def close(self) -> None:
        """Let go of everything that `open` took."""
        ...
