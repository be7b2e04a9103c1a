"""What watching the machine costs: CPU time of a beat for 8 GPUs, beside a naive loop of plain pynvml calls, in one run.

    python benchmarks/monitor.py            # needs gcc: GPUs and driver are a library of ours that answers at once
    python benchmarks/monitor.py --quick

The stand-in takes next to no time to answer, so the figures are what Python and ctypes cost; a real driver adds what `benchmarks/gpu.py`
measures. "stand-in alone" is a loop that only calls the same functions of the same library as often, with buffers laid out
before: the floor. "plain pynvml" calls pynvml's functions for the same readings, its field values in one call or, as one would
naively, one by one. Figures are medians over rounds of CPU time per beat.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "gpu_monitor"))

from fake_gpu import FakeDriver, build

if TYPE_CHECKING:
    from collections.abc import Callable

GPUS = 8
INTERVAL_S = 10.0


def nothing(_: object) -> None:
    """Hear of nothing."""


def floor(fake: FakeDriver) -> Callable[[], None]:
    """Return a beat that only calls what ours calls."""
    import pynvml

    from runhaven_gpu_monitor.nvml import layout

    library = fake.library
    handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(GPUS)]
    utilization, number = layout.Utilization(), ctypes.c_ulonglong()
    memory = layout.MemoryV2(version=layout.versioned(layout.MemoryV2, 2))
    temperature = layout.Temperature(version=layout.versioned(layout.Temperature, 1))
    fields = (82, 83, 74, 75, 76, 77, 79, 269, 270, 271, 138, 139)
    values = ctypes.create_string_buffer(layout.FIELD_VALUE.size * len(fields))
    for at, field in enumerate(fields):
        layout.FIELD_VALUE.pack_into(values, layout.FIELD_VALUE.size * at, field, 0, 0, 0, 0, 0, 0)

    def beat() -> None:
        for handle in handles:
            library.nvmlDeviceGetFieldValues(handle, len(fields), values)
            library.nvmlDeviceGetUtilizationRates(handle, ctypes.byref(utilization))
            library.nvmlDeviceGetMemoryInfo_v2(handle, ctypes.byref(memory))
            library.nvmlDeviceGetTemperatureV(handle, ctypes.byref(temperature))
            library.nvmlDeviceGetClockInfo(handle, 1, ctypes.byref(number))
            library.nvmlDeviceGetClockInfo(handle, 2, ctypes.byref(number))

    return beat


def plain(*, in_common: bool) -> Callable[[FakeDriver], Callable[[], None]]:
    """Return what makes a beat of pynvml's functions, with field values in one call or one by one."""
    fields = [82, 83, 74, 75, 76, 77, 79, 269, 270, 271, 138, 139]
    batches = [fields] if in_common else [[field] for field in fields]

    def make(_: FakeDriver) -> Callable[[], None]:
        import pynvml

        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(GPUS)]

        def beat() -> None:
            for handle in handles:
                pynvml.nvmlDeviceGetUtilizationRates(handle)
                pynvml.nvmlDeviceGetMemoryInfo(handle, version=pynvml.nvmlMemory_v2)
                pynvml.nvmlDeviceGetTemperatureV(handle, 0)
                pynvml.nvmlDeviceGetClockInfo(handle, 1)
                pynvml.nvmlDeviceGetClockInfo(handle, 2)
                for batch in batches:
                    [value.value.ullVal for value in pynvml.nvmlDeviceGetFieldValues(handle, batch)]

        return beat

    return make


def ours(*, gpm: int, seldom_s: float = 1e9) -> Callable[[FakeDriver], Callable[[], Any]]:
    """Return what makes our beat, with or without a performance monitor, and with what is read seldom every so often."""

    def make(fake: FakeDriver) -> Callable[[], Any]:
        from runhaven_gpu_monitor.nvml import NvmlSource

        fake.set("gpm", gpm)
        source = NvmlSource(seldom_s=seldom_s)
        facts = source.open(nothing)
        assert facts is not None
        assert len(facts["gpus"]) == GPUS
        source.sample()  # the first row has all that is read seldom
        return source.sample

    return make


def host(_: FakeDriver) -> Callable[[], Any]:
    """Return a reading of the host."""
    from runhaven_gpu_monitor.host import HostSource

    source = HostSource()
    source.open(nothing)
    return source.sample


def summing(fake: FakeDriver) -> Callable[[], Any]:
    """Return the summing up of a row."""
    from runhaven_gpu_monitor.nvml import NvmlSource
    from runhaven_gpu_monitor.usage import Usage

    fake.set("gpm", 1)
    source = NvmlSource()
    facts = source.open(nothing)
    assert facts is not None
    usage, values = Usage(facts["gpus"]), source.sample()
    return lambda: usage.add(values)


BEATS: dict[str, Callable[[FakeDriver], Callable[[], Any]]] = {
    "stand-in alone, 6 calls a GPU": floor,
    "Runhaven, without activity": ours(gpm=0),
    "plain pynvml, fields in one call": plain(in_common=True),
    "plain pynvml, one by one": plain(in_common=False),
    "Runhaven, Hopper with activity": ours(gpm=1),
    "Runhaven, all that is read seldom too": ours(gpm=1, seldom_s=0.0),
    "Runhaven, the host": host,
    "Runhaven, summing up what was used": summing,
}


def measure(beats: dict[str, Callable[[], Any]], *, rounds: int, repeats: int) -> dict[str, float]:
    """Return the median CPU time of each beat in milliseconds, in turns."""
    found: dict[str, list[float]] = {name: [] for name in beats}
    for _ in range(rounds):
        for name, beat in beats.items():
            began = time.thread_time()
            for _ in range(repeats):
                beat()
            found[name].append((time.thread_time() - began) / repeats * 1000)
    return {name: statistics.median(times) for name, times in found.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as directory:
        fake = FakeDriver(build(Path(directory)), gpus=GPUS)
        fake.be_h100()
        import pynvml

        pynvml.nvmlInit()
        found = measure({name: make(fake) for name, make in BEATS.items()}, rounds=5 if quick else 31, repeats=20)
    base = found["Runhaven, without activity"]
    print(
        f"{GPUS} GPUs, CPU time of one beat\n\n| | ms | of a core, at a beat every {INTERVAL_S:.0f} s | beside Runhaven |"
    )
    print("|---|---|---|---|")
    for name, milliseconds in found.items():
        print(f"| {name} | {milliseconds:.3f} | {milliseconds / INTERVAL_S / 10:.4f} % | x {milliseconds / base:.2f} |")


if __name__ == "__main__":
    main()
