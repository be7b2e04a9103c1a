"""Tails that lie in a spool, because the store is on a network file system, outlive their process."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from waiting import until

import runhaven
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import RowBlock
from runhaven.store.layout import Store
from runhaven.store.spool import recover

SPOOLED = """
import os, runhaven, sys
from runhaven.store import spool
spool.is_network = lambda path: path.name == "store"
spool.is_memory = lambda path: False
run = runhaven.init(project="p", id=sys.argv[1])
for i in range(1000):
    run.log({"i": i})
"""
KILL = "os.kill(os.getpid(), 9)"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def start(run_id: str, ending: str) -> None:
    subprocess.run(
        [sys.executable, "-c", SPOOLED + ending, run_id], env=os.environ | {"RUNHAVEN_CODE": "0"}, check=False
    )


def rows_for_other_hosts(store) -> list[int]:
    directory = next(run for run in store.run_directories() if run.manifest().id == "killed")
    blocks = JournalReader(directory.journal).poll()
    return [int(value) for block in blocks if isinstance(block, RowBlock) for value in block.columns[0]]


def test_the_next_process_on_the_host_brings_a_killed_ones_rows(store, cache):
    """What SIGKILL left in the spool is in the run once another run has begun on that host, and the spool is empty."""
    start("killed", KILL)
    before = rows_for_other_hosts(Store(store))
    here = [row["i"] for row in runhaven.Api().run("p/killed").scan_history()]
    with subprocess.Popen(
        [sys.executable, "-c", SPOOLED + "input(); runhaven.finish()", "next"],
        stdin=subprocess.PIPE,
        env=os.environ | {"RUNHAVEN_CODE": "0"},
    ) as following:
        until(lambda: len(rows_for_other_hosts(Store(store))) == 1000)
        following.communicate(b"\n")

    assert before == []
    assert here == list(range(1000))
    assert rows_for_other_hosts(Store(store)) == list(range(1000))
    assert [row["i"] for row in runhaven.Api().run("p/killed").scan_history()] == list(range(1000))
    assert not list(cache.rglob("*.tail"))


def test_a_living_writers_tail_stays_where_it_is(store, cache):
    """Nothing is taken from a process that is still writing."""
    child = subprocess.Popen(
        [sys.executable, "-c", SPOOLED + "print('ready', flush=True); input()", "live"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    moved = recover(Store(store))
    tails = list(cache.rglob("*.tail"))
    child.communicate(b"\n")

    assert moved == 0
    assert tails


def test_a_run_whose_spool_is_gone_goes_on(store):
    """After a recovery has emptied the spool, the run is resumed in it."""
    start("killed", KILL)
    recover(Store(store))
    start("killed", "run.log({'i': 1000}); runhaven.finish()")

    until(lambda: len(rows_for_other_hosts(Store(store))) >= 2001)
    assert rows_for_other_hosts(Store(store)) == [*range(1000), *range(1000), 1000]
