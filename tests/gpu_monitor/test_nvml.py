"""GPU readings through the real pynvml, over a C library that stands in for the driver's."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(
    shutil.which("gcc") is None or sys.platform != "linux", reason="builds the stand-in with gcc"
)

BEGIN = """
import ctypes, json, time
fake = ctypes.CDLL({library!r}, mode=ctypes.RTLD_GLOBAL)
fail = lambda name, gpu, code: fake.fakeNvmlFail(name.encode(), gpu, code)
from runhaven_gpu_monitor.nvml import NvmlSource
source = NvmlSource(); told = []
"""


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("nvml") / "libnvidia-ml.so.1"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-Wl,-soname,libnvidia-ml.so.1", "-o", str(path)]
    subprocess.run([*command, str(Path(__file__).with_name("fake_nvml.c"))], check=True)
    return path


def play(library: Path, code: str) -> Any:
    """Run in a process of its own, with the stand-in loaded before pynvml looks for the driver."""
    text = BEGIN.format(library=str(library)) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_gpu_is_read_in_the_units_of_its_keys(library):
    """Load, memory without what the driver reserves, watts and degrees of each GPU, and who they are."""
    facts, values = play(library, "print(json.dumps([source.open(told.append), source.sample()]))")

    assert [gpu["name"] for gpu in facts["gpus"]] == ["Fake GPU 0", "Fake GPU 1"]
    assert facts["gpus"][1] == {
        "index": 1,
        "name": "Fake GPU 1",
        "uuid": "GPU-1",
        "memory_bytes": 1000,
        "driver": "600.1",
    }
    assert values == {
        f"gpu/{index}/{name}": value
        for index in (0, 1)
        for name, value in {
            "utilization_percent": 40 + index, "memory_used_bytes": 250, "memory_used_percent": 25.0, "power_watts": 71.25,
            "temperature_celsius": 55,
        }.items()
    }  # fmt: skip


def test_a_reading_that_is_not_supported_is_dropped(library):
    """NOT_SUPPORTED costs that reading of that GPU, once; an older call stands in where there is one."""
    first, calls, again = play(
        library,
        """
        source.open(told.append)
        fail("nvmlDeviceGetPowerUsage", 0, 3); fail("nvmlDeviceGetMemoryInfo_v2", 1, 13); fail("nvmlDeviceGetTemperatureV", 1, 25)
        first = source.sample()
        before = fake.fakeNvmlCalls(); again = source.sample()
        print(json.dumps([first, fake.fakeNvmlCalls() - before, again]))
        """,
    )

    assert "gpu/0/power_watts" not in first
    assert (first["gpu/1/power_watts"], first["gpu/1/memory_used_bytes"], first["gpu/1/temperature_celsius"]) == (
        71.25,
        300,
        54,
    )
    assert again == first
    assert calls == 7


def test_a_transient_error_is_a_gap(library):
    """An UNKNOWN error leaves one row without the reading; the next has it again."""
    gap, back = play(
        library,
        """
        source.open(told.append)
        fail("nvmlDeviceGetUtilizationRates", 0, 999); gap = source.sample()
        fail("nvmlDeviceGetUtilizationRates", 0, 0); print(json.dumps([gap, source.sample()]))
        """,
    )

    assert "gpu/0/utilization_percent" not in gap
    assert gap["gpu/1/utilization_percent"] == 41
    assert back["gpu/0/utilization_percent"] == 40


def test_a_lost_gpu_leaves_the_others(library):
    """GPU_IS_LOST ends the readings of that GPU alone."""
    values = play(
        library,
        "source.open(told.append); fail('nvmlDeviceGetUtilizationRates', 0, 15); print(json.dumps(source.sample()))",
    )

    assert {key.split("/")[1] for key in values} == {"1"}


def test_a_refused_gpu_is_passed_over(library):
    """In a container that may open one GPU of two, that one is read."""
    facts = play(library, "fail('nvmlDeviceGetHandleByIndex_v2', 0, 4); print(json.dumps(source.open(told.append)))")

    assert [gpu["index"] for gpu in facts["gpus"]] == [1]


def test_a_slow_driver_stalls_nobody(library):
    """While each call takes 20 ms in the driver, another thread goes on counting."""
    counted = play(
        library,
        """
        from runhaven_gpu_monitor.sampler import Sampler
        rows = []
        sampler = Sampler(rows.append, interval_s=0.05, sources=[source])
        fake.fakeNvmlDelay(20_000)
        sampler.start()
        until, counted = time.monotonic() + 2, 0
        while time.monotonic() < until:
            counted += 1
        sampler.stop()
        print(json.dumps([counted, len(rows)]))
        """,
    )

    assert counted[0] > 100_000
    assert counted[1] >= 1


def test_without_a_driver_there_is_one_debug_line(caplog):
    """Where there is no driver the source says so once, at debug level, and reads nothing."""
    from runhaven_gpu_monitor.nvml import NvmlSource

    with caplog.at_level("DEBUG", logger="runhaven_gpu_monitor"):
        assert NvmlSource().open(lambda _: None) is None

    assert [record.levelname for record in caplog.records] == ["DEBUG"]
