"""The summary of a run: what its series came to, and what the user wrote into it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runhaven.value import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


class Summary:
    """Values by key or by attribute; what the user writes wins over what was computed."""

    def __init__(
        self, computed: Callable[[], Mapping[str, Any]], on_change: Callable[[dict[str, Any], list[str]], None]
    ) -> None:
        """Start with what is computed.

        Args:
            computed: Returns the summary of the logged series, keys flat.
            on_change: Called with the values that the user set and the keys that they removed.
        """
        object.__setattr__(self, "_computed", computed)
        object.__setattr__(self, "_on_change", on_change)
        object.__setattr__(self, "_written", {})
        object.__setattr__(self, "_removed", set())

    def update(self, d: Mapping[str, Any] | None = None, **values: Any) -> None:
        """Write many values."""
        changed = {str(key): value for key, value in {**(d or {}), **values}.items()}
        self._written.update(changed)
        self._removed.difference_update(changed)
        self._on_change(changed, [])

    def as_dict(self) -> dict[str, Any]:
        """Return all keys and values, flat."""
        written = {key: value for key, value in self._written.items() if not isinstance(value, dict)}
        nested = {key: value for key, value in flatten(self._written) if key not in written}
        return {key: value for key, value in self._computed().items() if key not in self._removed} | nested | written

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    def keys(self) -> Iterable[str]:
        """Return the keys, flat."""
        return self.as_dict().keys()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return keys and values, flat."""
        return self.as_dict().items()

    def __getitem__(self, key: str) -> Any:
        """Return a value, or a dict of all values below `<key>.`; KeyError if there is neither."""
        if key in self._written:
            return self._written[key]
        values = self.as_dict()
        if key in values:
            return values[key]
        below = {name[len(key) + 1 :]: value for name, value in values.items() if name.startswith(f"{key}.")}
        if below:
            return below
        raise KeyError(key)

    def __setitem__(self, key: str, value: object) -> None:
        """Write a value."""
        self.update({key: value})

    def __delitem__(self, key: str) -> None:
        """Remove a value."""
        self[key]
        self._written.pop(key, None)
        self._removed.add(key)
        self._on_change({}, [key])

    def __getattr__(self, key: str) -> Any:
        """Return a value; AttributeError if there is none."""
        if key.startswith("__"):
            raise AttributeError(key)
        try:
            return self[key]
        except KeyError:
            message = f"summary has no key {key!r}; it has {sorted(self.keys())}."
            raise AttributeError(message) from None

    def __setattr__(self, key: str, value: object) -> None:
        """Write a value."""
        self.update({key: value})

    def __delattr__(self, key: str) -> None:
        """Remove a value."""
        del self[key]

    def __contains__(self, key: object) -> bool:
        """Tell whether there is a value."""
        return isinstance(key, str) and self.get(key, _NOTHING) is not _NOTHING

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys, flat."""
        return iter(self.as_dict())

    def __len__(self) -> int:
        """Count the keys, flat."""
        return len(self.as_dict())

    def __repr__(self) -> str:
        """Show the values."""
        return repr(self.as_dict())

    _computed: Callable[[], Mapping[str, Any]]
    _on_change: Callable[[dict[str, Any], list[str]], None]
    _written: dict[str, Any]
    _removed: set[str]


_NOTHING = object()
