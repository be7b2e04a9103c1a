"""Objects in artifacts: what an object does to be kept in one and to come back.

An object that can be added has a method

    def to_artifact(self, name: str) -> Mapping[str, bytes | os.PathLike[str]]

which returns the files that it consists of, by their paths in the artifact, the first of which stands for the object; and its
class, which must be one of Runhaven's own to come back, has a class method

    def from_artifact(cls, name: str, artifact: Artifact) -> Self

which makes an equal object, given the path of that first file and the artifact that it lies in.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, cast, runtime_checkable

from runhaven.errors import StoreError, UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping

    from runhaven.artifacts.artifact import Artifact
    from runhaven.artifacts.manifest import Entry


@runtime_checkable
class Storable(Protocol):
    """An object that can be kept in an artifact."""

    def to_artifact(self, name: str) -> Mapping[str, bytes | os.PathLike[str]]:
        """Return its files by their paths, the one that stands for it first."""
        ...


def files_of(obj: object, name: str) -> dict[str, bytes | os.PathLike[str]]:
    """Return the files of an object.

    Raises:
        UsageError: If it is no object that can be kept.
    """
    if not isinstance(obj, Storable):
        message = (
            f"add(): a {type(obj).__name__} cannot be kept in an artifact, for it has no method to_artifact(). Add one of "
            "Runhaven's media or a Table, or write it to a file and use add_file()."
        )
        raise UsageError(message)
    found = dict(obj.to_artifact(name))
    if not found:
        message = f"add(): the {type(obj).__name__} gave no files."
        raise UsageError(message)
    return found


def class_name(obj: object) -> str:
    """Return what an entry notes of the class of an object."""
    return f"{type(obj).__module__}:{type(obj).__qualname__}"


def make(entry: Entry, artifact: Artifact) -> Any:
    """Return the object that an entry stands for; None if it is a mere file.

    Raises:
        StoreError: If its class is not there, or is none of Runhaven's: a manifest must not name code to run.
    """
    named = entry.extra.get("class")
    if named is None:
        return None
    module, _, name = str(named).partition(":")
    kind: Any = None
    if module.split(".")[0] == "runhaven" and name.isidentifier():
        try:
            kind = getattr(importlib.import_module(module), name, None)
        except ImportError:
            kind = None
    load = cast("Callable[[str, Artifact], Any] | None", getattr(kind, "from_artifact", None))
    if not isinstance(kind, type) or load is None:
        message = f"{entry.path!r} holds a {named}, which this version cannot make. Read the file with get_entry({entry.path!r}).open()."
        raise StoreError(message)
    return load(entry.path, artifact)
