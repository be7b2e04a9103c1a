"""What was changed of a run in memory, until `update()` writes it down."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self, cast

from runhaven.value import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Changes:
    """Keys that were set or taken away, and lists and dicts that were lent and may have been changed in place."""

    def __init__(self) -> None:
        """Start with no change."""
        self._set: dict[str, Any] = {}
        self._gone: set[str] = set()
        self._lent: dict[str, tuple[Any, Any]] = {}

    def put(self, key: str, value: object) -> None:
        """Note that a key was set."""
        self._set[key] = value
        self._gone.discard(key)

    def take(self, key: str) -> None:
        """Note that a key was taken away."""
        self._set.pop(key, None)
        self._lent.pop(key, None)
        self._gone.add(key)

    def lend(self, key: str, stored: Any) -> Any:
        """Return a list or dict that the caller may change in place: what was set or changed, else a copy of `stored`."""
        if key in self._set:
            return self._set[key]
        held = self._lent.get(key)
        if held is None or held[0] == held[1]:
            held = self._lent[key] = copy.deepcopy(stored), copy.deepcopy(stored)
        return held[0]

    def over(self, stored: dict[str, Any]) -> dict[str, Any]:
        """Return stored values with the changes applied."""
        changed = self.changed
        return {key: value for key, value in stored.items() if key not in self._gone} | changed

    @property
    def changed(self) -> dict[str, Any]:
        """The keys that have another value."""
        return {key: now for key, (now, before) in self._lent.items() if now != before} | self._set

    @property
    def gone(self) -> list[str]:
        """The keys that were taken away."""
        return sorted(self._gone)


class Drafts:
    """All changes of a run that wait for `update()`."""

    def __init__(self) -> None:
        """Start with no change."""
        self.meta, self.config, self.summary = Changes(), Changes(), Changes()

    def events(self) -> list[dict[str, Any]]:
        """Return the changes as a journal keeps them; empty when there are none."""
        found: list[dict[str, Any]] = []
        if self.meta.changed:
            found.append({"event": "meta", "set": self.meta.changed})
        if self.config.changed or self.config.gone:
            found.append({"event": "config", "set": self.config.changed, "delete": self.config.gone, "step": None})
        if self.summary.changed or self.summary.gone:
            changed = dict(flatten(self.summary.changed))
            found.append({"event": "summary", "set": changed, "delete": self.summary.gone})
        return found


class Draft(dict[str, Any]):
    """A dict of a run's that notes how it is changed."""

    def __init__(
        self, values: Mapping[str, Any], changes: Changes, write: Callable[[], None], prefix: str = ""
    ) -> None:
        """Hold values.

        Args:
            values: What there is.
            changes: Where changes are noted.
            write: Writes all changes down.
            prefix: Stands before every key of `changes`.
        """
        super().__init__(values)
        self._changes = changes
        self._write = write
        self._prefix = prefix

    def __getitem__(self, key: str) -> Any:
        """Return a value; a list or a dict may be changed in place."""
        value: Any = super().__getitem__(key)
        is_lent = isinstance(value, dict | list) and key in self
        return self._changes.lend(self._prefix + key, value) if is_lent else cast("Any", value)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if there is none."""
        return self[key] if key in self else default  # noqa: SIM401 - `get` is what is being defined

    def __setitem__(self, key: str, value: object) -> None:
        """Note a value."""
        super().__setitem__(key, value)
        self._changes.put(self._prefix + key, value)

    def __delitem__(self, key: str) -> None:
        """Note that a key is gone."""
        super().__delitem__(key)
        self._changes.take(self._prefix + key)

    def update(self, *others: Any, **values: Any) -> None:
        """Note many values."""
        for key, value in dict(*others, **values).items():
            self[str(key)] = value

    def __ior__(self, other: Any) -> Self:  # pyright: ignore[reportIncompatibleMethodOverride] - dict's has overloads
        """Note many values."""
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Note a value unless there is one; return what there is then."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        """Take a key away and return its value."""
        if key not in self and default:
            return default[0]
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Take the last key away and return it with its value."""
        key = next(reversed(self))
        return key, self.pop(key)

    def __reduce__(self) -> tuple[type[dict[str, Any]], tuple[dict[str, Any]]]:
        """Copy and pickle as a plain dict."""
        return dict, (dict(self),)

    def clear(self) -> None:
        """Take all keys away."""
        for key in list(self):
            del self[key]
