"""Files that a user saves into a run."""

from __future__ import annotations

import glob as globbing
import os
import shutil
import tempfile
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias, get_args

from runhaven.errors import UsageError

if TYPE_CHECKING:
    from typing import TextIO

Policy: TypeAlias = Literal["live", "now", "end"]


class SavedFile(NamedTuple):
    """One file of the user's and its copy in the run."""

    source: Path
    copy: Path
    name: str
    size: int
    policy: Policy


class SavedFiles:
    """Copies files into the run's directory, again as they change.

    Attributes:
        directory: Where the copies lie; a temporary directory for a run that is not kept.
    """

    def __init__(self, directory: Path | None) -> None:
        """Start with no file."""
        self.directory = directory or Path(tempfile.gettempdir()) / "runhaven-disabled" / "files"
        self._is_kept = directory is not None
        self._files: dict[Path, SavedFile] = {}

    def add(
        self,
        pattern: str | os.PathLike[str],
        base: str | os.PathLike[str] | None,
        policy: Policy,
        *,
        is_pattern: bool = True,
    ) -> list[SavedFile]:
        """Take in the files that match, and copy them unless their time is at the end.

        Raises:
            UsageError: If `policy` is not known, or a file lies outside `base`.
        """
        if policy not in get_args(Policy):
            message = f"save(policy={policy!r}) is not known; choose one of {', '.join(get_args(Policy))}."
            raise UsageError(message)
        text = os.fspath(pattern)
        root = Path(base or _fixed_part(text)).absolute()
        found: list[SavedFile] = []
        for path in sorted(globbing.glob(text, recursive=True)) if is_pattern else [text]:  # noqa: PTH207 - absolute patterns
            source = Path(path).absolute()
            if source.is_file():
                found.append(self._take(source, root, policy))
        return found

    def _take(self, source: Path, root: Path, policy: Policy) -> SavedFile:
        try:
            name = source.relative_to(root)
        except ValueError as error:
            message = f"save(): {source} lies outside base_path={root}; pass a directory above it."
            raise UsageError(message) from error
        if ".." in name.parts:
            message = f"save(): {source} leads out of base_path={root} by '..'."
            raise UsageError(message)
        file = SavedFile(source, self.directory / name, name.as_posix(), source.stat().st_size, policy)
        self._files[source] = file
        if policy != "end":
            self._copy(file)
        return file

    def refresh(self, *, is_end: bool = False) -> None:
        """Copy the live files that changed; at the end, those too whose time has come."""
        for file in self._files.values():
            if file.policy == "live" or (is_end and file.policy == "end"):
                self._copy(file)

    def _copy(self, file: SavedFile) -> None:
        if not self._is_kept:
            return
        try:
            status = file.source.stat()
            if file.copy.exists() and file.copy.stat().st_mtime_ns == status.st_mtime_ns:
                return
            file.copy.parent.mkdir(parents=True, exist_ok=True)
            partial = file.copy.with_name(f"{file.copy.name}.partial")
            shutil.copy2(file.source, partial)
            partial.replace(file.copy)
        except FileNotFoundError:
            return


def _fixed_part(pattern: str) -> str:
    """Return the directory before the first part of a pattern that stands for many names."""
    parts = PurePath(pattern).parts[:-1]
    fixed = next((index for index, part in enumerate(parts) if globbing.has_magic(part)), len(parts))
    return str(PurePath(*parts[:fixed])) if fixed else "."


def restore(directory: Path, name: str, *, replace: bool, root: str | None) -> TextIO | None:
    """Open a saved file; with `root`, a copy of it there. None if there is no such file.

    Raises:
        UsageError: If the name leads out of the directory.
    """
    source = (directory / name).resolve()
    if not source.is_relative_to(directory.resolve()):
        message = f"restore({name!r}) leads out of the run's files."
        raise UsageError(message)
    if not source.is_file():
        return None
    if root is None:
        return source.open(encoding="utf-8")
    target = Path(root) / name
    if replace or not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)
    return target.open(encoding="utf-8")
