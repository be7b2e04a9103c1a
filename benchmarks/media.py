"""What logging a 256 x 256 RGB array costs the calling thread, and all threads together, beside one encode by Pillow."""

from __future__ import annotations

import io
import os
import statistics
import tempfile
import time

os.environ.setdefault("RUNHAVEN_DIR", tempfile.mkdtemp(prefix="runhaven-bench-"))
os.environ |= {"RUNHAVEN_SILENT": "1", "RUNHAVEN_X_DISABLE_STATS": "1", "RUNHAVEN_CODE": "0"}

import numpy as np
from PIL import Image as Pillow

import runhaven

COUNT = 200


def main() -> None:
    pictures = [np.random.default_rng(seed).integers(0, 256, (256, 256, 3), dtype=np.uint8) for seed in range(COUNT)]
    run = runhaven.init(project="bench")
    run.log({"warm": runhaven.Image(pictures[0][:8, :8])})
    time.sleep(0.5)
    took: list[float] = []
    cpu = time.process_time()
    for picture in pictures:
        started = time.perf_counter_ns()
        run.log({"image": runhaven.Image(picture)})
        took.append((time.perf_counter_ns() - started) / 1000)
        # A training step between two pictures, during which the encoder works.
        time.sleep(0.02)
    run.finish()
    cpu = (time.process_time() - cpu) / COUNT
    alone = time.process_time()
    for picture in pictures:
        Pillow.fromarray(picture).save(io.BytesIO(), format="png")
    alone = (time.process_time() - alone) / COUNT
    quantiles = statistics.quantiles(took, n=100)
    print(f"calling thread, us      p50 {quantiles[49]:.0f}   p95 {quantiles[94]:.0f}   p99 {quantiles[98]:.0f}")
    print(
        f"CPU of all threads, ms  {cpu * 1000:.2f} a picture; encoding alone {alone * 1000:.2f}; factor {cpu / alone:.2f}"
    )


if __name__ == "__main__":
    main()
