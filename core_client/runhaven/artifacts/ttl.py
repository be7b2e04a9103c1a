"""How long a version shall be kept."""

from __future__ import annotations

from enum import Enum


class ArtifactTTL(Enum):
    """W&B's word for "as long as the collection says"."""

    INHERIT = 0
