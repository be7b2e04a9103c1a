"""What comes out of an artifact: entries, files, folders, and whether they are what was logged."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from runhaven.artifacts.checking import check_folder, check_store
from runhaven.artifacts.facts import Facts
from runhaven.artifacts.fetching import Fetching
from runhaven.artifacts.names import check_path
from runhaven.artifacts.progress import Progress
from runhaven.artifacts.reading import open_blobs
from runhaven.artifacts.reference import path_of
from runhaven.errors import NotFoundError, StoreError, UsageError
from runhaven.store.blobs import Blobs

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from runhaven.artifacts.manifest import Entry


class Bringing(Facts):
    """The part of `Artifact` that hands out its files."""

    def get_entry(self, name: str | os.PathLike[str]) -> Entry:
        """Return an entry.

        Raises:
            NotFoundError: If there is none.
        """
        path = check_path(name)
        if path not in self.manifest.entries:
            near = get_close_matches(path, self.manifest.entries, n=3) or list(self.manifest.entries)[:10]
            message = f"artifact {self.name} has no file {path!r}; it has {', '.join(map(repr, near)) or 'none'}."
            raise NotFoundError(message)
        return self.manifest.entries[path]

    def get_path(self, name: str | os.PathLike[str]) -> Entry:
        """Return an entry; W&B's old name for `get_entry`."""
        return self.get_entry(name)

    @property
    def _blobs(self) -> Blobs:
        return Blobs(self._collection.store if self._collection else self._kept_in or self._home().store)

    def open_entry(self, entry: Entry) -> BinaryIO:
        """Open a file where its bytes lie; see `Entry.open`."""
        if entry.ref is None:
            return open_blobs(self._blobs, entry)
        if not entry.ref.startswith("file:"):
            message = f"{entry.path!r} lies at {entry.ref}, which is not read from afar; use download()."
            raise UsageError(message)
        return path_of(entry.ref).open("rb")

    def _folder(self, root: str | os.PathLike[str] | None) -> Path:
        if root is not None:
            return Path(root)
        base = os.environ.get("RUNHAVEN_ARTIFACT_DIR") or "artifacts"
        return Path(base) / (self.name.replace(":", "-") if os.name == "nt" else self.name)

    def download_entry(self, entry: Entry, root: str | os.PathLike[str] | None) -> str:
        """Bring one file; see `Entry.download`."""
        folder = self._folder(root)
        folder.mkdir(parents=True, exist_ok=True)
        return str(Fetching(self._blobs, folder).fetch(entry))

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        skip_cache: bool | None = None,  # noqa: ARG002 - W&B's argument
        path_prefix: str | os.PathLike[str] | None = None,
        multipart: bool | None = None,  # noqa: ARG002 - W&B's argument
        *,
        hard_links: bool = False,
    ) -> str:
        """Bring its files into a folder, each checked; files there that are right already stay.

        Args:
            root: The folder; by default `artifacts/<name>:<version>`.
            allow_missing_references: Leave out references that lead nowhere any more.
            skip_cache: Accepted for W&B's sake.
            path_prefix: Only the files whose path begins so.
            multipart: Accepted for W&B's sake.
            hard_links: Do not copy small files but link them to the store, read-only, where that is possible.

        Returns:
            The folder.

        Raises:
            UsageError: If it was not logged, or a name would lead out of the folder.
            StoreError: If bytes are missing or damaged.
            NotFoundError: If a reference leads nowhere any more.
        """
        self._logged("files to download")
        folder, prefix = self._folder(root), os.fspath(path_prefix or "")
        folder.mkdir(parents=True, exist_ok=True)
        entries = [entry for path, entry in self.manifest.entries.items() if path.startswith(prefix)]
        with Progress(f"downloading {self.name}", sum(entry.size or 0 for entry in entries)) as progress:
            fetching = Fetching(self._blobs, folder, hard_links=hard_links, progress=progress)
            fetching.fetch_all(entries, allow_missing_references=allow_missing_references)
        return str(folder)

    def checkout(self, root: str | None = None) -> str:
        """Make a folder hold its files and nothing else, and return the folder.

        Raises:
            UsageError: If it was not logged, or a name would lead out of the folder.
            StoreError: If bytes are missing or damaged.
        """
        folder = self._folder(root)
        self.download(folder)
        for place, _, names in os.walk(folder):
            for path in (Path(place) / name for name in names):
                if path.relative_to(folder).as_posix() not in self.manifest.entries:
                    path.unlink()
        return str(folder)

    def verify(self, root: str | None = None) -> None:
        """Compare a folder that it was downloaded to with what was logged; without one, the store's own bytes.

        Raises:
            StoreError: If a file is missing, has changed, or is none of its.
        """
        self._logged("content to compare with")
        default = self._folder(None)
        folder = Path(root) if root else default if default.is_dir() else None
        faults = check_store(self.manifest, self._blobs)
        faults += check_folder(self.manifest, folder) if folder else []
        if faults:
            listed = "\n".join(f"  {fault.path}: {fault.reason}" for fault in faults[:20])
            message = f"{self.qualified_name} is not what was logged; {len(faults)} files are wrong:\n{listed}\nDownload it again, or log it again where the store is damaged."
            raise StoreError(message)

    def file(self, root: str | None = None) -> str:
        """Bring its only file and return where it lies.

        Raises:
            UsageError: If it has none, or several.
        """
        entries = list(self.manifest.entries.values())
        if len(entries) != 1:
            message = f"artifact {self.name} has {len(entries)} files; use download(), or get_entry(name).download()."
            raise UsageError(message)
        return self.download_entry(entries[0], root)

    def files(self, names: Sequence[str] | None = None, per_page: int = 50, start: str | None = None) -> list[Entry]:  # noqa: ARG002 - W&B's arguments
        """Return its entries, all or those with some names."""
        return [entry for path, entry in self.manifest.entries.items() if not names or path in names]
