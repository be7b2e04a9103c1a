"""What `runhaven run` tells the processes below it: whose the run is, and what it is called."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from runhaven.rank import Rank

logger = logging.getLogger("runhaven")

VARIABLE = "RUNHAVEN_LAUNCH"
OPENED_BY = "runhaven run"


@dataclass(frozen=True, kw_only=True)
class Launch:
    """One use of `runhaven run`.

    Attributes:
        keeper: "program" where the Python program opens the run itself; "launcher" where the launcher keeps it, and the
            first process below that asks for a run joins.
        parent: The pid of the launcher, or of a launcher of ranks below it: the program is its child.
        folder: A directory of this use alone, gone afterwards.
        arguments: Arguments of `init()` that the command line gave.
        id: The id of the run.
    """

    keeper: Literal["program", "launcher"]
    parent: int
    folder: str
    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    id: str = ""

    def publish(self) -> dict[str, str]:
        """Return the variable that hands it on."""
        return {VARIABLE: json.dumps(asdict(self))}

    def below(self, parent: int) -> Launch:
        """Return what a launcher of ranks hands on to its children."""
        return replace(self, parent=parent)

    def note_run(self, directory: Path) -> None:
        """Tell the launcher which run it has become, should it still be there, and the disk have room."""
        with contextlib.suppress(OSError):
            (Path(self.folder) / "run").write_text(str(directory), "utf-8")

    def noted_run(self) -> Path | None:
        """Return the directory of the run; None if nobody opened one."""
        try:
            return Path((Path(self.folder) / "run").read_text("utf-8"))
        except OSError:
            return None

    def claim(self, place: Rank) -> bool:
        """Take the launcher's run for this process. One process gets it, and after it those of the same training."""
        claim = Path(self.folder) / "claim"
        group = place.group or ""
        try:
            with claim.open("x", encoding="utf-8") as file:
                file.write(group)
        except FileExistsError:
            return bool(group) and claim.read_text("utf-8") == group
        return True


def current() -> Launch | None:
    """Return what `runhaven run` told this process; None without it."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        return Launch(**json.loads(text))
    except (ValueError, TypeError):
        logger.debug("%s cannot be read", VARIABLE, exc_info=True)
        return None


def run_to_join(place: Rank) -> Path | None:
    """Return the directory of the run that a launcher keeps, if this process is the one to join it."""
    launch = current()
    if launch is None or launch.keeper != "launcher" or not place.is_first:
        return None
    try:
        return launch.noted_run() if launch.claim(place) else None
    except OSError:
        # The launcher is gone, and its folder too.
        return None
