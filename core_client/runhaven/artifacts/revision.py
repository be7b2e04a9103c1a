"""Which revision of a file git or DVC knows, so that a reference can say where its content can be had again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven.artifacts.dvc import Dvc
from runhaven.capture.git import Git
from runhaven.notice import Notices
from runhaven.redaction import redact_text
from runhaven.settings import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator

_GIT_PATIENCE_S = 10.0
_MOST_BYTES = 256 << 20
# DVC's files may lie above what they track.
_WANTED = (".", ":(top)*.dvc", ":(top)*dvc.lock")


class Revisions:
    """What git and DVC know of a file, or of the files below a directory; git is asked once for all of them."""

    def __init__(self, source: Path) -> None:
        """Ask git about a file or a directory; without git, without a repository or with `disable_git` nothing is known."""
        self._top: Path | None = None
        self._dvc = Dvc(None)
        self._facts: dict[str, Any] = {}
        self._changed: set[str] = set()
        self._tracked: set[str] = set()
        settings = resolve()
        if settings.disable_git:
            return
        git = Git(patience_s=_GIT_PATIENCE_S)
        self._ask(git, source if source.is_dir() else source.parent)
        if git.is_silent:
            # Half of what git says would call changed files unchanged.
            self._top = None
            Notices(is_silent=settings.silent).warn(
                f"git did not answer in time: the reference to {source} notes no commit."
            )

    def _ask(self, git: Git, folder: Path) -> None:
        found = git.ask(folder, "rev-parse", "--show-toplevel", "HEAD")
        if not found or "\n" not in found:
            return
        top, commit = found.split("\n")[:2]
        self._top = Path(top)
        self._dvc = Dvc(self._top)
        remote = redact_text(git.ask(folder, "config", "--get", "remote.origin.url") or "")
        self._facts = {"commit": commit} | ({"remote": remote} if remote else {})
        self._tracked = set(_paths(git, folder, "ls-files", "-z", "--full-name", "--", *_WANTED))
        self._changed = set(_paths(git, folder, "diff", "--name-only", "-z", "HEAD", "--", *_WANTED))

    def of(self, path: Path) -> dict[str, Any]:
        """Return `{"git": {commit, path, remote, dirty}, "dvc": {file, md5, stage}}`, as far as they know the file.

        Of what DVC tracks git knows DVC's own file.
        """
        found: dict[str, Any] = {}
        tracked, dvc = path, self._dvc.find(path.absolute())
        if dvc is not None:
            tracked = dvc.file
            found["dvc"] = dvc.facts
        if self._top is not None:
            name = self._name(tracked)
            if name in self._tracked:
                found["git"] = {**self._facts, "path": name, "dirty": name in self._changed}
        return found

    def _name(self, path: Path) -> str:
        assert self._top is not None
        try:
            return path.resolve().relative_to(self._top.resolve()).as_posix()
        except ValueError:
            return ""


def _paths(git: Git, folder: Path, *arguments: str) -> Iterator[str]:
    text = git.ask(folder, *arguments, limit=_MOST_BYTES) or ""
    return (name for name in text.split("\0") if name)


def describe(extra: dict[str, Any]) -> str | None:
    """Return what a reference notes of its revision, for people; None if it notes nothing."""
    git, dvc = extra.get("git"), extra.get("dvc")
    words: list[str] = []
    if dvc:
        words.append(f"DVC {dvc.get('md5') or dvc['file']}")
    if git:
        dirty = ", changed since the commit" * bool(git["dirty"])
        words.append(f"git {git['commit'][:10]}:{git['path']}{dirty}")
    return ", ".join(words) or None
