"""What only a machine with a GPU can tell: how long the driver takes to answer, and what watching and logging cost there.

    python benchmarks/gpu.py                 # all parts that can run here; without a GPU it says so and ends
    python benchmarks/gpu.py nvml log        # these parts
    python benchmarks/gpu.py watch --device cpu   # to see without a GPU that this part runs

Parts: `nvml`, how long each function and field value takes, which activity can be read without being root, and what a whole beat of
our source takes; `log`, `log()` of CUDA scalars beside `log()` of what `.item()` waits for; `watch`, what a look of `watch()` adds to a step
beside `wandb.watch`, if that is installed, with `benchmarks/watch.py` on the GPU. Each prints a table in Markdown for `docs/performance.md`, under a line
that names the hardware.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

from watch import MODELS, is_installed
from watch import one as measure_watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

REPEATS = 50
FIELDS_AND_WHAT = {
    83: "energy", 185: "mean power", 186: "power now", 190: "power limit", 82: "memory temperature", 74: "throttled: power",
    75: "throttled: thermal", 76: "throttled: sync boost", 77: "throttled: board limit", 79: "throttled: reliability",
    269: "throttled: software thermal", 270: "throttled: hardware thermal", 271: "throttled: power brake", 197: "PCIe sent",
    198: "PCIe received", 138: "NVLink sent", 139: "NVLink received", 202: "NVLink 5 sent", 204: "NVLink 5 received",
    94: "PCIe replays", 3: "ECC corrected", 4: "ECC uncorrected", 142: "remapped, corrected", 144: "remap pending",
    230: "recovery action", 45: "NVLink CRC errors", 163: "NVLink CRC errors, newer",
}  # fmt: skip
ALL_LINKS = frozenset({138, 139, 202, 204, 163})


def main() -> None:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(PARTS)}; all by default")
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"), help="cpu: a check of the part `watch`")
    given = parser.parse_args()
    if given.device == "cpu":
        table(WATCH_HEAD, watch_rows("cpu", ["mlp"], steps=2))
        return
    wanted = given.parts or list(PARTS)
    if unknown := set(wanted) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}; choose from {', '.join(PARTS)}")
    print(f"{hardware()}\n")
    for name in wanted:
        print(f"## {name}\n")
        PARTS[name]()
        print()


def hardware() -> str:
    """Connect to the driver and name what is measured; ends the script where there is none."""
    try:
        import pynvml

        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except Exception as error:
        sys.exit(f"There is no NVIDIA GPU to measure here ({error!r}). Run this on a machine with one.")
    if not count:
        sys.exit("There is no NVIDIA GPU to measure here: the driver knows of none. Run this on a machine with one.")
    names = {pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(index)) for index in range(count)}
    who = "root" if os.geteuid() == 0 else "not root"
    return f"{count} x {', '.join(sorted(names))}, driver {pynvml.nvmlSystemGetDriverVersion()}, {os.cpu_count()} processors, {who}"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table in Markdown."""
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(map(str, row))} |")


def took_us(call: Callable[[], Any], repeats: int = REPEATS) -> list[float]:
    """Return how long each of many calls took, in microseconds, sorted."""
    times: list[float] = []
    for _ in range(repeats):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1e6)
    return sorted(times)


def spread(times: Sequence[float]) -> tuple[str, str, str]:
    """Return median, 95th percentile and greatest."""
    return f"{statistics.median(times):.1f}", f"{times[int(0.95 * (len(times) - 1))]:.1f}", f"{times[-1]:.1f}"


# nvml


def nvml() -> None:
    """How long the driver takes."""
    import pynvml

    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    table(
        ["function", "median us", "p95 us", "max us", "code"],
        [row for name in FUNCTIONS for row in time_function(handle, name)],
    )
    print()
    table(["field value", "driver's own us", "code", "type"], field_rows(handle))
    print()
    table(["activity (GPM)", ""], gpm_rows(handle))
    print()
    table(["our source, all GPUs", "median us", "p95 us", "max us", "CPU us"], beat_rows())


FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "nvmlDeviceGetUtilizationRates": (),
    "nvmlDeviceGetMemoryInfo": (),
    "nvmlDeviceGetPowerUsage": (),
    "nvmlDeviceGetTotalEnergyConsumption": (),
    "nvmlDeviceGetTemperature": (0,),
    "nvmlDeviceGetTemperatureV": (0,),
    "nvmlDeviceGetClockInfo": (1,),
    "nvmlDeviceGetCurrentClocksEventReasons": (),
    "nvmlDeviceGetPerformanceState": (),
    "nvmlDeviceGetFanSpeed": (),
    "nvmlDeviceGetCurrPcieLinkGeneration": (),
    "nvmlDeviceGetEncoderUtilization": (),
    "nvmlDeviceGetComputeRunningProcesses": (),
    "nvmlDeviceGetTotalEccErrors": (0, 0),
    "nvmlDeviceGetPcieThroughput": (0,),  # why we never call it
}


def time_function(handle: Any, name: str) -> list[tuple[str, ...]]:
    """Return a row about a function, which the installed pynvml may lack."""
    import pynvml

    function, codes = getattr(pynvml, name, None), [0]
    if function is None:
        return []

    def call() -> None:
        try:
            function(handle, *FUNCTIONS[name])
        except pynvml.NVMLError as error:
            codes.append(error.value)

    return [(name, *spread(took_us(call)), str(codes[-1]))]


def field_rows(handle: Any) -> Iterable[tuple[object, ...]]:
    """Yield a row for each field value, with what the driver says it took."""
    import pynvml

    for field, what in FIELDS_AND_WHAT.items():
        asked: Any = (field, 0xFFFFFFFF) if field in ALL_LINKS else field
        found = [pynvml.nvmlDeviceGetFieldValues(handle, [asked])[0] for _ in range(5)]
        yield (
            f"{field} {what}",
            statistics.median(one.latencyUsec for one in found),
            found[-1].nvmlReturn,
            found[-1].valueType,
        )


def gpm_rows(handle: Any) -> Iterable[tuple[object, ...]]:
    """Yield what of the performance monitor can be used by who runs this."""
    from runhaven_gpu_monitor.nvml.driver import Driver
    from runhaven_gpu_monitor.nvml.gpm import GpmPair, has_gpm
    from runhaven_gpu_monitor.nvml.metric import ACTIVITY
    from runhaven_gpu_monitor.nvml.quantity import Gpm

    driver = Driver()
    driver.start()
    yield "supported", has_gpm(driver, handle)
    if not has_gpm(driver, handle):
        return
    pair = GpmPair(driver, lambda sample: driver.function("nvmlGpmSampleGet")(handle, sample))
    metrics = [way.quantity for metric in ACTIVITY for way in metric.ways if isinstance(way.quantity, Gpm)]
    pair.read(metrics, 0.0, {})
    time.sleep(0.5)
    answers: dict[Any, float] = {}
    began = time.perf_counter()
    failed = dict(pair.read(metrics, 1.0, answers))
    yield "a sample and its metrics, us", f"{(time.perf_counter() - began) * 1e6:.1f}"
    for metric, quantity in zip(ACTIVITY, metrics, strict=True):
        yield metric.name, answers.get(quantity, f"code {failed.get(quantity)}")
    pair.close()


def beat_rows() -> Iterable[tuple[object, ...]]:
    """Yield what a beat of ours takes: usual ones, and those in which everything is due."""
    from runhaven_gpu_monitor.nvml import NvmlSource

    for name, seldom_s in (("a beat", 1e9), ("a beat with all that is read seldom", 0.0)):
        source = NvmlSource(seldom_s=seldom_s)
        source.open(print)
        source.sample()
        times: list[float] = []
        cpu_us = 0.0
        for _ in range(20):
            time.sleep(0.12)  # the performance monitor wants more than 100 ms between two samples
            cpu_s = time.thread_time()
            times += took_us(source.sample, 1)
            cpu_us += (time.thread_time() - cpu_s) * 1e6
        yield name, *spread(sorted(times)), f"{cpu_us / 20:.0f}"
        source.close()


# log


def log() -> None:
    """What `log()` of scalars on the GPU takes of the training thread, beside `.item()`."""
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed: this part was left out.")
        return
    if not torch.cuda.is_available():
        print("PyTorch sees no GPU: this part was left out.")
        return
    import runhaven

    weights = torch.randn(4096, 4096, device="cuda")
    rows: list[tuple[object, ...]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        runhaven.init(project="gpu", dir=folder, settings={"silent": True}) as run,
    ):
        for name, convert in (("log() of 10 CUDA scalars", lambda x: x), ("log() of 10 x .item()", lambda x: x.item())):
            rows.append((name, *spread(log_times(run, weights, convert))))
    table(["", "median us", "p95 us", "max us"], rows)


def log_times(run: Any, weights: Any, convert: Callable[[Any], Any]) -> list[float]:
    """Return how long the training thread stays in `log()` while the GPU has work queued, in microseconds."""
    import torch

    times: list[float] = []
    for step in range(REPEATS):
        out = weights
        for _ in range(20):
            out = out @ weights / 64
        scalars = {f"loss/{index}": out[index, 0].detach() for index in range(10)}
        began = time.perf_counter()
        run.log({key: convert(value) for key, value in scalars.items()}, step=step)
        times.append((time.perf_counter() - began) * 1e6)
        torch.cuda.synchronize()
    return sorted(times)


# watch

WATCH_HEAD = [
    "model",
    "",
    "a step, ms",
    "a look adds, ms",
    "ns an element",
    "CPU of all threads, ms",
    "waits for the device",
]


def watch() -> None:
    """What a look at the gradients adds to a synchronised step, and how often it makes the host wait."""
    table(WATCH_HEAD, watch_rows("cuda", MODELS, steps=30))


def watch_rows(device: str, models: Iterable[str], steps: int) -> Iterable[tuple[object, ...]]:
    """Yield a row for each model and tracker, each from a process of its own."""
    for name in models:
        for tracker in filter(is_installed, ("runhaven", "exact", "sampled", "wandb")):
            found = measure_watch(tracker, name, "gradients", steps, device)
            ms = [f"{found[key] * 1e3:.2f}" for key in ("step_s", "look_s", "all_s")]
            per_element = f"{found['look_s'] / found['elements'] * 1e9:.3f}"
            yield name, tracker, *ms[:2], per_element, ms[2], found["waits"]


PARTS: dict[str, Callable[[], None]] = {"nvml": nvml, "log": log, "watch": watch}


if __name__ == "__main__":
    main()
