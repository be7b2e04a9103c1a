"""Small JSON files that say when a bit of them has changed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, cast

from runhaven.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT = 1


def to_bytes(data: Mapping[str, Any]) -> bytes:
    """Return an object as JSON, with its format and a checksum of all else."""
    whole = {"format": FORMAT, **data}
    return json.dumps({**whole, "sha256": _checksum(whole)}).encode()


def read(path: Path) -> dict[str, Any]:
    """Return the object of a file that `to_bytes` made.

    Raises:
        StoreError: If it cannot be read, is damaged, or of a newer format.
    """
    try:
        data = parse(path.read_bytes())
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {error}."
        raise StoreError(message) from error
    if data["format"] > FORMAT:
        message = f"{path} has format {data['format']}, newer than {FORMAT}. Upgrade runhaven."
        raise StoreError(message)
    return data


def parse(text: bytes) -> dict[str, Any]:
    """Return the object that a text made by `to_bytes` holds.

    Raises:
        ValueError: If it holds none, or is not what was written.
    """
    found = json.loads(text)
    if not isinstance(found, dict):
        message = "it holds no object"
        raise ValueError(message)  # noqa: TRY004 - the text is wrong, not its type
    data = cast("dict[str, Any]", found)
    said = data.pop("sha256", None)
    if said != _checksum(data) or not isinstance(data.get("format"), int):
        message = "it is damaged: its checksum does not hold"
        raise ValueError(message)
    return data


def _checksum(data: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()
