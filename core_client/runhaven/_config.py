"""The configuration of a run: what the user set, when it changed, and how it is kept."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from runhaven.errors import ConfigError, UsageError
from runhaven.value import family, to_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


class Config:
    """Configuration values by key or by attribute.

    Values are kept as the user gave them; the journal gets their JSON. A change in mid-run is accepted and kept in the
    run's change history, unless the settings are strict.
    """

    _values: dict[str, Any]
    _locked: dict[str, Any]

    def __init__(self, on_change: Callable[[dict[str, Any]], None] | None = None, *, is_strict: bool = False) -> None:
        """Start empty.

        Args:
            on_change: Called with the keys that changed and their new values.
            is_strict: Refuse to change a value once it is set, as W&B does.
        """
        object.__setattr__(self, "_values", {})
        object.__setattr__(self, "_locked", {})
        object.__setattr__(self, "_on_change", on_change)
        object.__setattr__(self, "_is_strict", is_strict)

    def update(self, d: object = None, allow_val_change: bool | None = None, **values: Any) -> None:
        """Set many values.

        Args:
            d: A dict, Namespace, dataclass, absl flags, OmegaConf container, or the path of a YAML or JSON file.
            allow_val_change: False refuses to change a value that is set; True allows it in strict mode too.
            **values: More values.

        Raises:
            ConfigError: If a value would change and must not.
            UsageError: If `d` holds no keys and values.
        """
        self._set(to_mapping(d) | values, allow_val_change)

    def setdefaults(self, d: object) -> None:
        """Set the values whose keys are not set yet."""
        self._set({key: value for key, value in to_mapping(d).items() if key not in self._values}, None)

    def update_locked(self, d: Mapping[str, Any]) -> None:
        """Set values that later updates leave alone, such as a sweep's."""
        self._locked.clear()
        self._set(dict(d), True)  # noqa: FBT003 - W&B's argument
        self._locked.update(d)

    def recall(self, values: Mapping[str, Any]) -> None:
        """Take over values that are kept already."""
        self._values.update(values)

    def as_dict(self) -> dict[str, Any]:
        """Return a copy of all keys and values."""
        return dict(self._values)

    def persist(self) -> None:
        """Do nothing: every change is kept as it happens. W&B has this method."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if the key is not set."""
        return self._values.get(key, default)

    def keys(self) -> Iterable[str]:
        """Return the keys."""
        return self._values.keys()

    def values(self) -> Iterable[Any]:
        """Return the values."""
        return self._values.values()

    def items(self) -> Iterable[tuple[str, Any]]:
        """Return keys and values."""
        return self._values.items()

    def __getitem__(self, key: str) -> Any:
        """Return a value; KeyError if the key is not set."""
        return self._values[key]

    def __setitem__(self, key: str, value: object) -> None:
        """Set a value."""
        self._set({key: value}, None)

    def __getattr__(self, key: str) -> Any:
        """Return a value; AttributeError if the key is not set."""
        if key.startswith("__"):
            raise AttributeError(key)
        try:
            return self._values[key]
        except KeyError:
            message = f"config has no key {key!r}; it has {sorted(map(str, self._values))}."
            raise AttributeError(message) from None

    def __setattr__(self, key: str, value: object) -> None:
        """Set a value."""
        self._set({key: value}, None)

    def __contains__(self, key: object) -> bool:
        """Tell whether a key is set."""
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys."""
        return iter(self._values)

    def __len__(self) -> int:
        """Count the keys."""
        return len(self._values)

    def __repr__(self) -> str:
        """Show the values."""
        return repr(self._values)

    def _set(self, values: Mapping[Any, Any], allow_change: bool | None) -> None:
        changed = {str(key): value for key, value in values.items() if str(key) not in self._locked}
        is_refused = allow_change is False or (self._is_strict and not allow_change)
        for key, value in changed.items() if is_refused else ():
            if key in self._values and to_json(self._values[key]) != to_json(value):
                message = (
                    f"config[{key!r}] is {self._values[key]!r} and must not change to {value!r} "
                    "in strict mode; pass allow_val_change=True if it is meant."
                )
                raise ConfigError(message)
        self._values.update(changed)
        if changed and self._on_change:
            self._on_change(changed)

    _is_strict: bool
    _on_change: Callable[[dict[str, Any]], None] | None


def to_mapping(source: object) -> dict[str, Any]:
    """Return the keys and values of anything that a configuration may be given as.

    Raises:
        UsageError: If it has none.
    """
    if source is None:
        return {}
    if isinstance(source, Config):
        return source.as_dict()
    if isinstance(source, Mapping) and family(cast("object", source)) == "other":
        return {str(key): value for key, value in cast("Mapping[Any, Any]", source).items()}
    if isinstance(source, str | os.PathLike):
        return _read_file(Path(cast("str", source)))
    shown = _values_of(source)
    if isinstance(shown, dict) and "_type" not in shown:
        return {str(key): value for key, value in cast("dict[Any, Any]", shown).items()}
    message = (
        f"config={source!r} has no keys and values; pass a dict, a Namespace, a dataclass, "
        "an OmegaConf config or the path of a YAML file."
    )
    raise UsageError(message)


def _values_of(source: Any) -> object:
    return cast("object", vars(source)) if type(source).__name__ == "Namespace" else to_json(source)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        message = f"config={str(path)!r} cannot be read: {error.strerror}. Pass a dict, or the path of a YAML file."
        raise UsageError(message) from error
    data = _parse(path, text)
    if not isinstance(data, dict):
        message = f"config={str(path)!r} holds no keys and values at its top level."
        raise UsageError(message)
    values = cast("dict[str, Any]", data)
    values.pop("wandb_version", None)
    # W&B writes each value as {desc: ..., value: ...}.
    if values and all(isinstance(item, dict) and "value" in item for item in values.values()):
        return {str(key): item["value"] for key, item in values.items()}
    return {str(key): value for key, value in values.items()}


def _parse(path: Path, text: str) -> object:
    if path.suffix == ".json":
        import json

        return json.loads(text)
    from runhaven.missing import require

    yaml = require("yaml", feature="config from a YAML file", package="pyyaml")
    return yaml.safe_load(text)


def select(values: Mapping[str, Any], include: Iterable[str] | None, exclude: Iterable[str] | None) -> dict[str, Any]:
    """Return the values that `init(config_include_keys=, config_exclude_keys=)` leaves.

    Raises:
        UsageError: If both are given.
    """
    if include and exclude:
        message = "config_include_keys and config_exclude_keys exclude each other; pass one of them."
        raise UsageError(message)
    if include:
        return {key: values[key] for key in include if key in values}
    left_out = set(exclude or ())
    return {key: value for key, value in values.items() if key not in left_out}
