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
CASES = ("finished", "crashed", "every-kind")

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


# What runs write seldom: written record by record, folded in the middle of a segment and left as a crash leaves it.
EVERY_KIND = """
import os, struct
from pathlib import Path
from runhaven.journal.record import Schema
from runhaven.journal.writer import JournalWriter

writer = JournalWriter(Path(os.environ["STORE"]), name="every.kind", header={"format": 1}, wake=lambda: None, segment_size=1)
put = writer.exclusively
schema = lambda stream, **cells: Schema(stream, tuple(cells.items()))
put(writer.put_event, {"event": "start", "time": 1, "text": "caf\\u00e9 \\udce9 \\0"})
for i in range(400):
    at = -(2**63) if i == 7 else 2**63 - 1 if i == 8 else i
    put(lambda: writer.put_row(writer.layout(schema("", f="f", i="i", b="b", g="b")), at, 5 * i, (i / 7, at, i % 2, True)))
    if i % 2:
        put(lambda: writer.put_row(writer.layout(schema("node=a", f="f")), i, 7, (float("-inf") if i % 3 else float("nan"),)))
    if i % 100 == 0:
        put(lambda: writer.put_row(writer.layout(schema("")), i, i, ()))
        text = "\\u00e9" * i
        put(lambda: writer.put_row(writer.layout(schema("", s="s", j="j")), i, i, (text.encode(), b'{"a":[null]}')))
        put(writer.put_event, {"event": "console", "time": i, "lines": [[i, "x" * i]]})
        writer.service()
    if i == 300:
        writer._fold(everything=True)
put(writer.put_event, {"event": "finish", "time": 9}, True)
# A record that the crash has cut short.
end = writer._segment.end
put(lambda: writer.put_row(writer.layout(schema("node=a", f="f")), 0, 0, (0.0,)))
writer._map[end + 20 : end + 40] = bytes(20)
os._exit(1)
"""


def described(directory: Path) -> dict[str, Any]:
    """Return rows and events of a journal, as JSON can hold them."""
    reader = JournalReader(directory)
    rows: dict[int, Any] = {}
    events: dict[int, Any] = {}
    for record in reader.poll():
        if isinstance(record, RowBlock):
            columns = [
                list(map(bool, column)) if kind == "b" else column
                for (_, kind), column in zip(record.schema.cells, record.columns, strict=True)
            ]
            keys = [key for key, _ in record.schema.cells]
            for index, number in enumerate(record.numbers):
                cells = {key: repr(column[index]) for key, column in zip(keys, columns, strict=True)}
                rows[number] = [record.schema.stream, record.steps[index], record.times[index], cells]
        else:
            events[record.number] = record.data
    assert reader.damage == []
    return {
        "rows": [[number, *row] for number, row in sorted(rows.items())],
        "events": [[number, event] for number, event in sorted(events.items())],
    }


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("version", ["v1"])
def test_golden_journals_are_read_as_on_the_day_they_were_written(version, case):
    """Each row and each event is there, value by value."""
    directory = GOLDEN / version / case

    assert described(directory) == json.loads((directory / "expected.json").read_text("utf-8"))


def make(version: str) -> None:
    """Write the golden files of the current format."""
    for case in CASES:
        target = GOLDEN / version / case
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        with tempfile.TemporaryDirectory() as store:
            for path in write(case, store):
                data = path.read_bytes()
                # Of a tail, what is preallocated and was never written is left out.
                (target / path.name).write_bytes(data.rstrip(b"\0") + bytes(64) if path.suffix == ".tail" else data)
        lines = json.dumps(described(target), ensure_ascii=True, separators=(",", ":")).replace("],[", "],\n[")
        (target / "expected.json").write_text(lines + "\n", "utf-8")


def write(case: str, store: str) -> list[Path]:
    """Write the journal of a case and return its files."""
    environment = {
        "STORE": store,
        "RUNHAVEN_CODE": "0",
        "RUNHAVEN_CONSOLE": "off",
        "RUNHAVEN_X_DISABLE_STATS": "1",
        "HOME": store,
        "RUNHAVEN_SILENT": "1",
    }
    code = MAKE + ENDINGS[case] if case in ENDINGS else EVERY_KIND
    subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    if case not in ENDINGS:
        return [path for path in Path(store).iterdir() if path.suffix in {".rhj", ".tail"}]
    (run,) = runhaven.Api(store).runs()
    return list(run.directory.journal.iterdir())


if __name__ == "__main__":
    make("v1")
