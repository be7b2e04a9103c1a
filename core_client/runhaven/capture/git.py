"""The state of the user's git repository: commit, branch, remote, and what differs from the commit."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runhaven.redaction import redact_text

DIFF_LIMIT = 10 << 20
_TIMEOUT_S = 10
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


@dataclass(frozen=True, slots=True)
class GitState:
    """What git says about a directory.

    Attributes:
        root: The top of the work tree.
        commit: The commit that is checked out; "" before the first one.
        branch: The branch; "" when detached.
        remote: URL of "origin", without user or password; "" without one.
        is_dirty: Whether the work tree differs from the commit.
        diff: How it differs, as a patch of text files, with small untracked sources; secrets taken out.
    """

    root: str
    commit: str
    branch: str
    remote: str
    is_dirty: bool
    diff: str

    def facts(self) -> dict[str, Any]:
        """Return all but the diff, as an environment event holds it."""
        return {
            "root": self.root,
            "commit": self.commit,
            "branch": self.branch,
            "remote": self.remote,
            "dirty": self.is_dirty,
        }


def describe(directory: Path) -> GitState | None:
    """Return the state of the repository that a directory is in; None without one, or without git."""
    root = ask_git(directory, "rev-parse", "--show-toplevel")
    if not root:
        return None
    top = Path(root)
    status = ask_git(top, "status", "--porcelain", "--untracked-files=normal") or ""
    diff = ask_git(top, "diff", "HEAD", "--no-ext-diff", "--no-textconv", "--no-color", limit=DIFF_LIMIT) or ""
    return GitState(
        root=root,
        commit=ask_git(top, "rev-parse", "--verify", "--quiet", "HEAD") or "",
        branch=ask_git(top, "symbolic-ref", "--short", "--quiet", "HEAD") or "",
        remote=redact_text(ask_git(top, "config", "--get", "remote.origin.url") or ""),
        is_dirty=bool(status),
        diff=redact_text(diff + _untracked(top, status)),
    )


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


def ask_git(directory: Path, *arguments: str, limit: int = 1 << 20) -> str | None:
    """Return what a git command prints; None if it fails, or without git.

    Args:
        directory: Where it is run.
        *arguments: The command.
        limit: How many bytes of the answer are kept.
    """
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        done = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "-C", str(directory), *arguments],  # noqa: S607 - the user's own git
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    if done.returncode != 0:
        return None
    return done.stdout[:limit].decode("utf-8", "replace").rstrip("\n")
