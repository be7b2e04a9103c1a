"""What the sampler asks of a source of readings."""

from __future__ import annotations

from typing import Any, Protocol


class Source(Protocol):
    """Something on this machine that can be read.

    All calls come from the sampler's one thread. A reading that fails is left out of the row; a call that raises costs
    this source its part of one row.
    """

    def open(self) -> dict[str, Any] | None:
        """Get ready and return the static facts, or None when there is nothing to read here.

        Lists of several sources under one key, such as `gpus`, are joined.
        """
        ...

    def sample(self) -> dict[str, float]:
        """Return the current readings by metric key."""
        ...

    def close(self) -> None:
        """Let go of everything that `open` took."""
        ...
