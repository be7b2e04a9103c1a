"""Knows a rich value, one with bytes of its own such as an image, without importing what made it."""

from __future__ import annotations

import sys
from functools import lru_cache
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, cast

from runhaven.value import known_as

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    # Gets the cells of a row, and its step and time.
    Deliver = Callable[[dict[str, Any], int, int], None]

Bare: TypeAlias = Literal["figure", "axes", "plotly", "pillow", "frame", ""]

_BARE: dict[tuple[str, str], Bare] = {
    ("matplotlib", "Figure"): "figure",
    ("matplotlib", "Axes"): "axes",
    ("plotly", "BaseFigure"): "plotly",
    ("PIL", "Image"): "pillow",
    ("pandas", "DataFrame"): "frame",
}


class Rich:
    """Base of the values that `runhaven.media` keeps as bytes in the store."""


class Keeper(Protocol):
    """Keeps rich values on a thread of its own.

    Attributes:
        lost: How many never arrived.
    """

    lost: int

    def accept(self, values: Mapping[str, Any]) -> Any:
        """Take the values as they are now; returns what `send` wants."""
        ...

    def send(self, parcel: Any, deliver: Deliver, step: int, time_us: int) -> None:
        """Have a parcel's values kept, and what stands for them in a row delivered; called for one at a time."""
        ...

    def wake(self) -> None:
        """Have what was sent kept now; called again and again, for it may lie until then."""
        ...

    def settle(self, *, patience_s: float) -> bool:
        """Wait until all is delivered; False if nothing at all moved for so long."""
        ...

    def forget(self) -> None:
        """Let go, in a forked child, of what the parent is keeping."""
        ...


def is_rich(value: object) -> bool:
    """Tell whether a value is rich: one of ours, a figure, a picture, a frame, or a list of such."""
    if isinstance(value, Rich):
        return True
    if type(value) in (list, tuple):
        items = cast("list[object]", value)
        return bool(items) and (isinstance(items[0], Rich) or bare_kind(items[0]) != "")
    return bare_kind(value) != ""


def bare_kind(value: object) -> Bare:
    """Return what another library's rich value is; "" for any other value."""
    if isinstance(value, ModuleType):
        # `log({"chart": plt})` means the figure that pyplot is at.
        return "figure" if value is sys.modules.get("matplotlib.pyplot") else ""
    return _bare_kind(type(value))


@lru_cache(maxsize=1024)
def _bare_kind(kind: type) -> Bare:
    return known_as(kind, _BARE) or ""
