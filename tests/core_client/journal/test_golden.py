"""Journals of each released format stay readable: files that were written once and are never written again.

`python tests/core_client/journal/test_golden.py` made the folder of the current format; run it again only for a new one.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

import runhaven
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import RowBlock

GOLDEN = Path(__file__).parent / "golden"
CASES = ("finished", "crashed")

MAKE = """
import os, runhaven
run = runhaven.init(project="golden", id="golden01", name="calm-harbour-1", config={"lr": 0.1, "nan": float("nan")}, dir=os.environ["STORE"])
for i in range(300):
    run.log({"loss": 1 / (i + 1), "n": i, "even": i % 2 == 0})
    if i % 7 == 0:
        run.log({"word": f"w{i}", "list": [i, None, "x"], "big": 2**70})
run.log({"nan": float("nan"), "inf": float("-inf")}, step=5)
run.alert("an alert")
"""
ENDINGS = {"finished": "run.finish()", "crashed": "run._journal.service(); os._exit(1)"}


def described(directory: Path) -> dict[str, Any]:
    """Return rows and kinds of events of a journal, as JSON can hold them."""
    reader = JournalReader(directory)
    rows: list[tuple[int, int, dict[str, str]]] = []
    events: list[str] = []
    for record in reader.poll():
        if isinstance(record, RowBlock):
            for index, number in enumerate(record.numbers):
                cells = zip(record.schema.cells, record.columns, strict=True)
                rows.append((number, record.steps[index], {key: repr(column[index]) for (key, _), column in cells}))
        else:
            events.append(str(record.data["event"]))
    assert reader.damage == []
    return {"rows": [list(row) for row in sorted(rows)], "events": sorted(set(events) - {"snapshot", "heartbeat"})}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version", ["v1"])
def test_golden_journals_are_read_as_on_the_day_they_were_written(version, case):
    """Each row and each kind of event is there, value by value."""
    directory = GOLDEN / version / case

    assert described(directory) == json.loads((directory / "expected.json").read_text("utf-8"))


def make(version: str) -> None:
    """Write the golden files of the current format."""
    for case in CASES:
        target = GOLDEN / version / case
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as store:
            environment = {
                "STORE": store,
                "RUNHAVEN_CODE": "0",
                "RUNHAVEN_CONSOLE": "off",
                "RUNHAVEN_X_DISABLE_STATS": "1",
                "HOME": store,
                "RUNHAVEN_SILENT": "1",
            }
            subprocess.run([sys.executable, "-c", MAKE + ENDINGS[case]], env=environment, check=False)
            (run,) = runhaven.Api(store).runs()
            for path in run.directory.journal.iterdir():
                data = path.read_bytes()
                # Of a tail, what is preallocated and was never written is left out.
                (target / path.name).write_bytes(data.rstrip(b"\0") + bytes(64) if path.suffix == ".tail" else data)
        expected = json.dumps(described(target), indent=None, separators=(",", ":"))
        (target / "expected.json").write_text(expected + "\n", "utf-8")


if __name__ == "__main__":
    make("v1")
