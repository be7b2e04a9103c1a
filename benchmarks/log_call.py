"""What one `log()` costs: on the calling thread, and in CPU of all threads and children, beside others in one run.

    python benchmarks/log_call.py            # Runhaven and the floor, and each peer that is installed
    python benchmarks/log_call.py --quick

Each tracker runs in processes of its own, one after the other in every round, and the figures are medians over rounds.
The floor packs the same values with `struct` and appends them with `os.write`: the least that survives SIGKILL through
a system call. Between two calls the thread computes for 0.2 ms, as a training does. "nothing" is that loop without a
tracker: its CPU time, the reading of clocks above all, is taken off the others' in the column "net".
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

Row: TypeAlias = "dict[str, float]"
TRACKERS = ("nothing", "floor", "runhaven", "trackio", "tensorboard", "wandb")
WIDTHS = (1, 10, 50)


def start_nothing(folder: str, width: int) -> tuple[Callable[[Row, int], object], Callable[[], object]]:  # noqa: ARG001
    return lambda _row, _step: None, lambda: None


def start_floor(folder: str, width: int) -> tuple[Callable[[Row, int], object], Callable[[], object]]:
    packer = struct.Struct(f"<q{width}d")
    fd = os.open(f"{folder}/floor", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    return lambda row, step: os.write(fd, packer.pack(step, *row.values())), lambda: os.close(fd)


def start_runhaven(folder: str, _: int) -> tuple[Callable[[Row, int], object], Callable[[], object]]:
    import runhaven

    run = runhaven.init(project="bench", dir=folder, settings={"silent": True})
    return lambda row, _step: run.log(row), run.finish


def start_wandb(folder: str, _: int) -> tuple[Callable[[Row, int], object], Callable[[], object]]:
    import wandb

    run = wandb.init(project="bench", dir=folder, mode="offline", settings=wandb.Settings(silent=True))
    return lambda row, _step: run.log(row), run.finish


def start_trackio(folder: str, _: int) -> tuple[Callable[[Row, int], object], Callable[[], object]]:
    os.environ["TRACKIO_DIR"] = folder
    import trackio

    run = trackio.init(project="bench", embed=False)
    return lambda row, _step: run.log(row), trackio.finish


def start_tensorboard(folder: str, _: int) -> tuple[Callable[[Row, int], object], Callable[[], object]]:
    from tensorboardX import SummaryWriter

    writer = SummaryWriter(folder)

    def log(row: Row, step: int) -> None:
        for key, value in row.items():
            writer.add_scalar(key, value, step)

    return log, writer.close


def cpu_s() -> float:
    return sum(
        used.ru_utime + used.ru_stime
        for used in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def family_cpu_s() -> float:
    """Return the CPU time of this process and of its living and dead descendants."""
    tick = os.sysconf("SC_CLK_TCK")
    parents: dict[int, tuple[int, float]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdecimal():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry)] = int(fields[1]), (int(fields[11]) + int(fields[12])) / tick
    total, wave = cpu_s(), {os.getpid()}
    while wave:
        wave = {pid for pid, (parent, _) in parents.items() if parent in wave}
        total += sum(parents[pid][1] for pid in wave)
    return total


def measure(tracker: str, width: int, calls: int, pace_s: float) -> dict[str, float]:
    """Run in a process of its own: print the figures of one tracker."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        log, finish = globals()[f"start_{tracker}"](folder, width)
        init_s = time.perf_counter() - started
        rows = [{f"metric{key}": (key + 1) / (row + 3) for key in range(width)} for row in range(64)]
        for step in range(50):
            log(rows[step % 64], step)
        time.sleep(1.0)
        clock, took = time.perf_counter_ns, []
        before, thread_before = family_cpu_s(), time.thread_time()
        for step in range(calls):
            row = rows[step % 64]
            begun = clock()
            log(row, step + 50)
            took.append(clock() - begun)
            spin(pace_s)
        thread_s = time.thread_time() - thread_before - calls * pace_s
        begun = time.perf_counter()
        finish()
        finish_s = time.perf_counter() - begun
        total_s = family_cpu_s() - before - calls * pace_s
    took.sort()
    return {
        "p50_us": took[calls // 2] / 1e3,
        "p99_us": took[calls * 99 // 100] / 1e3,
        "total_cpu_us": total_s / calls * 1e6,
        "thread_cpu_us": thread_s / calls * 1e6,
        "init_ms": init_s * 1e3,
        "finish_ms": finish_s * 1e3,
    }


def spin(seconds: float) -> None:
    """Compute for so much CPU time."""
    until = time.thread_time_ns() + int(seconds * 1e9)
    while time.thread_time_ns() < until:
        pass


def in_process(*arguments: str) -> dict[str, float] | None:
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | ENVIRONMENT,
    )
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        if os.environ.get("RUNHAVEN_BENCHMARK_DEBUG"):
            print(done.stderr[-2000:], file=sys.stderr)
        return None


ENVIRONMENT = {"RUNHAVEN_SILENT": "1", "WANDB_SILENT": "true", "PYTHONDONTWRITEBYTECODE": "0"}


def compare(calls: int, rounds: int, pace_s: float) -> None:
    print(f"\nlog() of floats, {calls} calls with {pace_s * 1e3} ms of computing between, medians of {rounds} rounds\n")
    print(
        f"{'':12} {'floats':>6} {'p50 us':>9} {'p99 us':>9} {'CPU us, all':>12} {'net':>6} {'init ms':>9} {'finish ms':>10} {'p50 / floor':>12}"
    )
    for width in WIDTHS:
        found: dict[str, list[dict[str, float]]] = {}
        for _ in range(rounds):
            for tracker in TRACKERS:
                figures = in_process("--measure", tracker, str(width), str(calls), str(pace_s))
                if figures:
                    found.setdefault(tracker, []).append(figures)
        floor = statistics.median(figures["p50_us"] for figures in found["floor"])
        loop = statistics.median(figures["total_cpu_us"] for figures in found["nothing"])
        for tracker, figures in found.items():
            median = {name: statistics.median(one[name] for one in figures) for name in figures[0]}
            print(
                f"{tracker:12} {width:6} {median['p50_us']:9.2f} {median['p99_us']:9.1f} {median['total_cpu_us']:12.1f} {median['total_cpu_us'] - loop:6.1f}"
                f" {median['init_ms']:9.1f} {median['finish_ms']:10.1f} {median['p50_us'] / floor:12.2f}",
                flush=True,
            )


def import_time() -> None:
    def once(code: str) -> float:
        begun = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return time.perf_counter() - begun

    plain, ours = zip(*[(once("pass"), once("import runhaven; runhaven.init")) for _ in range(9)], strict=True)
    print(
        f"\nimport runhaven with init ready: {(statistics.median(ours) - statistics.median(plain)) * 1e3:.0f} ms beside a bare interpreter"
    )
    bare = [once("import runhaven") for _ in range(9)]
    print(f"import runhaven alone:           {(statistics.median(bare) - statistics.median(plain)) * 1e3:.0f} ms")


def step_overhead(tracker: str, steps: int) -> dict[str, float]:
    """Train a pretended 2 ms step, with and without ten scalars each; return wall and CPU ratio."""

    def loop(log: Callable[[Row, int], object] | None) -> tuple[float, float]:
        row = {f"metric{key}": key / 7 for key in range(10)}
        wall, cpu = time.perf_counter(), time.process_time()
        for step in range(steps):
            spin(0.002)
            if log:
                log(row, step)
        return time.perf_counter() - wall, time.process_time() - cpu

    with tempfile.TemporaryDirectory() as folder:
        log, finish = globals()[f"start_{tracker}"](folder, 10)
        loop(log)
        pairs = [(loop(None), loop(log)) for _ in range(5)]
        finish()
    ratios = [(with_log[0] / bare[0], with_log[1] / bare[1]) for bare, with_log in pairs]
    return {
        "wall": statistics.median(ratio[0] for ratio in ratios),
        "cpu": statistics.median(ratio[1] for ratio in ratios),
    }


def wide_call(tracker: str, width: int, calls: int) -> dict[str, float]:
    """Log many metrics in one call; return CPU of all threads and children for a point."""
    with tempfile.TemporaryDirectory() as folder:
        log, finish = globals()[f"start_{tracker}"](folder, width)
        rows = [{f"metric{key}": (key + 1) / (row + 3) for key in range(width)} for row in range(8)]
        log(rows[0], 0)
        time.sleep(0.5)
        before = family_cpu_s()
        for step in range(calls):
            log(rows[step % 8], step + 1)
            time.sleep(0.002)
        finish()
        return {"us_per_point": (family_cpu_s() - before) / calls / width * 1e6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer calls and rounds")
    parser.add_argument("--measure", nargs=4, metavar=("TRACKER", "WIDTH", "CALLS", "PACE"), help=argparse.SUPPRESS)
    parser.add_argument("--step", nargs=2, metavar=("TRACKER", "STEPS"), help=argparse.SUPPRESS)
    parser.add_argument("--wide", nargs=3, metavar=("TRACKER", "WIDTH", "CALLS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        tracker, width, calls, pace = options.measure
        print(json.dumps(measure(tracker, int(width), int(calls), float(pace))))
        return
    if options.step:
        print(json.dumps(step_overhead(options.step[0], int(options.step[1]))))
        return
    if options.wide:
        print(json.dumps(wide_call(options.wide[0], int(options.wide[1]), int(options.wide[2]))))
        return
    calls, rounds = (2000, 1) if options.quick else (10_000, 3)
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}")
    compare(calls, rounds, 0.0002)
    print("\n10 scalars at each 2 ms step, against the same loop without logging")
    for tracker in TRACKERS[2:]:
        if ratio := in_process("--step", tracker, "500" if options.quick else "1000"):
            print(f"{tracker:12} wall x {ratio['wall']:.3f}   CPU x {ratio['cpu']:.3f}", flush=True)
    print("\n2,000 metrics in one call, CPU of all threads and children")
    for tracker in TRACKERS[2:]:
        if cost := in_process("--wide", tracker, "2000", "50" if options.quick else "200"):
            print(f"{tracker:12} {cost['us_per_point']:.2f} us a point", flush=True)
    import_time()


if __name__ == "__main__":
    main()
