"""What a project may require of pictures before their bytes are kept: a function that takes out what must not be."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from runhaven.errors import UsageError
from runhaven.media import pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Scrub:
    """A function that every picture passes.

    Attributes:
        name: What the function is called, for the receipt.
        problem: Why it cannot be found; no picture passes then.
    """

    def __init__(self, function: Callable[[Any], Any] | str) -> None:
        """Find the function.

        Args:
            function: The function, or "module:function". It takes a picture of Pillow's and returns one; None, or an exception, says that
                the picture must not be kept.
        """
        self.problem: UsageError | None = None
        self.name = function if isinstance(function, str) else _name_of(function)
        try:
            self._function: Callable[[Any], Any] = _find(function) if isinstance(function, str) else function
        except UsageError as error:
            self.problem = error

    def __call__(self, picture: Any) -> Any:
        """Return a picture as it may be kept.

        Raises:
            UsageError: If it must not be kept.
        """
        if self.problem is not None:
            raise self.problem
        bare = picture.copy()
        bare.info = {name: value for name, value in picture.info.items() if name == "transparency"}
        try:
            found = self._function(bare)
        except Exception as error:
            message = f"the picture was not kept, because {self.name} failed: {error!r}."
            raise UsageError(message) from error
        if not isinstance(found, pixels.pillow().Image):
            message = f"the picture was not kept, because {self.name} returned {type(found).__name__} and no picture."
            raise UsageError(message)
        return found


class Scrubbing:
    """The part of where bytes go that is about scrubbing; it counts what was scrubbed."""

    def __init__(self, scrub: Scrub | None) -> None:
        """Count from nothing."""
        self._scrub = scrub
        self._passed = self._refused = 0

    @property
    def scrubs(self) -> bool:
        """Whether pictures have to pass `scrub`."""
        return self._scrub is not None

    def scrub(self, picture: Any) -> Any:
        """Return a picture as it may be kept.

        Raises:
            UsageError: If it must not be kept.
        """
        assert self._scrub is not None, "only where `scrubs`"
        try:
            found = self._scrub(picture)
        except UsageError:
            self._refused += 1
            raise
        self._passed += 1
        return found

    def receipt(self, keys: Sequence[str]) -> dict[str, Any] | None:
        """Return the event that says what was scrubbed under some keys; None if nothing was."""
        if self._scrub is None or not self._passed + self._refused:
            return None
        counts = {"passed": self._passed, "refused": self._refused}
        return {"event": "scrub", "function": self._scrub.name, **counts, "keys": list(keys)}


def _find(name: str) -> Callable[[Any], Any]:
    module, _, path = name.partition(":")
    try:
        found: Any = importlib.import_module(module)
        for part in path.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        message = f"x_scrub_images={name!r} cannot be found: {error}. Write it as module:function."
        raise UsageError(message) from error
    if not callable(found):
        message = f"x_scrub_images={name!r} is not a function."
        raise UsageError(message)
    return found


def _name_of(function: Callable[[Any], Any]) -> str:
    return f"{getattr(function, '__module__', '?')}:{getattr(function, '__qualname__', type(function).__name__)}"
