"""One process's part in a run, as its journal tells it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from runhaven.platform.process import ProcessIdentity


@dataclass(slots=True)
class Session:
    """One process's part in the run.

    Attributes:
        writer: Name of its journal; names sort by start.
        start: Its `start` event.
        last_us: Its newest record.
        exit_code: That of its `finish`.
        signal: The signal that ended it.
        is_preempting: Whether it said so.
        snapshot: Record number of its newest snapshot.
        lost: What its journal lacks, if anything.
        rewind: The last step of earlier writers that it left in sight; None if it left all.
        is_inherited: Whether it wrote into the run that this one is a fork of.
        gpus: The GPUs that it computes on, by stream: `uuid` and `cuda_index` of each.
        usage: What it saw used of its machine, by stream: the sums that `runhaven_gpu_monitor` makes.
    """

    writer: str
    start: dict[str, Any]
    last_us: int = 0
    exit_code: int | None = None
    signal: str | None = None
    is_preempting: bool = False
    snapshot: int = -1
    lost: dict[str, Any] | None = None
    rewind: int | None = None
    is_inherited: bool = False
    gpus: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, list[dict[str, Any]]])
    usage: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def is_main(self) -> bool:
        """Whether it owned the run."""
        return self.start.get("role") == "main"

    @property
    def is_edit(self) -> bool:
        """Whether it changed the run afterwards, and says nothing of how the run itself goes."""
        return self.start.get("role") == "edit"

    @property
    def process(self) -> ProcessIdentity | None:
        """The process, if it said which."""
        try:
            return ProcessIdentity(**{name: self.start[name] for name in ProcessIdentity.__dataclass_fields__})
        except KeyError:
            return None
