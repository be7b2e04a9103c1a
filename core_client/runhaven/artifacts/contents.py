"""What goes into an artifact while it is a draft."""

from __future__ import annotations

import contextlib
import os
import tempfile
from abc import ABC, abstractmethod
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven.artifacts import reference, storable
from runhaven.artifacts.manifest import Entry, Manifest
from runhaven.artifacts.names import check_path
from runhaven.artifacts.progress import Progress
from runhaven.artifacts.reference import Known
from runhaven.artifacts.storing import Storing
from runhaven.errors import StoreError, UsageError
from runhaven.store.blobs import Blobs

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from typing import IO

    from runhaven.artifacts.artifact import Artifact
    from runhaven.artifacts.resolving import Home


class Contents(ABC):
    """The part of `Artifact` that takes files in, as they are at that moment: the originals may change afterwards.

    Their bytes go to the store at once. What is never logged is waste there, which a collection of waste takes away.
    """

    def __init__(self) -> None:
        """Start without files."""
        self._entries: Manifest | None = Manifest()
        self._trouble: OSError | None = None
        self._kept_in: Path | None = None
        self._origins: dict[str, str] = {}

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called."""

    @property
    @abstractmethod
    def manifest(self) -> Manifest:
        """Its entries."""

    @property
    @abstractmethod
    def _as_artifact(self) -> Artifact:
        """Itself."""

    @abstractmethod
    def is_draft(self) -> bool:
        """Tell whether it can be added to."""

    @abstractmethod
    def _home(self) -> Home:
        """Return the store that it is kept in."""

    @abstractmethod
    def get_entry(self, name: str | os.PathLike[str]) -> Entry:
        """Return an entry."""

    # Adding

    def _draft(self) -> Manifest:
        if not self.is_draft():
            message = (
                f"artifact {self.name} was logged, and stays as it is. Use `draft = artifact.new_draft()` and log that."
            )
            raise UsageError(message)
        return self.manifest

    def _put(self, files: dict[str, Path], *, replaces: bool = False, notes_origin: bool = True) -> list[Entry]:
        """Keep files under their paths; a store that cannot be written is told when the artifact is logged."""
        manifest = self._draft()
        self._kept_in = self._kept_in or self._home().store
        sized = [(path, path.stat().st_size) for path in files.values()]
        progress = Progress(f"storing {self.name}", sum(size for _, size in sized))
        try:
            with progress:
                contents = Storing(Blobs(self._kept_in), progress).put_all(sized)
        except OSError as error:
            if error.filename is not None and str(error.filename) in map(str, files.values()):
                raise
            self._trouble = self._trouble or error
            return [Entry(path=path, digest="", owner=self._as_artifact) for path in files]
        found: list[Entry] = []
        for (path, source), content in zip(files.items(), contents, strict=True):
            entry = Entry(path=path, owner=self._as_artifact, **content._asdict())
            if notes_origin:
                entry.local_path = str(source.absolute())
                self._origins.setdefault(entry.local_path, path)
            found.append(manifest.add(entry, replaces=replaces))
        return found

    def add_file(
        self,
        local_path: str | os.PathLike[str],
        name: str | os.PathLike[str] | None = None,
        is_tmp: bool | None = False,
        skip_cache: bool | None = False,  # noqa: ARG002 - about W&B's cache
        policy: str | None = "mutable",  # noqa: ARG002 - what is kept is what is there now, either way
        overwrite: bool = False,
    ) -> Entry:
        """Add a file.

        Args:
            local_path: Where it lies.
            name: Its path in the artifact; by default its own name.
            is_tmp: Whether its name is made up, and shall be replaced by one that its content gives.
            skip_cache: Accepted for W&B's sake.
            policy: Accepted for W&B's sake.
            overwrite: Put it in the place of another file of that name.

        Returns:
            Its entry.

        Raises:
            UsageError: If there is no such file, its name cannot be used or is taken, or the artifact was logged.
        """
        source = Path(local_path)
        if not source.is_file():
            message = f"add_file({str(source)!r}): there is no such file. For a directory, use add_dir()."
            raise UsageError(message)
        path = check_path(name or source.name)
        (entry,) = self._put({path: source}, replaces=overwrite)
        if is_tmp:
            self.manifest.remove(path)
            folder, slash, last = path.rpartition("/")
            entry.path = f"{folder}{slash}{entry.digest[:20]}{'.' if '.' in last else ''}{last.partition('.')[2]}"
            self.manifest.add(entry)
        return entry

    def add_dir(
        self,
        local_path: str | os.PathLike[str],
        name: str | os.PathLike[str] | None = None,
        skip_cache: bool | None = False,  # noqa: ARG002 - about W&B's cache
        policy: str | None = "mutable",  # noqa: ARG002 - what is kept is what is there now, either way
        merge: bool = False,
    ) -> None:
        """Add all files below a directory; links are followed, and what is no file is left out.

        Args:
            local_path: The directory.
            name: The folder in the artifact that they go to; by default its root.
            skip_cache: Accepted for W&B's sake.
            policy: Accepted for W&B's sake.
            merge: Put files in the place of others with the same names.

        Raises:
            UsageError: If there is no such directory, a name cannot be used or is taken, or the artifact was logged.
        """
        source = Path(local_path)
        if not source.is_dir():
            message = f"add_dir({str(source)!r}): there is no such directory. For a file, use add_file()."
            raise UsageError(message)
        prefix = f"{check_path(name)}/" if name and os.fspath(name) not in {".", "./"} else ""
        files = {check_path(prefix + name): path for name, path in _walk(source)}
        self._put(files, replaces=merge)

    def add_reference(
        self,
        uri: Entry | str,
        name: str | os.PathLike[str] | None = None,
        checksum: bool = True,
        max_objects: int | None = None,
        *,
        etag: str | None = None,
        size: int | None = None,
    ) -> Sequence[Entry]:
        """Add a file that stays where it is.

        Args:
            uri: A file://, s3://, gs://, http:// or https:// URI; of a local directory, all files below it. Or an entry
                of another artifact, whose bytes then count as this one's too.
            name: Path in the artifact; by default the last part of the URI.
            checksum: Read local files, and ask the hosts of others for etag and size; without, the URI is all there is.
            max_objects: The most files that a directory may have.
            etag: What the host calls the content by, if that is known: then nobody is asked.
            size: Its bytes, if that is known.

        Returns:
            The entries.

        Raises:
            UsageError: If the URI cannot be used or the artifact was logged.
            NotFoundError: If a host cannot be asked.
            ImportError: If the package that asks it is missing.
        """
        manifest = self._draft()
        path = check_path(name) if name else None
        if isinstance(uri, Entry):
            made = [replace(uri, path=path or uri.path, extra=dict(uri.extra), local_path=None)]
        else:
            known = Known(etag, size)
            made = list(reference.make(str(uri), name=path, checksum=checksum, max_objects=max_objects, known=known))
        for entry in made:
            entry.owner = self._as_artifact
            manifest.add(entry)
        return made

    @contextlib.contextmanager
    def new_file(
        self,
        name: str | os.PathLike[str],
        mode: str = "x",
        encoding: str | None = None,
        policy: str = "mutable",  # noqa: ARG002 - W&B's argument
    ) -> Generator[IO[Any]]:
        """Open a new file to write to; it is added when it is closed, unless an exception comes by.

        Args:
            name: Its path in the artifact.
            mode: As for `open`: "x" for a file that must be new, "w" to replace one; "xb" and "wb" for bytes.
            encoding: As for `open`.
            policy: Accepted for W&B's sake.

        Raises:
            UsageError: If the name cannot be used or is taken, or the artifact was logged.
        """
        path, manifest = check_path(name), self._draft()
        if "x" in mode and path in manifest.entries:
            message = f"new_file({path!r}): the artifact has such a file already; pass mode='w' to write it anew."
            raise UsageError(message)
        with tempfile.TemporaryDirectory(prefix="runhaven-") as folder:
            file = Path(folder) / "new"
            with file.open(mode.replace("x", "w"), encoding=encoding) as opened:
                yield opened
            self._put({path: file}, replaces="w" in mode, notes_origin=False)

    def add(self, obj: object, name: str | os.PathLike[str], overwrite: bool = False) -> Entry:
        """Add an object: one of Runhaven's media, a `Table`, or any other that has a method `to_artifact`.

        Args:
            obj: The object.
            name: Its path in the artifact, without the suffix that its kind has.
            overwrite: Put it in the place of another of that name.

        Returns:
            The entry that stands for it.

        Raises:
            UsageError: If it cannot be kept, the name cannot be used or is taken, or the artifact was logged.
        """
        self._draft()
        files = storable.files_of(obj, check_path(name))
        with tempfile.TemporaryDirectory(prefix="runhaven-") as folder:
            sources: dict[str, Path] = {}
            for at, (path, content) in enumerate(files.items()):
                source = Path(folder) / str(at) if isinstance(content, bytes) else Path(content)
                if isinstance(content, bytes):
                    source.write_bytes(content)
                sources[check_path(path)] = source
            entry = self._put(sources, replaces=overwrite, notes_origin=False)[0]
        entry.extra["class"] = storable.class_name(obj)
        return entry

    def __setitem__(self, name: str, item: object) -> None:
        """Add an object."""
        self.add(item, name)

    def remove(self, item: str | os.PathLike[str] | Entry) -> None:
        """Remove a file, or a folder with all that is in it.

        Raises:
            NotFoundError: If there is neither.
            UsageError: If the artifact was logged.
        """
        self._draft().remove(item.path if isinstance(item, Entry) else check_path(item))

    def get_added_local_path_name(self, local_path: str) -> str | None:
        """Return the path in the artifact that a local file was added under; None if it was not."""
        return self._origins.get(str(Path(local_path).absolute()))

    # Objects

    def get(self, name: str) -> Any:
        """Return the object that was added under a name; None if there is none.

        Raises:
            StoreError: If it cannot be made again.
        """
        entries = self.manifest.entries
        named = [entries[name]] if name in entries else []
        # `add` lets an object choose its suffix, as in "examples.table.json".
        named += [entry for path, entry in entries.items() if path.startswith(f"{name}.") and "class" in entry.extra]
        objects = (storable.make(entry, self._as_artifact) for entry in named)
        return next((one for one in objects if one is not None), None)

    def __getitem__(self, name: str) -> Any:
        """Return an object."""
        return self.get(name)

    def check_trouble(self) -> None:
        """Raise what went wrong when files were added.

        Raises:
            StoreError: If something did.
        """
        if self._trouble is not None:
            message = f"artifact {self.name} was not kept: its files could not be stored ({self._trouble}). Free some space and log it again."
            raise StoreError(message) from self._trouble


def _walk(
    folder: Path, prefix: str = "", above: frozenset[tuple[int, int]] = frozenset()
) -> Iterator[tuple[str, Path]]:
    """Go through the files below a directory, in order, with their names from there; a link to a directory above is not followed round and round."""
    status = folder.stat()
    place = status.st_dev, status.st_ino
    if place in above:
        return
    with os.scandir(folder) as found:
        ordered = sorted(found, key=lambda one: one.name)
    for one in ordered:
        path = folder / one.name
        # Of a link that leads round in a circle the listing knows nothing.
        seen = path if one.is_symlink() else one
        if seen.is_dir():
            yield from _walk(path, f"{prefix}{one.name}/", above | {place})
        elif seen.is_file():
            yield prefix + one.name, path
