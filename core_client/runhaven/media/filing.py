"""Media as files of an artifact, and back."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runhaven.errors import UsageError
from runhaven.media.scrub import Scrub, Scrubbing
from runhaven.settings import resolve

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from runhaven.media.kind import Media, Reference


class Artifact(Protocol):
    """What media come back from."""

    @property
    def manifest(self) -> Any:
        """Its entries, by path."""
        ...

    def get_entry(self, name: str) -> Any:
        """Return an entry, which can be opened."""
        ...


class Folder(Scrubbing):
    """Collects bytes as files below the folder `media`, each named by its content."""

    def __init__(self, scrub: Scrub | None) -> None:
        """Start empty."""
        super().__init__(scrub)
        self.files: dict[str, bytes | os.PathLike[str]] = {}

    def put(self, data: bytes, format: str) -> Reference:  # noqa: A002 - the word of the reference
        """Keep some bytes."""
        return self._name(data, hashlib.sha256(data).hexdigest(), len(data), format)

    def put_file(self, path: Path, format: str) -> Reference:  # noqa: A002 - the word of the reference
        """Keep the bytes of a file."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            return self._name(path, digest, file.tell(), format)

    def _name(self, content: bytes | Path, digest: str, size: int, ending: str) -> Reference:
        path = f"{stem_of(digest)}.{ending}"
        self.files[path] = content
        return {"path": path, "sha256": digest, "size": size, "format": ending}


def stem_of(sha256: str) -> str:
    """Return where the bytes with a hash lie in an artifact, but for what stands behind the dot."""
    return f"media/{sha256[:20]}"


def files_of(media: Media, name: str) -> dict[str, bytes | os.PathLike[str]]:
    """Return the files that a value consists of: its JSON first, then what that refers to.

    Raises:
        UsageError: If it cannot be kept.
    """
    run = _current_run()
    wanted = (run.settings if run is not None else resolve()).x_scrub_images
    folder = Folder(None if wanted is None else Scrub(wanted))
    try:
        media.verify()
        content = media.file(folder)
    except Exception as error:
        message = f"add(): the {type(media).__name__} {name!r} cannot be kept: {error}"
        raise UsageError(message) from error
    receipt = folder.receipt([name])
    if run is not None and receipt is not None:
        run.emit(receipt)
    ending = f".{media.file_suffix or media.type_name}.json"
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")
    return {name.removesuffix(ending) + ending: text, **folder.files}


def _current_run() -> Any:
    # Media know no run: what a project requires of pictures stands in the settings of the process's own.
    session = sys.modules.get("runhaven.session")
    return session.current() if session else None


class StoredFile:
    """The path of an artifact's file, which is copied to the disk when somebody asks for it."""

    def __init__(self, artifact: Artifact, path: str) -> None:
        """Name a file."""
        self._artifact = artifact
        self._path = path
        self._copy: Path | None = None

    def __fspath__(self) -> str:
        """Return where a copy lies, until the process ends."""
        if self._copy is None:
            self._copy = Path(tempfile.mkdtemp(dir=_copies()), Path(self._path).name)
            with self._artifact.get_entry(self._path).open() as file, self._copy.open("wb") as copy:
                shutil.copyfileobj(file, copy)
        return str(self._copy)


_folder: list[tempfile.TemporaryDirectory[str]] = []


def _copies() -> str:
    if not _folder:
        _folder.append(tempfile.TemporaryDirectory(prefix="runhaven-media-"))
    return _folder[0].name


def read(artifact: Artifact, path: str) -> bytes:
    """Return the bytes of an artifact's file."""
    with artifact.get_entry(path).open() as file:
        return file.read()


def read_json(artifact: Artifact, reference: Mapping[str, Any]) -> Any:
    """Return the JSON that a reference stands for."""
    return json.loads(read(artifact, reference["path"]).decode("utf-8", "surrogatepass"))
