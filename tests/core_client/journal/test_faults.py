"""What is left of a journal when the disk is full or the process is killed."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from runhaven.journal.reader import JournalReader
from runhaven.journal.record import RowBlock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PRELUDE = """
import json, os, resource, sys, threading, time
from pathlib import Path
from runhaven.journal.record import Schema
from runhaven.journal.writer import JournalWriter

class Thread(threading.Thread):
    def __init__(self, **options):
        super().__init__(daemon=True)
        self.woken = threading.Event()
        self.is_over = False
        self.writer = JournalWriter(Path(sys.argv[1]), name="w1", header={}, wake=self.woken.set, **options)
        self.start()
    def run(self):
        while not self.is_over:
            self.woken.wait(0.05)
            self.woken.clear()
            self.writer.service()
    def stop(self):
        self.is_over = True
        self.woken.set()
        self.join()
"""

KILLED = """
import mmap
progress = mmap.mmap(os.open(sys.argv[2], os.O_RDWR), 8)
writer = Thread(segment_size=64 << 10).writer
schemas = [Schema("", (("x", "i"), ("y", "f"))), Schema("", (("x", "i"), ("text", "s")))]
layouts = []
writer.exclusively(lambda: layouts.extend(map(writer.layout, schemas)))
step = 0
while True:
    if writer.trouble is None or step < 100_000:
        cells = (step, step / 7) if step % 3 else (step, b"t%d" % step)
        writer.exclusively(writer.put_row, layouts[step % 3 == 0], step, step, cells)
        if not writer._waiting:
            progress[:] = step.to_bytes(8, "little")
        step += 1
    if step % 400 == 0:
        time.sleep(0.001)
"""

FULL = """
thread = Thread(segment_size=64 << 10)
writer = thread.writer
layouts = []
writer.exclusively(lambda: layouts.append(writer.layout(Schema("", (("x", "i"),)))))
put = lambda step: writer.exclusively(writer.put_row, layouts[0], step, 0, (step,))
for step in range(5000):
    put(step)
    if step % 500 == 0:
        time.sleep(0.01)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
# The disk stays full until this is over: a call that waited for room would never return.
for step in range(5000, 25000):
    put(step)
time.sleep(0.3)
during = writer.trouble
writer.exclusively(writer.put_event, {"event": "incomplete", "time": 0}, True)
if sys.argv[2] == "recovers":
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    while writer.has_waiting:
        time.sleep(0.01)
for step in range(25000, 26000):
    put(step)
thread.stop()
writer.service()
writer.give_up()
writer.exclusively(writer.put_event, {"event": "finish", "time": 0}, True)
writer.close()
print(json.dumps({"during": during, "after": writer.trouble}))
"""


def rows(directory: Path) -> tuple[dict[int, tuple[Any, ...]], JournalReader]:
    """Return (step, time, x) of each row by its number."""
    reader = JournalReader(directory)
    found: dict[int, tuple[Any, ...]] = {}
    for block in reader.poll():
        if isinstance(block, RowBlock):
            cells = zip(block.steps, block.times, block.columns[0], strict=True)
            found |= dict(zip(block.numbers, cells, strict=True))
            check = [step / 7 for step in block.steps] if block.schema.cells[1][0] == "y" else None
            texts = [f"t{step}" for step in block.steps]
            assert list(block.columns[1]) == (check or texts)
    return found, reader


def test_sigkill_loses_no_row_whose_call_returned(tmp_path: Path) -> None:
    """Killed at fifteen moments, among folds and rotations: every row whose `put_row` returned is there, and right."""
    chance = random.Random(1)
    for moment in range(15):
        directory = tmp_path / str(moment)
        directory.mkdir()
        progress = tmp_path / "progress"
        progress.write_bytes(bytes(8))
        process = subprocess.Popen([sys.executable, "-c", PRELUDE + KILLED, str(directory), str(progress)])
        while progress.read_bytes() == bytes(8):
            assert process.poll() is None
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        process.wait()

        last = int.from_bytes(progress.read_bytes(), "little")
        found, reader = rows(directory)
        steps = [step for _, (step, _, _) in sorted(found.items())]
        assert len(steps) > last
        assert steps == list(range(len(steps)))
        assert all(row == (row[0],) * 3 for row in found.values())
        assert reader.damage == []


@pytest.mark.parametrize("ending", ["recovers", "stays full"])
def test_a_full_disk(read: Callable[..., Any], tmp_path: Path, ending: str) -> None:
    """A full disk holds no call up for long; what waited arrives once there is room, or is counted; the end is told."""
    process = subprocess.run(
        [sys.executable, "-c", PRELUDE + FULL, str(tmp_path), ending], check=True, stdout=subprocess.PIPE
    )
    report = json.loads(process.stdout)
    found = read(tmp_path)
    steps = [row[1] for _, row in sorted(found.rows.items())]

    assert report["during"][1] == 0
    assert found.kinds() == ["incomplete", "finish"]
    assert found.damage == []
    assert steps == list(range(len(steps)))
    if ending == "recovers":
        assert len(steps) == 26_000
        assert report["after"][1] == 0
        assert [path.name for path in tmp_path.iterdir()] == ["w1.rhj"]
    else:
        assert 5000 < len(steps) < 26_000
        assert report["after"][1] == 26_000 - len(steps)
