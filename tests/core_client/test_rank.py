"""Which rank a process has, and what the others do."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

import runhaven
from runhaven.rank import Rank, detect


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, Rank(0, 1, None)),
        ({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "1", "TORCHELASTIC_RUN_ID": "job"}, Rank(3, 8, "torchelastic job")),
        ({"LOCAL_RANK": "1", "NODE_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "h", "MASTER_PORT": "1"}, Rank(1, 2, "master h:1")),
        ({"LOCAL_RANK": "0", "WORLD_SIZE": "1"}, Rank(0, 1, None)),
        ({"SLURM_PROCID": "5", "SLURM_NTASKS": "6", "SLURM_STEP_ID": "0", "SLURM_JOB_ID": "9"}, Rank(5, 6, "slurm 9.0")),
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "6", "SLURM_JOB_ID": "9", "SLURM_JOB_NAME": "interactive"}, Rank(0, 1, None)),
        ({"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2"}, Rank(1, 2, None)),
    ],
)  # fmt: skip
def test_launchers_are_understood(environment, expected):
    """torchrun, Lightning, SLURM and MPI each say the rank in their own way."""
    assert detect(environment) == expected


TRAIN = """
    import os, runhaven, sys
    import runhaven.opening
    runhaven.opening.ATTACH_PATIENCE_S = runhaven.opening.SHARED_PATIENCE_S = 600
    run = runhaven.init(project="p", mode=sys.argv[1])
    for i in range(5):
        run.log({f"rank{os.environ['RANK']}": i})
    print("hello from", os.environ["RANK"])
    sys.stdin.read()
    run.finish()
    """


@pytest.mark.parametrize(("mode", "streams"), [("offline", {""}), ("shared", {"", "rank=1"})])
def test_ranks_make_one_run(mode, streams):
    """Two ranks of one launch make one run; the second one's rows are kept in shared mode alone."""
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29999", "TORCHELASTIC_RUN_ID": f"t-{mode}"}
    children = [
        subprocess.Popen([sys.executable, "-c", textwrap.dedent(TRAIN), mode], env=os.environ | common | {"RANK": str(rank)}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        for rank in (0, 1)
    ]  # fmt: skip
    # The run is over when rank 0 says so: it stays for the other one.
    for child in reversed(children):
        child.communicate()
    assert [child.returncode for child in children] == [0, 0]
    (run,) = runhaven.Api().runs()

    assert run.state == "finished"
    assert {series.stream for series in run.series()} == streams
    assert {line.text for line in run.logs()} == {"hello from 0", "hello from 1"}


def test_a_rank_that_finds_no_run_to_share_says_so(monkeypatch, capfd):
    """Without a rank 0 the rows of another rank cannot be kept, and one line says it."""
    monkeypatch.setattr("runhaven.opening.SHARED_PATIENCE_S", 0.2)
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29998"}.items():
        monkeypatch.setenv(name, value)
    run = runhaven.init(project="p", mode="shared")
    run.log({"a": 1})
    run.finish()

    assert capfd.readouterr().err.count("rank 1 found no run to share") == 1
    assert not runhaven.Api().runs()


def test_a_child_without_a_rank_has_a_run_of_its_own():
    """A script that a run starts, and that calls `init()` too, is another run."""
    code = "import runhaven\nrunhaven.init(project='child').finish()"
    runhaven.init(project="parent")
    subprocess.run([sys.executable, "-c", code], check=True)

    assert {run.project for run in runhaven.Api().runs()} == {"parent", "child"}
