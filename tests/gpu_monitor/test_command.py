"""`python -m runhaven_gpu_monitor`, as a person runs it."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BENCHMARKS = HERE.parents[1] / "benchmarks"
BUSY = """
import os, sys
sys.path.insert(0, {here!r})
from fake_gpu import *
fake = FakeDriver({library!r}); fake.be_h100()
fake.set("utilization", 55, gpu=1); fake.fail("nvmlDeviceGetUtilizationRates", 15, gpu=0)
from runhaven_gpu_monitor.__main__ import main
sys.exit(main({arguments!r}))
"""


def show(library: Path | None, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = ["-m", "runhaven_gpu_monitor", *arguments]
    if library:
        command = ["-c", BUSY.format(here=str(HERE), library=str(library), arguments=list(arguments))]
    clean = os.environ | {"COLUMNS": "160", "PYTHONIOENCODING": "utf-8"} | environment
    return subprocess.run([sys.executable, *command], env=clean, capture_output=True, text=True, check=False)


def test_one_reading_as_a_table(library):
    """Host and GPUs in rows under one head, a lost GPU as such, and what happened below; no colours in a pipe."""
    done = show(library, "--once")
    lines = done.stdout.splitlines()
    (head,) = [line for line in lines if line.startswith("GPU  NAME")]
    (row,) = [line for line in lines if line.startswith("  1  ")]

    assert done.returncode == 0, done.stderr
    assert re.search(r"cpu .* of [\d.]+ processors", done.stdout)
    assert "55 %" in row
    assert "60.0/80.0 GiB" in row
    assert head.index("TEMP") == row.index("64 °C")
    assert re.search(r"^  0  Fake GPU A +lost$", done.stdout, re.MULTILINE)
    assert "GPU 0 is lost: Fake GPU A (GPU-0-0000) does not answer" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("width", [40, 80, 120])
def test_narrow_terminals_lose_columns_not_order(library, width):
    """No line of the table is longer than the terminal is wide."""
    done = show(library, "--once", COLUMNS=str(width))
    table = done.stdout.split("GPU  NAME")[1].split("GPU 0 is lost:")[0]

    assert max(len(line) for line in ("GPU  NAME" + table).splitlines()) <= width


def test_a_terminal_without_unicode_gets_ascii(library):
    """Bars of ASCII where nothing else can be shown."""
    done = show(library, "--once", PYTHONIOENCODING="ascii")

    assert done.returncode == 0, done.stderr
    assert "[######......]  55 %" in done.stdout


def test_json_for_scripts(library):
    """Each line is whole JSON; one reading alone has the facts about the devices too."""
    done = show(library, "--json", "--once")
    found = json.loads(done.stdout)

    assert [gpu["uuid"] for gpu in found["device"]["gpus"]] == ["GPU-0-0000", "GPU-1-0000"]
    assert found["readings"]["gpu/1/utilization_percent"] == 55
    assert found["incidents"][0]["title"] == "GPU 0 is lost"


def test_without_a_gpu_the_host_is_shown():
    """A clear word instead of a table, and the rest as ever; JSON stays clean and gets the word on stderr."""
    text, data = show(None, "--once"), show(None, "--once", "--json")

    assert text.returncode == data.returncode == 0
    assert "No GPU is read here: no NVIDIA driver answers" in text.stdout
    assert re.search(r"^memory .* GiB$", text.stdout, re.MULTILINE)
    assert json.loads(data.stdout)["readings"]["memory/used_percent"] > 0
    assert "No GPU is read here" in data.stderr


@pytest.mark.parametrize("interval", ["0", "-1", "nan", "fast"])
def test_a_wrong_interval_is_explained(interval):
    """What is no time, or too short, is named, with what would do."""
    done = show(None, "--interval", interval)

    assert done.returncode == 2
    assert "is no time of 0.2 seconds or more" in done.stderr


@pytest.mark.parametrize("no_colour", [False, True])
def test_live_it_redraws_in_place_and_leaves_the_terminal_as_it_was(library, no_colour):
    """On a terminal each reading replaces the one before; Ctrl-C ends it quietly and brings the old screen back."""
    code = BUSY.format(here=str(HERE), library=str(library), arguments=["--interval", "0.2"])
    parent, child = pty.openpty()
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "NO_COLOR": "1" if no_colour else ""}
    process = subprocess.Popen([sys.executable, "-c", code], stdout=child, stderr=child, env=environment)
    os.close(child)
    seen = b""
    while seen.count(b"\x1b[H") < 3:
        seen += os.read(parent, 1 << 16)
    process.send_signal(signal.SIGINT)
    # A terminal that its last process has left cannot be read any more.
    with contextlib.suppress(OSError):
        while data := os.read(parent, 1 << 16):
            seen += data
    os.close(parent)

    assert process.wait() == 0, seen
    assert seen.startswith(b"\x1b[?1049h")
    assert seen.endswith(b"\x1b[?25h\x1b[?1049l")
    assert (b"\x1b[32m" in seen) is not no_colour
    assert b"Traceback" not in seen


def test_the_benchmark_of_the_monitor_runs(library):
    """It builds a stand-in of its own, measures eight GPUs, and prints a table."""
    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "monitor.py"), "--quick"], capture_output=True, text=True, check=False
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "| Runhaven, without activity |" in done.stdout


def test_the_benchmark_for_gpus_runs(library):
    """Over the stand-in it times every function and field value and finds out what may be read; without a GPU it says so."""
    text = f"import runpy, sys; sys.path[:0] = {[str(HERE), str(BENCHMARKS)]!r}; from fake_gpu import *; fake = FakeDriver({str(library)!r}); fake.be_h100(); "
    text += f"sys.argv = ['gpu.py', 'nvml']; runpy.run_path({str(BENCHMARKS / 'gpu.py')!r}, run_name='__main__')"
    measured, bare = (
        subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
        for command in (["-c", text], [str(BENCHMARKS / "gpu.py")])
    )

    assert measured.returncode == 0, measured.stderr
    assert measured.stdout.startswith("2 x Fake GPU A, driver 600.1")
    assert "| 83 energy | 7 | 0 | 3 |" in measured.stdout
    assert "| tensor_active_percent | 0.0 |" in measured.stdout
    assert "| a beat |" in measured.stdout
    assert bare.returncode == 1
    assert bare.stderr.startswith("There is no NVIDIA GPU to measure here")
