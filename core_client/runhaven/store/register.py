"""Keys whose last writer wins, whatever the order in which the writers' files are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_DELETED = object()


class Stamp(NamedTuple):
    """When and by whom something was written."""

    time: int
    writer: str
    number: int

    def is_after(self, other: Stamp) -> bool:
        """Tell which write stands: within one writer the later record, even if its clock was set back."""
        if self.writer == other.writer:
            return self.number >= other.number
        return (self.time, self.writer) > (other.time, other.writer)


class Register:
    """A dict in which the value that was written last stands."""

    def __init__(self) -> None:
        """Start empty."""
        self._cells: dict[str, tuple[Stamp, Any]] = {}
        self._first_writer = ""

    def forget_before(self, writer: str) -> None:
        """Take back what writers that started earlier wrote, and refuse what still comes of them."""
        self._first_writer = writer
        self._cells = {key: held for key, held in self._cells.items() if held[0].writer >= writer}

    def put(self, key: str, value: object, stamp: Stamp) -> None:
        """Write a value, unless a later one stands."""
        if stamp.writer < self._first_writer:
            return
        held = self._cells.get(key)
        if held is None or stamp.is_after(held[0]):
            self._cells[key] = stamp, value

    def apply(self, values: Mapping[str, Any], stamp: Stamp, *, deleted: Iterable[str] = ()) -> None:
        """Write values and take keys away, each unless it was written later."""
        if self._cells:
            for key, value in values.items():
                self.put(key, value, stamp)
        else:
            self._cells = {key: (stamp, value) for key, value in values.items()}
        for key in deleted:
            self.put(key, _DELETED, stamp)

    def stamp(self, key: str) -> Stamp | None:
        """Return when a key was written last; None if it never was."""
        held = self._cells.get(key)
        return held[0] if held else None

    def renamed(self, name: Callable[[str, Stamp], str | None]) -> Register:
        """Return a register with other keys; what has none is left out, and of two that become one the later stands."""
        found = Register()
        for key, (stamp, value) in self._cells.items():
            shown = name(key, stamp)
            if shown is not None:
                found.put(shown, value, stamp)
        return found

    def values(self) -> dict[str, Any]:
        """Return keys and values."""
        return {key: value for key, (_, value) in self._cells.items() if value is not _DELETED}

    def deleted(self) -> set[str]:
        """Return the keys that were taken away."""
        return {key for key, (_, value) in self._cells.items() if value is _DELETED}
