"""Makes artifacts of the checkpoints that a framework saves."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from runhaven.adapter.note import note_run
from runhaven.artifacts import Artifact
from runhaven.errors import UsageError

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from runhaven.adapter.joining import Adapter

LogModel: TypeAlias = 'bool | Literal["end", "all"]'
_Signature: TypeAlias = tuple[int, int, int]


@dataclass
class _Saved:
    """A checkpoint that waits to be logged."""

    path: Path
    metadata: dict[str, Any]
    is_best: bool
    aliases: list[str]


class Checkpoints:
    """Notes the run beside each checkpoint and, if asked to, logs them as an artifact of the type "model".

    The newest version is `latest`, the best one so far `best`. What was logged already, or has the same content, makes no
    second version.
    """

    def __init__(self, adapter: Adapter, *, log_model: LogModel = False, name: str | None = None) -> None:
        """Prepare.

        Args:
            adapter: Whose run it is.
            log_model: False logs none; True or "end" logs, when the training is over, those that are still there; "all"
                logs each one at once.
            name: The artifact's name; "model-<id of the run>" by default.

        Raises:
            UsageError: If `log_model` is something else.
        """
        if log_model not in (False, True, "end", "all"):
            message = f"log_model={log_model!r} is not known; choose False, True ('end') or 'all'."
            raise UsageError(message)
        self._adapter = adapter
        self._when: Literal["never", "end", "all"] = "all" if log_model == "all" else "end" if log_model else "never"
        self._name = name
        self._waiting: dict[Path, _Saved] = {}
        self._logged: set[tuple[Path, _Signature]] = set()
        self._said: dict[str, dict[str, Any]] = {}

    def saved(
        self,
        path: str | os.PathLike[str],
        *,
        step: int | None = None,
        epoch: float | None = None,
        is_best: bool = False,
        aliases: Sequence[str] = (),
        **metadata: Any,
    ) -> None:
        """Tell of a checkpoint that was just written.

        Args:
            path: The file or directory.
            step: The framework's step.
            epoch: The epoch.
            is_best: Whether it is the best one so far.
            aliases: More names of the version, beside `latest` and `best`.
            **metadata: More that is known of it: score, monitor, mode ...

        Raises:
            OSError: If the note cannot be written beside it.
            UsageError: If the artifact's name cannot be one.
        """
        place = Path(path)
        if not self._adapter.writes or not place.exists():
            return
        note_run(place, self._adapter.run)
        if self._when == "never":
            return
        known = {"step": step, "epoch": epoch, **metadata, "original_filename": place.name}
        facts = {key: value for key, value in known.items() if value is not None}
        for other in self._waiting.values() if is_best else ():
            other.is_best = False
        self._waiting[place] = _Saved(place, facts, is_best, list(aliases))
        if self._when == "all":
            self.end()

    def end(self) -> None:
        """Log what waits and is still on the disk, the newest last; call it whenever a training ends.

        Raises:
            UsageError: If the artifact's name cannot be one.
        """
        there = [saved for saved in self._waiting.values() if saved.path.exists()]
        self._waiting.clear()
        for saved in sorted(there, key=lambda saved: _signature(saved.path)):
            self._log(saved)

    def _log(self, saved: _Saved) -> None:
        path = saved.path.resolve()
        mark = path, _signature(path)
        if mark in self._logged and not saved.is_best:
            return
        run = self._adapter.run
        artifact = Artifact(self._name or f"model-{run.id}", type="model")
        if path.is_dir():
            artifact.add_dir(path)
        else:
            # One name for all, so that the same content is the same version.
            artifact.add_file(path, name=f"model{path.suffix}")
        # The same content under a second name takes nothing from what was said of it under the first.
        artifact.metadata = self._said[artifact.digest] = saved.metadata | self._said.get(artifact.digest, {})
        run.log_artifact(artifact, aliases=[*saved.aliases, *(["best"] if saved.is_best else [])] or None)
        self._logged.add(mark)


def _signature(path: Path) -> _Signature:
    """Return what changes when a file, or a file in a directory, is written: newest time, bytes, number of files."""
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    facts = [file.stat() for file in files]
    return max((fact.st_mtime_ns for fact in facts), default=0), sum(fact.st_size for fact in facts), len(facts)
