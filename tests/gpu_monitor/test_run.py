"""GPUs beside a real run: sampled, summed up, lost, and still there after the process was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import runhaven
from runhaven.platform.lock import FileLock
from runhaven_cli.app import runhaven_command

BEGIN = """
import os, sys, time
sys.path[:0] = [{here!r}, {tests!r}]
from fake_gpu import *
from waiting import until
fake = FakeDriver({library!r})
fake.be_h100()
fake.set("gpm", 0)
import runhaven
run = runhaven.init(project="p", id="r", settings=runhaven.Settings(x_stats_sampling_interval=0.2))
found = lambda: runhaven.Api().run("p/r")
def readings(key):
    "Wait until two more of them can be read."
    count = lambda: sum(key in row for row in found().scan_history(stream="system"))
    wanted = count() + 2
    until(lambda: count() >= wanted)
"""


def train(library: Path, code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).parent
    text = BEGIN.format(here=str(here), tests=str(here.parent), library=str(library)) + textwrap.dedent(code)
    clean = {name: value for name, value in os.environ.items() if name != "RUNHAVEN_X_DISABLE_STATS"}
    return subprocess.run([sys.executable, "-c", text], check=False, env=clean | environment, capture_output=True, text=True)  # fmt: skip


def series(run: Any, key: str) -> list[float]:
    return [row[key] for row in run.scan_history(stream="system") if key in row]


def test_a_run_knows_what_it_used_and_which_gpu_it_lost(library, store):
    """Readings are series of the node, a lost GPU is an alert and a series, and what was used is in every view of the run."""
    began = time.monotonic()
    done = train(
        library,
        """
        readings("gpu/1/utilization_percent"); fake.fail("*", 15, gpu=1); readings("gpu/1/lost")
        run.finish()
        """,
        CUDA_VISIBLE_DEVICES="0",
    )
    took = time.monotonic() - began
    assert done.returncode == 0, done.stderr
    run = runhaven.Api(store).run("p/r")
    shown = CliRunner().invoke(runhaven_command, ["--dir", str(store), "show", "r"]).output

    assert run.metadata["devices"][f"node={os.uname().nodename}"]["gpus"][0]["is_visible"]
    assert set(series(run, "gpu/0/utilization_percent")) == {87}
    assert series(run, "gpu/1/lost")[-1] == 1
    assert [(alert["title"], alert["level"]) for alert in run.alerts] == [("GPU 1 is lost", "ERROR")]
    assert run.usage["gpu_count"] == 1
    assert 0 < run.usage["gpu_hours"] * 3600 < took
    assert run.usage["gpu_utilization_percent"] == {"mean": pytest.approx(87), "max": 87}
    assert run.summary["system/gpu_memory_used_percent.max"] == 75.0
    assert "1 x Fake GPU A for" in shown
    assert "GPU 87 % busy" in shown


@pytest.mark.parametrize("wanted", ["0", "1"])
def test_the_engines_for_video_are_read_if_the_setting_says_so(library, store, wanted):
    """Their utilisation is a series of the run with `x_stats_gpu_engines`, and not asked for without."""
    done = train(library, "readings('gpu/1/utilization_percent'); run.finish()", RUNHAVEN_X_STATS_GPU_ENGINES=wanted)
    run = runhaven.Api(store).run("p/r")

    assert done.returncode == 0, done.stderr
    assert set(series(run, "gpu/1/encoder_utilization_percent")) == ({1} if wanted == "1" else set())
    assert series(run, "gpu/1/utilization_percent")


def test_a_killed_run_keeps_what_it_used(library, store):
    """Nobody could finish anything, and the sums of the last beat are there."""
    done = train(
        library,
        """
        import runhaven.machine_load as load
        load.USAGE_INTERVAL_S = 0.2
        until(lambda: (found().usage or {}).get("gpu_hours", 0) * 3600 > 2)
        os.kill(os.getpid(), 9)
        """,
    )
    run = runhaven.Api(store).run("p/r")

    assert done.returncode == -signal.SIGKILL
    assert run.state == "crashed"
    assert run.usage["gpu_count"] == 2
    assert run.usage["gpu_hours"] * 3600 > 2
    assert run.summary["system/gpu_hours"] == run.usage["gpu_hours"]


def test_sampling_that_is_off_imports_nothing(library, store):
    """No thread, no driver, no package of the monitor."""
    done = train(
        library,
        """
        import threading
        run.log({"a": 1})
        print([t.name for t in threading.enumerate() if "sampler" in t.name], [m for m in ("pynvml", "psutil") if m in sys.modules], fake.calls())
        """,
        RUNHAVEN_X_DISABLE_STATS="1",
    )

    assert done.stdout.splitlines()[-1] == "[] [] 0", done.stderr


def test_a_forked_child_does_not_keep_others_from_sampling(library, store):
    """The process that sampled is killed, its data loader hangs on: the lock of the election is free all the same."""
    done = train(
        library,
        """
        readings("gpu/1/utilization_percent")
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            [os.close(fd) for fd in (0, 1, 2)]; os.write(write, b"."); time.sleep(600); os._exit(0)
        os.read(read, 1)
        print(pid, flush=True)
        os.kill(os.getpid(), 9)
        """,
    )
    child = int(done.stdout.split()[-1])
    (path,) = runhaven.Api(store).run("p/r").directory.path.glob("sampler-*.lock")
    try:
        os.kill(child, 0)
        lock = FileLock(path)

        assert lock.acquire()
        lock.release()
    finally:
        os.kill(child, signal.SIGKILL)
