"""Sealers that are killed, sealers that race, and run directories that are copied while they are written and sealed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from waiting import until

import runhaven
from runhaven.api import Run
from runhaven.sealed.collect import find_waste
from runhaven.sealed.manifest import newest, place_to_read
from runhaven.sealed.seal import seal

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, so that a killed process costs no import")

KILLED = """
import os, random, signal, sys, time
from pathlib import Path
from runhaven.sealed import run, segment, view, write
from runhaven.sealed.seal import seal
from runhaven.store.directory import RunDirectory

directory = RunDirectory(Path(sys.argv[1]))
chance = random.Random(5)
took = 0.05
while True:
    child = os.fork()
    if child == 0:
        try:
            seal(directory)
        finally:
            os._exit(0)
    time.sleep(chance.uniform(0, took))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    # Moments before the end, however long that takes here.
    took *= 1.05 if status else 0.8
    print(status, flush=True)
    if sys.stdin.readline() != "go on\\n":
        break
"""


def rows(run: Run) -> list[int]:
    return [row["i"] for row in run.scan_history(["i"])]


def test_sealers_killed_at_fifty_moments_lose_and_double_nothing(written):
    """After each SIGKILL the run reads as before; in the end it is sealed, and the leavings can be collected."""
    for step in range(4000):
        written.log({"i": step, "x": step / 7, "text": f"t{step}"}, step)
    written.close()
    command = [sys.executable, "-c", KILLED, str(written.directory.path)]
    sealer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert sealer.stdin is not None
    assert sealer.stdout is not None
    moments = killed = 0
    while moments < 50 or killed <= 10:
        moments += 1
        killed += int(sealer.stdout.readline()) == signal.SIGKILL
        assert rows(Run(written.directory)) == list(range(4000))
        if newest(place_to_read(written.directory)).segments:
            shutil.rmtree(place_to_read(written.directory))
        sealer.stdin.write("go on\n")
        sealer.stdin.flush()
    sealer.communicate()
    seal(written.directory)

    assert rows(Run(written.directory)) == list(range(4000))
    assert Run(written.directory).damage == []
    named = newest(place_to_read(written.directory)).checksums
    for path in place_to_read(written.directory).iterdir():
        os.utime(path, (0, 0))
    left = [path for path in find_waste(written.directory).paths if path.parent.name == "sealed"]
    assert not {path.name for path in left} & named.keys()


def test_many_sealers_of_a_running_run(tmp_path):
    """Six processes that seal a run while it is written neither lose nor double a row."""
    run = runhaven.init(project="p", id="abc")
    run.log({"i": 0})
    directory = next(iter(runhaven.Api().runs())).directory
    stop = tmp_path / "stop"
    code = (
        "import os, sys\nfrom pathlib import Path\nfrom runhaven.sealed.seal import seal\n"
        "from runhaven.store.directory import RunDirectory\nparent = os.getppid()\n"
        "while not Path(sys.argv[2]).exists() and os.getppid() == parent:\n    seal(RunDirectory(Path(sys.argv[1])))\n"
    )
    sealers = [subprocess.Popen([sys.executable, "-c", code, str(directory.path), str(stop)]) for _ in range(6)]
    step = 0
    while newest(place_to_read(directory)).number < 12:
        for _ in range(100):
            step += 1
            run.log({"i": step})
        time.sleep(0.01)
    run.finish()
    stop.touch()
    codes = [sealer.wait() for sealer in sealers]
    found = runhaven.Api().run("p/abc")

    assert codes == [0] * 6
    assert newest(place_to_read(directory)).number >= 12
    assert rows(found) == list(range(step + 1))
    assert found.damage == []
    seal(directory)
    assert int(found.curve("i").count.sum()) == int(runhaven.Api().run("p/abc").curve("i").count.sum()) == step + 1


def test_a_directory_copied_while_it_is_written_and_sealed(tmp_path):
    """`cp -r`, while another process logs, gives a beginning of the rows; should a fold pass it by, the gap is told."""
    code = (
        "import os, runhaven, sys, time\nfrom pathlib import Path\nrun = runhaven.init(project='p', id='abc')\nstep, parent = 0, os.getppid()\n"
        "while not Path(sys.argv[1]).exists() and os.getppid() == parent:\n    run.log({'i': step})\n    step += 1\n    time.sleep(0.0001)\n"
        "run.finish()\nprint(step)\n"
    )
    stop = tmp_path / "stop"
    logging = subprocess.Popen([sys.executable, "-c", code, str(stop)], stdout=subprocess.PIPE, text=True)
    directory = until(runhaven.Api().runs)[0].directory
    lengths: list[int] = [0]
    for turn in range(12):
        until(lambda: len(rows(Run(directory))) > lengths[-1] + 100)
        if turn % 3 == 2:
            seal(directory)
        copy = tmp_path / str(turn) / "runs" / directory.path.parent.name / directory.ulid
        copy.parent.mkdir(parents=True)
        # A segment that is folded meanwhile vanishes under the hands of `cp`.
        subprocess.run(["cp", "-r", str(directory.path), str(copy)], capture_output=True, check=False)
        (found,) = runhaven.Api(tmp_path / str(turn)).runs()
        read = rows(found)
        # Frames that were copied before a fold, and a tail after it: what lies between is missing, and said to be.
        is_gap_told = any("missing" in damage.reason for damage in found.damage)
        assert read == (sorted(set(read)) if is_gap_told else list(range(len(read))))
        lengths.append(len(read))
    stop.touch()
    logged = int(logging.communicate()[0])

    assert 0 < lengths[1] < max(lengths) <= logged
    assert rows(runhaven.Api().run("p/abc")) == list(range(logged))
