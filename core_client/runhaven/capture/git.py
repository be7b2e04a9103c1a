"""The state of the user's git repository: commit, branch, remote, and what differs from the commit."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from runhaven.platform.process import end_session
from runhaven.redaction import redact_text

DIFF_LIMIT = 10 << 20
# A process that waits for a file server cannot be ended before that answers.
_DYING_S = 1.0
_UNTRACKED_LIMIT = 256 << 10
_SOURCE = frozenset(
    [
        ".py",
        ".pyi",
        ".ipynb",
        ".toml",
        ".yaml",
        ".yml",
        ".json",
        ".cfg",
        ".ini",
        ".md",
        ".rst",
        ".txt",
        ".sh",
        ".c",
        ".cc",
        ".cpp",
        ".cu",
        ".cuh",
        ".h",
        ".hpp",
        ".rs",
        ".go",
        ".js",
        ".ts",
        ".jl",
        ".r",
        ".sql",
    ]
)


class Git:
    """Asks git, and asks no more once an answer does not come in time: the next one would not come either.

    Attributes:
        is_silent: Whether an answer did not come.
        answers: How many came.
    """

    def __init__(self, *, patience_s: float) -> None:
        """Ask nothing yet.

        Args:
            patience_s: How long one answer may take.
        """
        self._patience_s = patience_s
        self.is_silent = False
        self.answers = 0
        self._lock = threading.Lock()
        self._asked: subprocess.Popen[bytes] | None = None

    def ask(self, directory: Path, *arguments: str, limit: int = 1 << 20) -> str | None:
        """Return what a git command prints; None if it fails, or without git.

        Args:
            directory: Where it is run.
            *arguments: The command.
            limit: How many bytes of the answer are kept.
        """
        try:
            process = self._start(["git", "-C", str(directory), *arguments])
        except OSError:
            return None
        if process is None:
            return None
        answer = self._await(process)
        if self.is_silent:
            return None
        self.answers += 1
        return None if process.returncode else answer[:limit].decode("utf-8", "replace").rstrip("\n")

    def _start(self, command: list[str]) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self.is_silent:
                return None
            self._asked = subprocess.Popen(  # noqa: S603 - a fixed command, of the user's own git
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
                start_new_session=True,
            )
            return self._asked

    def _await(self, process: subprocess.Popen[bytes]) -> bytes:
        try:
            return process.communicate(timeout=self._patience_s)[0]
        except subprocess.TimeoutExpired:
            self.give_up()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_DYING_S)
        return b""

    def give_up(self) -> None:
        """Wait for no answer any more, from any thread: end what was asked last, with all that it started."""
        with self._lock:
            self.is_silent = True
            if self._asked is not None:
                end_session(self._asked)


@dataclass(frozen=True, slots=True)
class GitState:
    """What git says about a directory, but for its changes.

    Attributes:
        root: The top of the work tree.
        commit: The commit that is checked out; "" before the first one.
        branch: The branch; "" when detached.
        remote: URL of "origin", without user or password; "" without one.
    """

    root: str
    commit: str
    branch: str
    remote: str

    def facts(self) -> dict[str, Any]:
        """Return them as an environment event holds them."""
        return asdict(self)


class Changes(NamedTuple):
    """How a work tree differs from its commit.

    Attributes:
        is_dirty: Whether it does.
        diff: How, as a patch of text files, with small untracked sources; secrets taken out.
    """

    is_dirty: bool
    diff: str


def describe(git: Git, directory: Path) -> GitState | None:
    """Return the state of the repository that a directory is in; None without one, or without git."""
    root = git.ask(directory, "rev-parse", "--show-toplevel")
    if not root:
        return None
    top = Path(root)
    return GitState(
        root=root,
        commit=git.ask(top, "rev-parse", "--verify", "--quiet", "HEAD") or "",
        branch=git.ask(top, "symbolic-ref", "--short", "--quiet", "HEAD") or "",
        remote=redact_text(git.ask(top, "config", "--get", "remote.origin.url") or ""),
    )


def describe_changes(git: Git, top: Path) -> Changes | None:
    """Return how a work tree differs from its commit, which takes a while where it is large; None if git does not say."""
    status = git.ask(top, "status", "--porcelain", "--untracked-files=normal")
    diff = git.ask(top, "diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color", limit=DIFF_LIMIT)
    if status is None:
        return None
    return Changes(bool(status), redact_text((diff or "") + _untracked(top, status)))


def _untracked(top: Path, status: str) -> str:
    """Return small untracked sources as additions, never a dot-file or anything below one."""
    parts: list[str] = []
    room = _UNTRACKED_LIMIT
    for line in status.splitlines():
        name = line[3:].strip('"')
        path = top / name
        is_wanted = (
            line.startswith("??")
            and path.suffix in _SOURCE
            and not any(part.startswith(".") for part in Path(name).parts)
        )
        if not is_wanted or path.is_symlink() or not path.is_file() or path.stat().st_size > room:
            continue
        text = path.read_text("utf-8", "replace")
        room -= len(text)
        body = "".join(f"+{row}\n" for row in text.splitlines())
        parts.append(f"diff --git a/{name} b/{name}\nnew file (untracked)\n--- /dev/null\n+++ b/{name}\n{body}")
    return "\n" * bool(parts) + "".join(parts)
