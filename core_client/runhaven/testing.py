"""Test code that logs, without a store: a run that remembers what it was given.

    from runhaven.testing import recorded_run

    def test_training_logs_its_loss(recorded_run):
        train()

        assert recorded_run.series("loss") == [1.0, 0.5]

Importing `recorded_run` into a test module or a conftest makes it a pytest fixture; `record()` is the same as a context
manager, for any other test runner.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from typing import TYPE_CHECKING, Any

from runhaven import session
from runhaven._run import Identity, Run
from runhaven.journal.layout import Layout, decode_json
from runhaven.media.keeping import MediaKeeper
from runhaven.notice import Notices
from runhaven.recorder import Recorder
from runhaven.settings import Settings
from runhaven.store.blobs import Blob

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from runhaven.journal.record import Schema


class MemoryJournal:
    """A journal that keeps its records in lists.

    Attributes:
        number: The number of the next record.
        rows: Each row as a dict of its values, with `_step` and `_timestamp`.
        events: Each event, as the journal of a real run would hold it.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.number = 0
        self.rows: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self._layouts: dict[Schema, Layout] = {}

    def exclusively(self, action: Callable[..., object], *arguments: object) -> None:
        """Run `action`."""
        action(*arguments)

    def layout(self, schema: Schema) -> Layout:
        """Return the layout of a schema."""
        return self._layouts.setdefault(schema, Layout(len(self._layouts), schema))

    def put_row(self, layout: Layout, step: int, time_us: int, values: Sequence[Any]) -> None:
        """Keep one row."""
        row: dict[str, Any] = {"_step": step, "_timestamp": time_us / 1e6}
        for (key, kind), cell in zip(layout.schema.cells, values, strict=True):
            row[key] = (
                cell.decode("utf-8", "surrogatepass") if kind == "s" else decode_json(cell) if kind == "j" else cell
            )
        self.rows.append(row)
        self.number += 1

    def put_event(self, data: Mapping[str, Any], vital: bool = False) -> None:  # noqa: ARG002 - as JournalWriter's
        """Keep one event."""
        self.events.append(dict(data))
        self.number += 1


class MemoryBlobs:
    """Bytes by the SHA-256 of their content.

    Attributes:
        content: All of them.
    """

    def __init__(self) -> None:
        """Start empty."""
        self.content: dict[str, bytes] = {}

    def put(self, data: bytes) -> Blob:
        """Keep some bytes."""
        sha256 = hashlib.sha256(data).hexdigest()
        self.content[sha256] = data
        return Blob(sha256, len(data))

    def put_file(self, path: Path) -> Blob:
        """Keep the bytes of a file."""
        return self.put(path.read_bytes())


class RecordedRun(Run):
    """A run in memory. Everything that `Run` does works; nothing is written, captured or started.

    Media are kept before `log()` returns; `bytes_of` returns what a row's reference to them stands for.

    Attributes:
        journal: What it was given.
        blobs: The bytes of media.
    """

    def __init__(self, *, project: str = "test", settings: Settings | None = None) -> None:
        """Start a run with nothing in it."""
        self.journal = MemoryJournal()
        self.blobs = MemoryBlobs()
        names = Identity(entity="test", project=project, id="recorded", ulid="", directory=None, started_s=time.time())
        super().__init__(
            names,
            settings=settings or Settings(strict=True, allow_val_change=True),
            journal=self.journal,
            recorder=Recorder(self.journal),
            notices=Notices(is_silent=True),
        )

    def _open_keeper(self) -> MediaKeeper:
        settings = self.settings
        return MediaKeeper(
            self.blobs,
            notices=self.notices,
            emit=self.emit,
            scrub=settings.x_scrub_images,
            is_strict=settings.strict,
            is_inline=True,
        )

    def bytes_of(self, reference: Mapping[str, Any]) -> bytes:
        """Return the bytes of media that a row refers to."""
        return self.blobs.content[reference["sha256"]]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Each row that was logged, with `_step` and `_timestamp`."""
        return self.journal.rows

    def series(self, key: str) -> list[Any]:
        """Return the values of one key, in the order they were logged."""
        return [row[key] for row in self.journal.rows if key in row]

    def steps(self, key: str) -> list[int]:
        """Return the steps of one key's values, in the order they were logged."""
        return [row["_step"] for row in self.journal.rows if key in row]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of one kind, such as "alert" or "config"."""
        return [event for event in self.journal.events if event.get("event") == kind]


@contextlib.contextmanager
def record(*, project: str = "test", settings: Settings | None = None) -> Generator[RecordedRun]:
    """Make a run in memory the current one: `runhaven.init()` inside returns it.

    Args:
        project: The run's project.
        settings: Its settings; strict by default, so that misuse raises.
    """
    run = RecordedRun(project=project, settings=settings)
    with session.made_current(run):
        yield run


def __getattr__(name: str) -> Any:
    """Make the pytest fixture when it is asked for, so that this module works without pytest."""
    if name == "recorded_run":
        import pytest

        @pytest.fixture
        def recorded_run() -> Generator[RecordedRun]:
            with record() as run:
                yield run

        globals()[name] = recorded_run
        return recorded_run
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
