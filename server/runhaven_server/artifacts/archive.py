"""All files of a version as one ZIP, made while it is sent."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from runhaven_server.artifacts.serving import BLOCK
from runhaven_server.values import legible

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from runhaven.artifacts.artifact import Artifact
    from runhaven.artifacts.manifest import Entry

_MODE = 0o644 << 16
_EARLIEST = (1980, 1, 1, 0, 0, 0)


class _Outbox(io.RawIOBase):
    """Holds what was written until it is taken; cannot seek, so that the archive needs no way back."""

    def __init__(self) -> None:
        super().__init__()
        self._blocks: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        self._blocks.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken, self._blocks = b"".join(self._blocks), []
        return taken


def stream(artifact: Artifact, entries: Sequence[Entry]) -> Iterator[bytes]:
    """Return the bytes of a ZIP of all files, block by block; those that lie elsewhere are left out.

    Nothing is compressed: weights and pictures would not become smaller, and the copying would wait for it.

    Raises:
        StoreError: If bytes are lost; before the first block, for an archive that ends early looks like a bad network.
    """
    here = [entry for entry in entries if entry.ref is None]
    for entry in here:
        artifact.open_entry(entry).close()
    return _pack(artifact, here)


def _pack(artifact: Artifact, entries: Sequence[Entry]) -> Iterator[bytes]:
    stamp = max(time.localtime(artifact.created / 1e6)[:6], _EARLIEST)
    outbox = _Outbox()
    with ZipFile(outbox, "w", ZIP_STORED) as archive:
        for entry in entries:
            info = ZipInfo(legible(entry.path), stamp)
            info.external_attr, info.file_size = _MODE, entry.size or 0
            with artifact.open_entry(entry) as source, archive.open(info, "w") as target:
                while block := source.read(BLOCK):
                    target.write(block)
                    yield outbox.take()
    yield outbox.take()
