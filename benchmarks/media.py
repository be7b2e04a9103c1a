"""What logging a picture costs: on the calling thread, in CPU of all threads and children, and on the disk, beside others in one run.

    python benchmarks/media.py            # Runhaven and the floor, and each peer that is installed
    python benchmarks/media.py --quick

Each tracker runs in processes of its own, one after the other in every round, and the figures are medians over rounds. The
pictures are distinct arrays of 256 x 256 RGB whose spectrum is that of photographs. Between two calls the thread computes
for 20 ms, as a training does. "nothing" is that loop without a tracker: its CPU time is taken off the others'. The floor of the
calling thread is one copy of the array, and beside it stands what Runhaven takes to log one number there; the floor of the CPU is
one plain encode by Pillow.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from log_call import family_cpu_s
from PIL import Image as Pillow

TRACKERS = ("nothing", "copy", "encode", "runhaven", "trackio", "wandb")
KINDS = ("array", "number", "floats", "tensor", "pillow", "boxes and mask", "list of 8")
SIDE = 256


def photograph(seed: int) -> np.ndarray:
    """Return an array of bytes whose spectrum falls with the frequency, as that of photographs does, and a little noise."""
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)) + 1 / SIDE
    planes = [np.fft.ifft2(np.fft.fft2(rng.normal(size=(SIDE, SIDE))) / frequency**1.3).real for _ in range(3)]
    picture = np.stack(planes, -1) + 0.7 * planes[0][..., None]
    return np.clip(picture / picture.std() * 55 + 120 + rng.normal(size=picture.shape) * 2, 0, 255).astype(np.uint8)


def start_nothing(folder: str) -> tuple[Any, Any]:  # noqa: ARG001
    return lambda _: None, lambda: None


def start_copy(folder: str) -> tuple[Any, Any]:  # noqa: ARG001
    return lambda picture: picture.tobytes(), lambda: None


def start_encode(folder: str) -> tuple[Any, Any]:
    def log(picture: np.ndarray) -> None:
        buffer = io.BytesIO()
        Pillow.fromarray(picture).save(buffer, format="png")
        Path(folder, str(time.monotonic_ns())).write_bytes(buffer.getvalue())

    return log, lambda: None


def start_runhaven(folder: str) -> tuple[Any, Any]:
    import runhaven

    run = runhaven.init(project="bench", dir=folder, settings={"silent": True, "x_disable_stats": True})
    return lambda picture: run.log({"picture": made(runhaven.Image, picture)}), run.finish


def start_wandb(folder: str) -> tuple[Any, Any]:
    import wandb

    options = wandb.Settings(silent=True, x_disable_stats=True)
    run = wandb.init(project="bench", dir=folder, mode="offline", settings=options)
    return lambda picture: run.log({"picture": made(wandb.Image, picture)}), run.finish


def start_trackio(folder: str) -> tuple[Any, Any]:
    os.environ["TRACKIO_DIR"] = folder
    import trackio

    run = trackio.init(project="bench", embed=False)
    return lambda picture: run.log({"picture": made(trackio.Image, picture)}), trackio.finish


def made(image: Any, picture: Any) -> Any:
    """Return what a script would log of a picture."""
    if isinstance(picture, float):
        return picture
    if isinstance(picture, list):
        return [image(one) for one in picture]
    return image(picture[0], **picture[1]) if isinstance(picture, tuple) else image(picture)


def pictures_of(kind: str, count: int) -> list[Any]:
    arrays = [photograph(seed) for seed in range(count)]
    if kind == "number":
        return [float(seed) for seed in range(count)]
    if kind == "floats":
        return [array.astype(np.float32) / 255 for array in arrays]
    if kind == "tensor":
        import torch

        return [torch.from_numpy(array).permute(2, 0, 1).contiguous() for array in arrays]
    if kind == "pillow":
        return [Pillow.fromarray(array) for array in arrays]
    if kind == "boxes and mask":
        box = {"position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.4}, "class_id": 1, "scores": {"p": 0.9}}
        boxes = {"found": {"box_data": [box] * 20, "class_labels": {1: "cat"}}}
        masks = {"true": {"mask_data": np.eye(SIDE, dtype=np.uint8), "class_labels": {1: "cat"}}}
        return [(array, {"boxes": boxes, "masks": masks}) for array in arrays]
    return [[array] * 8 for array in arrays] if kind == "list of 8" else arrays


def compute(seconds: float, matrix: np.ndarray) -> None:
    """Do what a training step does: work outside the interpreter's lock."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        matrix @ matrix  # pyright: ignore[reportUnusedExpression]


def measure(tracker: str, kind: str, count: int, pace_s: float) -> dict[str, float]:
    """Run in a process of its own: print the figures of one tracker."""
    pictures, matrix = pictures_of(kind, count), np.random.default_rng(0).normal(size=(200, 200))
    with tempfile.TemporaryDirectory() as folder:
        log, finish = globals()[f"start_{tracker}"](folder)
        for picture in pictures_of(kind, 3):
            log(picture)
        time.sleep(1.0)
        size, took, computed = disk_bytes(folder), [], 0.0
        before = family_cpu_s()
        for picture in pictures:
            begun = time.perf_counter_ns()
            log(picture)
            took.append((time.perf_counter_ns() - begun) / 1e3)
            begun = time.thread_time()
            compute(pace_s, matrix)
            computed += time.thread_time() - begun
        finish()
        total_s = family_cpu_s() - before - computed
        size = disk_bytes(folder) - size
    quantiles = statistics.quantiles(took, n=100)
    return {
        "p50_us": quantiles[49],
        "p99_us": quantiles[98],
        "cpu_ms": total_s / count * 1e3,
        "kb": size / count / 1e3,
    }


def disk_bytes(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file() and not path.is_symlink())


ENVIRONMENT = {
    "RUNHAVEN_SILENT": "1", "RUNHAVEN_CODE": "0", "WANDB_SILENT": "true", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
}  # fmt: skip


def in_process(*arguments: str) -> dict[str, float] | None:
    command = [sys.executable, __file__, "--measure", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | ENVIRONMENT)
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        if os.environ.get("RUNHAVEN_BENCHMARK_DEBUG"):
            print(done.stderr[-2000:], file=sys.stderr)
        return None


def compare(
    cases: list[tuple[str, str]], count: int, rounds: int, pace_s: float
) -> dict[tuple[str, str], dict[str, float]]:
    """Return the medians of each tracker and kind over rounds in which all of them run."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for case in cases:
            if figures := in_process(*case, str(count), str(pace_s)):
                found.setdefault(case, []).append(figures)
    return {
        case: {name: statistics.median(one[name] for one in all_) for name in all_[0]} for case, all_ in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer pictures and one round")
    parser.add_argument("--measure", nargs=4, metavar=("TRACKER", "KIND", "COUNT", "PACE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        tracker, kind, count, pace = options.measure
        print(json.dumps(measure(tracker, kind, int(count), float(pace))))
        return
    count, rounds = (60, 1) if options.quick else (150, 3)
    print(
        f"{os.cpu_count()} cores, Python {sys.version.split()[0]}; {count} pictures of {SIDE} x {SIDE} RGB, medians of {rounds} rounds\n"
    )
    cases = [(tracker, "array") for tracker in TRACKERS]
    cases += [(tracker, kind) for kind in KINDS[1:] for tracker in ("runhaven", "wandb")]
    found = compare(cases, count, rounds, 0.02)
    loop, encode = (found[name, "array"]["cpu_ms"] for name in ("nothing", "encode"))
    print(f"{'':10} {'what':15} {'p50 us':>8} {'p99 us':>8} {'CPU ms':>8} {'/ encode':>9} {'kB':>8}")
    for (tracker, kind), figures in found.items():
        cpu = figures["cpu_ms"] - loop
        ratio = f"{cpu / (encode - loop):9.2f}"
        print(
            f"{tracker:10} {kind:15} {figures['p50_us']:8.0f} {figures['p99_us']:8.0f} {cpu:8.2f} {ratio} {figures['kb']:8.1f}"
        )


if __name__ == "__main__":
    main()
