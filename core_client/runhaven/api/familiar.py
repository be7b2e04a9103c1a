"""What W&B's users call the things of a run."""

from __future__ import annotations

import html
import json
import time
from abc import abstractmethod
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.api.readable import Readable

if TYPE_CHECKING:
    from runhaven.api.summary import Summary

_POLL_S = 0.5


class ConsoleLogLine(NamedTuple):
    """One line that a run printed.

    Attributes:
        number: Counts the lines from 1.
        timestamp: When it was printed.
        level: "error" for what went to stderr, else "info".
        label: "stdout" or "stderr".
        content: The line, without its end.
    """

    number: int
    timestamp: datetime | None
    level: str
    label: str
    content: str


class Familiar(Readable):
    """Properties and methods of W&B's public run that say in other words what `Run` says."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Name for people."""

    @property
    @abstractmethod
    def config(self) -> dict[str, Any]:
        """The configuration."""

    @property
    @abstractmethod
    def summary(self) -> Summary:
        """The summary."""

    @property
    def storage_id(self) -> str:
        """Unique in the world."""
        return self.ulid

    @property
    def username(self) -> str:
        """Login name of who started it."""
        return self.user

    @property
    def url(self) -> str:
        """Path of the run in the dashboard that `runhaven ui` serves."""
        return f"/#/r/{self.ulid}/overview"

    @property
    def rawconfig(self) -> dict[str, Any]:
        """The configuration."""
        return dict(self.config)

    @property
    def json_config(self) -> str:
        """The configuration as JSON in W&B's form: each value in an object of its own."""
        return json.dumps({key: {"value": value, "desc": None} for key, value in self.config.items()}, default=str)

    @property
    def summary_metrics(self) -> dict[str, Any]:
        """The summary, keys flat."""
        return dict(self.summary)

    @property
    def system_metrics(self) -> dict[str, Any]:
        """The newest reading of each series of the machine; with its host before the key where there are several."""
        found = [series for series in self.series() if series.stream.startswith("node=")]
        is_one = len({series.stream for series in found}) <= 1
        return {
            series.key if is_one else f"{series.stream.removeprefix('node=')}/{series.key}": series.last
            for series in found
        }

    @property
    def lastHistoryStep(self) -> int:  # noqa: N802 - W&B's name
        """The greatest step that was logged; -1 without rows."""
        return -1 if self.last_step is None else self.last_step

    def load(self, force: bool = False) -> dict[str, Any]:
        """Take in what was written since, if `force` is given; return what the run is and holds."""
        if force:
            self.refresh()
        entity, project, run_id = self.path
        return {
            "id": self.ulid, "name": run_id, "displayName": self.name, "entity": entity, "project": project,
            "state": self.state, "config": dict(self.config), "summaryMetrics": dict(self.summary),
        }  # fmt: skip

    def wait_until_finished(self) -> None:
        """Wait while the run is running."""
        while self.state == "running":
            time.sleep(_POLL_S)
            self.refresh()

    def console_logs(self, *, per_page: int = 1000, last: int | None = None) -> list[ConsoleLogLine]:  # noqa: ARG002 - W&B's argument; nothing is paged here
        """Return what the run printed.

        Args:
            per_page: Accepted for W&B's sake.
            last: How many lines at most, the newest.
        """
        return [
            ConsoleLogLine(
                line.number,
                datetime.fromtimestamp(line.time, UTC),
                "error" if line.stream == "stderr" else "info",
                line.stream,
                line.text,
            )
            for line in self.logs(limit=last)
        ]

    def to_html(self, height: int = 420, hidden: bool = False) -> str:
        """Return the run as a table in HTML.

        Args:
            height: How high it may be, in pixels.
            hidden: Whether the table only unfolds when it is clicked.
        """
        facts = {"path": "/".join(self.path), "state": self.state} | dict(self.config) | dict(self.summary)
        rows = "".join(
            f"<tr><th>{html.escape(key)}</th><td>{html.escape(str(value))}</td></tr>" for key, value in facts.items()
        )
        title = html.escape(str(self.name))
        table = f'<div style="max-height:{int(height)}px;overflow:auto"><table>{rows}</table></div>'
        return f"<details{'' if hidden else ' open'}><summary>{title}</summary>{table}</details>"
