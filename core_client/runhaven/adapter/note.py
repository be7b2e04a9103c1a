"""Lets a run's id travel beside a checkpoint, so that a training which resumes from it goes on with the run.

The file `runhaven_run.json`, inside a checkpoint that is a directory and beside one that is a file, says by name which run
saved what; `docs/formats.md` specifies it.
"""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from runhaven.platform.files import replace_atomically

if TYPE_CHECKING:
    from runhaven._run import Run

logger = logging.getLogger("runhaven")

NAME = "runhaven_run.json"
FORMAT = 1
_ITSELF = "."


def note_run(checkpoint: str | os.PathLike[str], run: Run) -> None:
    """Note which run saved a checkpoint. A run that is not kept, and a checkpoint on a remote file system, get no note.

    Args:
        checkpoint: The path of a file or a directory that was just written.
        run: The run.

    Raises:
        OSError: If the note cannot be written.
    """
    ulid = run.identity.ulid
    if not ulid or "://" in os.fspath(checkpoint):
        return
    path, key = _place(Path(checkpoint))
    known = _read(path)
    entry = {"run": ulid, "path": run.path}
    if known.get(key) == entry:
        return
    # What was deleted since needs no note.
    kept = {name: value for name, value in known.items() if (path.parent / name).exists()}
    text = json.dumps({"format": FORMAT, "checkpoints": kept | {key: entry}}, indent=1)
    replace_atomically(path, text.encode())


def noted_run(checkpoint: str | os.PathLike[str]) -> str | None:
    """Return the ulid of the run that saved a checkpoint; None if nothing says so."""
    path, key = _place(Path(checkpoint))
    ulid = _read(path).get(key, {}).get("run")
    return ulid if isinstance(ulid, str) else None


def _place(checkpoint: Path) -> tuple[Path, str]:
    """Return the file that the note stands in, and the key it stands under."""
    if checkpoint.is_dir():
        return checkpoint / NAME, _ITSELF
    return checkpoint.parent / NAME, checkpoint.name


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        data = json.loads(path.read_text("utf-8"))
        entries = cast("dict[str, Any]", data["checkpoints"]) if data["format"] == FORMAT else {}
        return {name: value for name, value in entries.items() if isinstance(value, dict)}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        logger.debug("%s cannot be read", path, exc_info=True)
        return {}
