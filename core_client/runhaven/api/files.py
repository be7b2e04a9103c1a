"""The files that were saved into a run."""

from __future__ import annotations

import difflib
import os
import secrets
import shutil
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, TextIO, overload

from runhaven.errors import NotFoundError, StoreError, UsageError
from runhaven.platform.files import copy_file
from runhaven.store.ids import new_ulid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runhaven.store.layout import RunDirectory


class File:
    """A file of a run.

    Attributes:
        name: Its path below the run's files, with "/" between the parts.
    """

    def __init__(self, folder: RunFolder, name: str) -> None:
        """Name a file."""
        self.name = name
        self._folder = folder

    @property
    def path(self) -> Path:
        """Where it lies."""
        return self._folder.path_of(self.name)

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self.path.stat().st_size

    @property
    def path_uri(self) -> str:
        """Where it lies, as a URI."""
        return self.path.as_uri()

    def download(
        self,
        root: str | os.PathLike[str] = ".",
        replace: bool = False,
        exist_ok: bool = False,
        api: object = None,  # noqa: ARG002 - W&B's argument; the file knows where it lies
    ) -> TextIO:
        """Copy the file to below a directory, and open the copy as text.

        Args:
            root: The directory.
            replace: Write over a file that is there.
            exist_ok: Take a file that is there for the copy.
            api: Accepted for W&B's sake.

        Raises:
            UsageError: If there is a file, and neither `replace` nor `exist_ok` is given.
        """
        target = Path(root) / self.name
        if target.exists() and not replace:
            if not exist_ok:
                message = f"{target} exists; pass replace=True to write over it, or exist_ok=True to keep it."
                raise UsageError(message)
            return target.open(encoding="utf-8")
        _put(self.path, target)
        return target.open(encoding="utf-8")

    def delete(self) -> None:
        """Take the file away from the run; it is kept in the run's directory `removed/`.

        Raises:
            StoreError: If the run cannot be written.
        """
        self._folder.remove(self.name)

    def __repr__(self) -> str:
        """Show the name."""
        return f"<File {self.name}>"


class Files(Sequence[File]):
    """Files of a run, sorted by name."""

    def __init__(self, files: Iterable[File]) -> None:
        """Hold the files."""
        self._files = list(files)

    @overload
    def __getitem__(self, index: int) -> File: ...
    @overload
    def __getitem__(self, index: slice) -> Files: ...
    def __getitem__(self, index: int | slice) -> File | Files:
        """Return one file, or some."""
        return Files(self._files[index]) if isinstance(index, slice) else self._files[index]

    def __len__(self) -> int:
        """Count the files."""
        return len(self._files)

    def __repr__(self) -> str:
        """Show how many there are."""
        return f"<Files {len(self)}>"


class RunFolder:
    """The directory of a run's files. No name leads out of it, neither by ".." nor by a link."""

    def __init__(self, run: RunDirectory, note: Callable[[dict[str, Any]], None]) -> None:
        """Name a run.

        Args:
            run: Where it lies.
            note: Keeps an event that says what was changed.
        """
        self._run = run
        self._note = note

    def path_of(self, name: str) -> Path:
        """Return where a name leads.

        Raises:
            UsageError: If it leads out of the run's files.
        """
        base = self._run.files
        parts = PurePosixPath(name).parts
        path = base.joinpath(*parts)
        is_inside = (
            bool(parts) and not path.is_symlink() and ".." not in parts and "\\" not in name and "\0" not in name
        )
        if not is_inside or not path.resolve().is_relative_to(base.resolve()) or path.resolve() == base.resolve():
            message = f"the name {name!r} leads out of the run's files; give one such as 'model/weights.bin'."
            raise UsageError(message)
        return path

    def files(self, names: Sequence[str] | None, pattern: str | None) -> Files:
        """List files; see `Run.files`."""
        if names and pattern:
            message = "files(names=, pattern=): pass one of the two."
            raise UsageError(message)
        return Files(
            File(self, name)
            for name in sorted(self._names())
            if (not names or name in names) and (not pattern or _matches(name, pattern))
        )

    def file(self, name: str) -> File:
        """Return one file; see `Run.file`."""
        if not self.path_of(name).is_file():
            known = sorted(self._names())
            near = difflib.get_close_matches(name, known, n=3) or known[:10]
            message = f"the run has no file {name!r}; it has {', '.join(map(repr, near)) or 'none'}."
            raise NotFoundError(message)
        return File(self, PurePosixPath(name).as_posix())

    def upload(self, path: str | os.PathLike[str], root: str | os.PathLike[str]) -> File:
        """Copy a file into the run; see `Run.upload_file`."""
        source = Path(path).absolute()
        try:
            name = Path(os.path.normpath(source)).relative_to(os.path.normpath(Path(root).absolute())).as_posix()
        except ValueError as error:
            message = f"upload_file(): {source} lies outside root={root}; pass a directory above it."
            raise UsageError(message) from error
        if not source.is_file():
            message = f"upload_file(): there is no file {source}."
            raise UsageError(message)
        target = self.path_of(name)
        try:
            replaced = self._set_aside(name) if target.exists() else None
            _put(source, target)
        except OSError as error:
            raise self._cannot(error) from error
        event = {"event": "file", "name": name, "bytes": target.stat().st_size, "policy": "now"}
        self._note(event | ({"replaced": replaced} if replaced else {}))
        return File(self, name)

    def remove(self, name: str) -> None:
        """Set a file aside; see `File.delete`."""
        try:
            kept = self._set_aside(name)
        except OSError as error:
            raise self._cannot(error) from error
        self._note({"event": "file_removed", "name": name, "kept": kept})

    def _set_aside(self, name: str) -> str:
        """Move a file out of the run's files and return where it is kept, below the run's directory."""
        kept = Path("removed") / new_ulid() / name
        target = self._run.path / kept
        target.parent.mkdir(mode=0o700, parents=True)
        self.path_of(name).rename(target)
        return kept.as_posix()

    def _names(self) -> Iterator[str]:
        base = self._run.files
        for place, _, names in os.walk(base):
            for path in (Path(place) / name for name in names):
                if not path.is_symlink() and path.is_file():
                    yield path.relative_to(base).as_posix()

    def _cannot(self, error: OSError) -> StoreError:
        message = f"the files of run {self._run.path} cannot be changed: {error.strerror or error}. Make the run's directory writable."
        return StoreError(message)


def _put(source: Path, target: Path) -> None:
    """Copy a file whole, so that nobody sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        copy_file(source, partial)
        shutil.copystat(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _matches(name: str, pattern: str) -> bool:
    """Tell whether a name fits: `%` and `_` as in SQL where there is a `%`, else `*` and `?` as in a shell."""
    if "%" in pattern:
        pattern = (
            pattern.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]").replace("%", "*").replace("_", "?")
        )
    return fnmatchcase(name, pattern)
