"""Turns whatever a user logs or configures into cells and JSON, never with an exception.

A type of another library is known by the name and module of its classes, so that nothing is imported for it.
"""

from __future__ import annotations

import datetime as dt
import enum
import math
import os
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, cast

from runhaven.journal.layout import encode_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from runhaven.journal.record import CellType

Word = TypeVar("Word")
JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
Family: TypeAlias = Literal["torch", "numpy", "numpy scalar", "jax", "omegaconf", "flags", "dtype", "other"]

_INT64 = range(-(2**63), 2**63)
_MAX_DEPTH = 24
_TREES = frozenset({dict, list})
_MAX_REPR = 1000
_MAX_LIST = 256
_FAMILIES: dict[tuple[str, str], Family] = {
    ("torch", "Tensor"): "torch",
    ("numpy", "ndarray"): "numpy",
    ("numpy", "generic"): "numpy scalar",
    ("numpy", "dtype"): "dtype",
    ("torch", "dtype"): "dtype",
    ("jax", "Array"): "jax",
    ("jaxlib", "ArrayImpl"): "jax",
    ("omegaconf", "Container"): "omegaconf",
    ("absl", "FlagValues"): "flags",
}


def family(value: object) -> Family:
    """Return which library a value comes from."""
    return family_of(type(value))


@lru_cache(maxsize=1024)
def family_of(kind: type) -> Family:
    """Return which library a class comes from."""
    return known_as(kind, _FAMILIES) or "other"


def known_as(kind: type, names: Mapping[tuple[str, str], Word]) -> Word | None:
    """Return what a class is called, by its library and name or those of a base; nothing is imported for it."""
    places = ((base.__module__.partition(".")[0], base.__name__) for base in kind.__mro__)
    return next((names[place] for place in places if place in names), None)


def flatten(data: Mapping[Any, Any], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield key and value of each leaf; keys of nested dicts join with "."."""
    for key, value in data.items():
        # Without a prefix this is the key itself, whose hash is known.
        name = f"{prefix}{key}" if prefix else f"{key}"
        if isinstance(value, dict) and value and depth < _MAX_DEPTH:
            yield from flatten(cast("dict[Any, Any]", value), f"{name}.", depth + 1)
        else:
            yield name, value


def to_cell(value: object) -> tuple[CellType, Any]:
    """Return a value's cell type and the cell as a row carries it.

    A 0-dimensional array or tensor in host memory becomes the Python number it holds, exactly for integers; what has no
    cell type of its own becomes JSON.
    """
    kind = type(value)
    if kind is float:
        return "f", value
    if isinstance(value, str):
        return "s", value.encode("utf-8", "surrogatepass")
    number = to_number(value)
    if isinstance(number, bool):
        return "b", number
    if isinstance(number, float):
        return "f", number
    is_small = isinstance(number, int) and number in _INT64
    return ("i", number) if is_small else ("j", encode_json(to_json(value)))


def to_number(value: object) -> bool | int | float | None:
    """Return the Python number that a value is or holds in host memory; None if it is or holds none.

    A number on a device is not read: that would wait for the device.
    """
    return _number_reader(type(value))(value)


@lru_cache(maxsize=1024)
def _number_reader(kind: type[Any]) -> Callable[[Any], bool | int | float | None]:
    """Choose, once for each class, how its objects give a number."""
    if issubclass(kind, enum.Enum):
        return _no_number
    if kind in (bool, int, float):
        return _itself
    if issubclass(kind, int):
        return int
    if issubclass(kind, float):
        return float
    group = family_of(kind)
    if group == "numpy scalar":
        return _item
    return _array_item if group in ("torch", "numpy", "jax") else _no_number


def _no_number(_: object) -> None:
    return None


def _itself(value: Any) -> Any:
    return value


def _array_item(value: Any) -> bool | int | float | None:
    try:
        is_scalar = value.ndim == 0 or (value.ndim == 1 and value.shape[0] == 1)
        is_away = family(value) == "torch" and value.device.type != "cpu"
    except (AttributeError, TypeError):
        return None
    return _item(value) if is_scalar and not is_away else None


def _item(value: Any) -> bool | int | float | None:
    try:
        number = value.item()
    except Exception:  # noqa: BLE001 - another library's array may fail in any way: it then counts as no number
        return None
    if isinstance(number, bool | int | float):
        return number
    try:
        return float(number) if "float" in str(value.dtype) else None
    except (TypeError, ValueError):
        return None


def to_json(value: object, depth: int = 0) -> JsonValue:
    """Return a value as JSON: itself where JSON has it, its natural form where there is one, else a typed repr.

    Non-finite floats become `{"_type": "float", "value": "nan" | "inf" | "-inf"}`, which `from_json` turns back.
    """
    try:
        return _to_json(value, depth)
    except Exception:  # noqa: BLE001 - a user's object may fail in any way; it must not fail the training
        return _typed_repr(value)


def _to_json(value: Any, depth: int) -> JsonValue:
    if value is None or isinstance(value, bool | str):
        return value if not isinstance(value, enum.Enum) else _to_json(value.value, depth)
    if isinstance(value, enum.Enum):
        return _to_json(value.value, depth) if isinstance(value.value, bool | int | float | str) else value.name
    number = to_number(value)
    if number is not None:
        return number if isinstance(number, int) or math.isfinite(number) else {"_type": "float", "value": str(number)}
    if depth > _MAX_DEPTH:
        return _typed_repr(value)
    for types, convert in _CONVERTERS:
        if isinstance(value, types):
            return convert(value, depth)
    return _from_library(value, depth)


def _mapping(value: Any, depth: int) -> JsonValue:
    return {str(key): to_json(item, depth + 1) for key, item in value.items()}


def _sequence(value: Iterable[Any], depth: int) -> JsonValue:
    return [to_json(item, depth + 1) for item in value]


def _set(value: Iterable[Any], depth: int) -> JsonValue:
    return sorted((to_json(item, depth + 1) for item in value), key=str)


_CONVERTERS: tuple[tuple[tuple[type, ...], Callable[[Any, int], JsonValue]], ...] = (
    ((dict,), _mapping),
    ((list, tuple, range), _sequence),
    ((set, frozenset), _set),
    ((os.PathLike,), lambda value, _: os.fsdecode(value)),
    ((dt.date, dt.time), lambda value, _: value.isoformat()),
    ((type,), lambda value, _: f"{value.__module__}.{value.__qualname__}"),
)


def _from_library(value: Any, depth: int) -> JsonValue:
    """Return the JSON of what only its looks tell: a value of another library, or a user's own object."""
    kind: type = value.__class__
    convert = _BY_FAMILY.get(family(value))
    if convert is not None:
        return convert(value, depth)
    if (fields := getattr(kind, "__dataclass_fields__", None)) is not None:
        return {name: to_json(getattr(value, name, None), depth + 1) for name in fields}
    if (name := getattr(value, "__qualname__", None)) is not None:
        return f"{value.__module__}.{name}"
    if kind.__name__ == "Namespace":
        return _mapping(vars(value), depth)
    return _mapping(value, depth) if hasattr(kind, "items") and hasattr(kind, "keys") else _typed_repr(value)


def _omegaconf(value: Any) -> object:
    from omegaconf import OmegaConf

    try:
        return OmegaConf.to_container(value, resolve=True)
    except Exception:  # noqa: BLE001 - an interpolation that leads nowhere is the user's to see, unresolved
        return OmegaConf.to_container(value, resolve=False)


def _array(value: Any, depth: int) -> JsonValue:
    shape = [int(size) for size in value.shape]
    is_on_host = str(getattr(value, "device", "cpu")).startswith("cpu") or family(value) != "torch"
    if math.prod(shape) <= _MAX_LIST and is_on_host:
        return to_json(value.tolist(), depth + 1)
    kind: type = value.__class__
    module = kind.__module__.partition(".")[0]
    return {"_type": "array", "class": f"{module}.{kind.__name__}", "shape": shape, "dtype": str(value.dtype)}


_BY_FAMILY: dict[Family, Callable[[Any, int], JsonValue]] = {
    "dtype": lambda value, _: str(value),
    "omegaconf": lambda value, depth: to_json(_omegaconf(value), depth),
    "flags": lambda value, depth: _mapping(value.flag_values_dict(), depth),
    "torch": _array,
    "numpy": _array,
    "jax": _array,
}


def _typed_repr(value: object) -> JsonValue:
    kind = type(value)
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a repr may fail in any way
        text = f"<{kind.__name__} without a repr>"
    return {"_type": "repr", "class": f"{kind.__module__}.{kind.__qualname__}", "value": text[:_MAX_REPR]}


def from_json(value: Any) -> Any:
    """Undo what `to_json` did to non-finite floats."""
    if isinstance(value, list):
        return [from_json(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        tree = cast("dict[str, Any]", value)
        if tree.get("_type") == "float" and set(tree) == {"_type", "value"}:
            return float(tree["value"])
        # Most values are plain: a call for each would cost more than all the rest.
        return {key: from_json(item) if type(item) in _TREES else item for key, item in tree.items()}
    return value
