"""What the versions of a collection hold, in one file: a summary of their claims, so that a new version need not read them all.

It is derived and may lag behind. Since the digest of a claim never changes, it is never wrong about those that it names.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from runhaven.artifacts import note
from runhaven.errors import StoreError
from runhaven.platform.files import replace_atomically

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_NAME = "digests.json"
LAG = 32
"""So many claims may be missing in it before it is written anew."""


def read_digests(collection: Path) -> dict[int, str]:
    """Return the digests of a collection's versions by number, as far as somebody summed them up."""
    with contextlib.suppress(StoreError, AttributeError, LookupError, ValueError):
        return {int(number): str(digest) for number, digest in note.read(collection / _NAME)["digests"].items()}
    return {}


def keep_digests(collection: Path, digests: Mapping[int, str]) -> None:
    """Sum up; where that cannot be written, claims are read one by one as before."""
    with contextlib.suppress(OSError):
        replace_atomically(
            collection / _NAME, note.to_bytes({"digests": {str(number): digest for number, digest in digests.items()}})
        )
