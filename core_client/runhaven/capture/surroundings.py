"""Captures what surrounds a run, environment and git, on a thread of its own: neither training nor its end waits for it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runhaven.capture import environment
from runhaven.capture.git import Git, describe, describe_changes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runhaven.capture.git import Changes

logger = logging.getLogger("runhaven")

GIT_PATIENCE_S = 30.0
"""How long git may take for an answer while training goes on, which waits for nothing of this."""
END_PATIENCE_S = 3.0
"""How long the end of a run waits for the next fact that still comes."""


class Surroundings:
    """What is captured of the place where a run begins: each fact is kept once it is known."""

    def __init__(
        self,
        keep: Callable[[Mapping[str, Any]], None],
        warn: Callable[[str], None],
        *,
        directory: Path | None,
        asks_git: bool,
    ) -> None:
        """Prepare; `begin` begins.

        Args:
            keep: Called with facts by name; a later value takes the place of an earlier one.
            warn: Called with a sentence that says what is missing.
            directory: Where the difference from git's commit is written; None to leave it.
            asks_git: Whether git is asked.
        """
        self._keep = keep
        self._warn = warn
        self._directory = directory
        self._git = Git(patience_s=GIT_PATIENCE_S) if asks_git else None
        self._kept = 0
        self._thread = threading.Thread(target=self._capture, name="runhaven-capture", daemon=True)

    def begin(self) -> None:
        """Start the thread."""
        self._thread.start()

    def end(self) -> None:
        """Wait for what still comes, as long as something does, and give up the rest."""
        self._wait()
        if self._thread.is_alive() and self._git is not None:
            self._git.give_up()
            self._wait()
        if self._thread.is_alive():
            self._warn("not all is known about the machine and its packages: reading that hangs.")

    def _wait(self) -> None:
        now, before = self._progress, -1
        while self._thread.is_alive() and now != before:
            self._thread.join(END_PATIENCE_S)
            now, before = self._progress, now

    @property
    def _progress(self) -> int:
        return self._kept + (self._git.answers if self._git is not None else 0)

    def _capture(self) -> None:
        try:
            self._take(environment.describe())
            self._take(environment.describe_slow())
            if self._git is not None:
                self._capture_git(self._git, Path.cwd())
        except Exception:
            logger.debug("the environment could not be captured", exc_info=True)

    def _take(self, facts: Mapping[str, Any]) -> None:
        self._keep(facts)
        self._kept += 1

    def _capture_git(self, git: Git, place: Path) -> None:
        state = describe(git, place)
        facts = state.facts() if state is not None else {}
        if state is not None:
            self._take({"git": facts})
            changes = describe_changes(git, Path(state.root))
            if changes is not None:
                self._take({"git": facts | self._file(changes)})
        if git.is_silent:
            what = "what differs from its commit" if facts.get("commit") else "the commit"
            self._warn(
                f"git did not answer in time: the run does not say {what}. `git -C {place} status` shows whether it "
                "hangs; init(settings={'disable_git': True}) leaves git alone."
            )

    def _file(self, changes: Changes) -> dict[str, Any]:
        facts: dict[str, Any] = {"dirty": changes.is_dirty}
        if self._directory is not None and changes.diff:
            path = self._directory / "diff.patch"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(changes.diff, "utf-8")
            facts["diff_file"] = path.name
        return facts
