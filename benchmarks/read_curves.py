"""What charts cost: many runs of a million points, whole and zoomed, sealed and not, beside other tools in the same run.

    python benchmarks/read_curves.py             # 100 runs of 1,000,000 points
    python benchmarks/read_curves.py --quick     # 10 runs of 100,000 points
    python benchmarks/read_curves.py --sealing   # what sealing costs, and nothing else; with --long of 100,000,000 points too

Server time is what a request for all curves costs between query and reply bytes: reading, reducing to 1000 buckets and
encoding. "cold" means new objects, an empty cache of ours, and files that the system was told to forget. Times are medians
of five; CPU is that of this process. One run is logged and copied: reading costs the same, and the disk is spared.
The peers get what they can bear in a benchmark: a curve of 1000 points out of fewer.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

os.environ |= {"RUNHAVEN_SILENT": "1", "RUNHAVEN_CODE": "0", "RUNHAVEN_X_DISABLE_STATS": "1", "RUNHAVEN_CONSOLE": "off"}

import numpy as np

import runhaven
from runhaven.journal.frame import Piece, seal_batch, seal_header
from runhaven.journal.layout import EVENT_TAG, Layout, encode_json, seal_record, seed_for
from runhaven.journal.record import Schema
from runhaven.sealed import segment
from runhaven.sealed.manifest import place_to_read
from runhaven.store.ids import new_ulid
from runhaven.store.layout import Store
from runhaven_server.curves import encode_curves
from runhaven_server.shapes import SeriesRef

if TYPE_CHECKING:
    from collections.abc import Callable

    from runhaven.api import Run

BUCKETS = 1000


def f32(value: float) -> float:
    return struct.unpack("f", struct.pack("f", value))[0]


def make_store(root: Path, runs: int, points: int) -> None:
    """Log one run, seal it, and copy it."""
    chance = random.Random(0)
    values = [f32(1 / math.sqrt(1 + step / 1000) + chance.gauss(0, 0.02)) for step in range(points)]
    with runhaven.init(project="bench", dir=root) as run:
        for value in values:
            run.log({"loss": value})
    (first,) = runhaven.Api(root).runs()
    report_sealing("one series", root, "bench")
    base = first.directory.path
    for number in range(runs - 1):
        ulid = new_ulid()
        target = base.parent / ulid
        shutil.copytree(base, target)
        manifest = json.loads((target / "run.json").read_text()) | {"run": ulid, "id": f"copy{number}"}
        (target / "run.json").write_text(json.dumps(manifest))


_SEALING = """
import importlib, json, shutil, sys, time
from pathlib import Path
import runhaven
from runhaven.sealed.seal import seal
importlib.import_module("runhaven.sealed.write")  # What it imports is not sealing.
(run,) = runhaven.Api(sys.argv[1]).runs(sys.argv[2])

def memory(name):
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[name].split()[0]) / 1024

for _ in range(int(sys.argv[3])):
    shutil.rmtree(run.directory.path / "sealed", ignore_errors=True)
    held, cpu = memory("VmRSS"), time.process_time()
    sealed = seal(run.directory)
    cpu = time.process_time() - cpu
    print(json.dumps([sealed.points, sealed.bytes, cpu, memory("VmHWM") - held]))
"""


def report_sealing(name: str, root: Path, project: str, *, processes: int = 3, again: bool = True) -> None:
    """Seal a project's one run in a process that never sealed before, and once more in the same; the median of several."""
    first: list[tuple[float, float]] = []
    second: list[float] = []
    points = size = 0
    for _ in range(processes):
        command = [sys.executable, "-c", _SEALING, str(root), project, "2" if again else "1"]
        lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
        (points, size, cpu, memory), *warm = map(json.loads, lines)
        first.append((cpu / points * 1e9, memory))
        second += [cpu / points * 1e9 for _, _, cpu, _ in warm]
    run = runhaven.Api(root).runs(project)[0].directory
    journal = sum(path.stat().st_size for path in run.journal.iterdir())
    new, memory = (statistics.median(values) for values in zip(*first, strict=True))
    repeated = f", {statistics.median(second):4.0f} again" if second else ""
    print(
        f"sealing {points:11,} points, {name}   {new:4.0f} ns CPU a point in a new process{repeated} (target 150), {memory:,.0f} MB of memory\n"
        f"    {size / points:.2f} bytes a point sealed (target 5), {journal / points:.2f} in the journal, {(size + journal) / points:.2f} with both",
        flush=True,
    )


def forge(root: Path, points: int) -> None:
    """Write the journal of a run of one series as its writer would have, but a hundred times as fast."""
    name, batch = "0123456789ab-abcdef", 6500
    seed = seed_for(name)
    layout = Layout(0, Schema("", (("loss", "f"),)), seed=seed)
    chance = np.random.default_rng(0)
    records = np.zeros(batch, [("head", "<u4", 3), ("step", "<i8"), ("time", "<i8"), ("value", "<f8"), ("crc", "<u4")])
    path = Store(root).new_run(entity="me", project="long", id="long").journal / f"{name}.rhj"
    number, now = 0, 1_700_000_000_000_000
    with path.open("wb") as file:
        file.write(seal_header(b"{}", seed=seed))
        for start in range(0, points, batch):
            steps = np.arange(start, min(points, start + batch))
            times = now + np.cumsum(chance.integers(3, 12, len(steps)))
            values = 1 / np.sqrt(1 + steps / 1000) + chance.normal(0, 0.02, len(steps))
            rows = records[: len(steps)]
            rows["step"], rows["time"], rows["value"] = steps, times, values.astype(np.float32)
            now = int(times[-1])
            snapshot = {
                "event": "snapshot",
                "time": now,
                "summary": {"loss": values[-1]},
                "counts": {},
                "last_step": int(steps[-1]),
            }
            events = seal_record(number + len(rows), EVENT_TAG, encode_json(snapshot), seed=seed)
            pieces = [Piece(layout, number, rows.tobytes()), Piece(None, number + len(rows), events)]
            file.write(seal_batch(pieces, repeat=lambda _: [layout], seed=seed))
            number += len(rows) + 1


def forget(root: Path) -> None:
    """Let the system forget the files below a directory."""
    os.sync()
    for place, _, names in os.walk(root):
        for name in names:
            fd = os.open(Path(place) / name, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)


def remember(root: Path) -> None:
    """Let the system have the files below a directory in its memory."""
    for path in root.rglob("*.parquet"):
        path.read_bytes()


def opened(root: Path) -> list[Run]:
    """Return the runs, with nothing read yet."""
    segment._cache = segment._Cache(segment.CACHE_BYTES)  # pyright: ignore[reportPrivateUsage]
    return list(runhaven.Api(root).runs())


def request(runs: list[Run], **asked: Any) -> bytes:
    pairs = [
        (SeriesRef(run=run.ulid, key="loss", stream=""), run.curve("loss", buckets=BUCKETS, **asked)) for run in runs
    ]
    return encode_curves(pairs)


def timed(action: Callable[[], object], times: int = 5) -> tuple[float, float]:
    """Return the median wall and CPU milliseconds."""
    found: list[tuple[float, float]] = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        action()
        found.append(((time.perf_counter() - wall) * 1e3, (time.process_time() - cpu) * 1e3))
    return statistics.median(one[0] for one in found), statistics.median(one[1] for one in found)


def report(name: str, figures: tuple[float, float], target: str = "") -> None:
    print(f"{name:34} {figures[0]:8.1f} ms wall {figures[1]:8.1f} ms CPU   {target}", flush=True)


def read_store(root: Path, count: int, points: int) -> None:
    """Measure whole and zoomed curves of all runs."""
    middle = points // 2
    windows = {"10 %": points // 10, "1 % (raw)": points // 100}
    for axis in ("step", "wall", "relative"):
        forget(root)
        runs = opened(root)
        report(f"{count} curves, {axis}, cold", timed(lambda: request(runs, x=axis), 1), "target 250")  # noqa: B023
        report(f"{count} curves, {axis}, warm", timed(lambda: request(runs, x=axis)), "target 100")  # noqa: B023
    runs = opened(root)
    request(runs)
    for name, width in windows.items():
        target = "target 60" if "raw" in name else ""
        elsewhere = iter(range(0, middle, middle // 7))

        def zoom(start: int, width: int = width) -> bytes:
            return request(runs, start=start, stop=start + width)

        forget(root)
        report(f"zoom to {name}, from the disk", timed(lambda: zoom(next(elsewhere)), 3), target)  # noqa: B023
        remember(root)
        report(f"zoom to {name}, a new place each", timed(lambda: zoom(next(elsewhere)), 3), target)  # noqa: B023
        report(f"zoom to {name}, again", timed(lambda: zoom(middle)), target)


def log_open(root: Path, rows: int) -> None:
    """Log a run of ten series in a process that is killed."""
    code = (
        "import runhaven, sys\nrun = runhaven.init(project='open', dir=sys.argv[1])\n"
        f"for step in range({rows}):\n    run.log({{f'm{{key}}': (key + 1) / (step + 3) for key in range(10)}})\n"
        "import time; time.sleep(1.5)\nimport os; os._exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(root)], check=False)


def open_unsealed(root: Path, rows: int) -> None:
    """Measure the first curve of a run that nobody sealed, of ten series; then seal it."""
    log_open(root, rows)
    figures = timed(lambda: runhaven.Api(root).runs("open")[0].curve("m3", buckets=BUCKETS), 3)
    report(f"open {rows * 10:,} unsealed points", figures, "target 300")
    report_sealing("ten series", root, "open")


# Others


def tensorboard(points: int) -> float | None:
    if find_spec("tensorboard") is None or find_spec("tensorboardX") is None:
        return None
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboardX import SummaryWriter

    with tempfile.TemporaryDirectory() as folder:
        writer = SummaryWriter(folder)
        for step in range(points):
            writer.add_scalar("loss", 1 / (step + 1), step)
        writer.close()

        def read() -> None:
            found = EventAccumulator(folder, size_guidance={"scalars": BUCKETS})
            found.Reload()
            found.Scalars("loss")

        return timed(read, 1)[0]


def trackio(points: int) -> float | None:
    if find_spec("trackio") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TRACKIO_DIR"] = folder
        import trackio
        from trackio.sqlite_storage import SQLiteStorage

        run = trackio.init(project="bench", embed=False)
        for step in range(points):
            run.log({"loss": 1 / (step + 1)})
        trackio.finish()
        return timed(lambda: SQLiteStorage.get_logs("bench", run.name), 1)[0]


def duckdb(root: Path) -> float | None:
    if find_spec("duckdb") is None:
        return None
    import duckdb

    files = [
        str(path)
        for run in runhaven.Api(root).runs("bench")
        for path in place_to_read(run.directory).glob("*.points.parquet")
    ]
    query = (
        "select filename, step * ? // (select max(step) + 1 from read_parquet(?)) as bucket, min(value), max(value), "
        "arg_max(value, step) from read_parquet(?, filename=true) where key = 'loss' group by 1, 2"
    )
    return timed(lambda: duckdb.execute(query, [BUCKETS, files[:1], files]).fetchnumpy(), 1)[0]


def compare(root: Path, count: int, points: int) -> None:
    """Set others beside the same curve of ours."""
    runs = opened(root)[:1]
    ours = timed(lambda: request(runs), 5)[0]
    print(f"\none curve of {points:,} points, ours warm: {ours:.2f} ms")
    for name, peer in (("TensorBoard", tensorboard), ("trackio", trackio)):
        few = min(points, 100_000)
        took = peer(few)
        if took is not None:
            print(f"{name:12} {took:10.1f} ms for a curve of {few:,} points   x {took / ours:,.0f}")
    took = duckdb(root)
    if took is not None:
        all_ours = timed(lambda: request(opened(root)), 3)[0]
        print(
            f"DuckDB       {took:10.1f} ms for the {count} curves over the same Parquet   x {took / all_ours:,.0f} of ours with nothing open"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 runs of 100,000 points")
    parser.add_argument("--sealing", action="store_true", help="what sealing costs, and nothing else")
    parser.add_argument(
        "--long", action="store_true", help="with --sealing: a run of a hundred times as many points too"
    )
    options = parser.parse_args()
    count, points = (10, 100_000) if options.quick else (100, 1_000_000)
    print(
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, {count} runs of {points:,} points, {BUCKETS} buckets\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "store"
        make_store(root, 1 if options.sealing else count, points)
        if options.sealing:
            log_open(root, points)
            report_sealing("ten series", root, "open")
            if options.long:
                forge(root, 100 * points)
                report_sealing("one series", root, "long", processes=1, again=False)
            return
        read_store(root, count, points)
        open_unsealed(root, points)
        compare(root, count, points)


if __name__ == "__main__":
    main()
