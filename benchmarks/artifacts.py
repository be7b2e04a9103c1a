"""Logs a model directory as an artifact, again unchanged, again with 1 % changed, and downloads it.

    python benchmarks/artifacts.py [--mib 512] [--wandb /path/to/python/with/wandb]

Beside it, in the same run and on the same disk: `cp -r`, `sha256sum` and, if it is given, W&B's offline `log_artifact`.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MIB = 1 << 20

WANDB = """
import sys, time, wandb
run = wandb.init(project="p", mode="offline", dir=sys.argv[2])
for path in sys.argv[3:]:
    started = time.perf_counter()
    artifact = wandb.Artifact("model", "model")
    artifact.add_dir(path)
    run.log_artifact(artifact)
    print("seconds", time.perf_counter() - started)
run.finish()
"""


def make(folder: Path, mib: int) -> None:
    """Write 3/4 of the bytes as one checkpoint, the rest as files of 100 KB."""
    chance = random.Random(1)
    folder.mkdir()
    with (folder / "model.safetensors").open("wb") as file:
        for _ in range(mib * 3 // 4):
            file.write(chance.randbytes(MIB))
    for number in range(mib * MIB // 4 // 100_000):
        (folder / f"{number}.bin").write_bytes(chance.randbytes(100_000))


def change(folder: Path) -> None:
    """Change 1 % of the checkpoint: one stretch, as a layer that was trained on."""
    path = folder / "model.safetensors"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 3)
        file.write(random.Random(2).randbytes(size // 100))


def used(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measure(name: str, action: Callable[[], object], store: Path | None = None) -> float:
    before = used(store) if store else 0
    started, cpu = time.perf_counter(), os.times()
    action()
    seconds, now = time.perf_counter() - started, os.times()
    spent = sum(now[:4]) - sum(cpu[:4])
    grown = f"{(used(store) - before) / MIB:9.1f} MiB more" if store else ""
    print(f"{name:<46} {seconds:7.2f} s wall {spent:7.2f} s CPU {grown}", flush=True)
    return seconds


def peers(folder: Path, root: Path, wandb: str | None) -> float:
    measure(
        "sha256sum",
        lambda: subprocess.run("find . -type f -exec sha256sum {} + >/dev/null", shell=True, cwd=folder, check=True),
    )
    measure("cp -r", lambda: shell("cp", "-r", folder, root / "copied"))
    shutil.rmtree(root / "copied")

    def both() -> None:
        subprocess.run("find . -type f -exec sha256sum {} + >/dev/null", shell=True, cwd=folder, check=True)
        shell("cp", "-r", folder, root / "copied")

    seconds = measure("sha256sum, then cp -r", both)
    measure("  and sync", lambda: shell("sync", "-f", root))
    shutil.rmtree(root / "copied")
    if wandb:
        shell(wandb, "-c", WANDB, "", root, folder, folder, quiet=False)
    return seconds


def shell(*words: object, quiet: bool = True) -> None:
    environment = {**os.environ, "WANDB_SILENT": "true", "WANDB_DATA_DIR": tempfile.gettempdir()}
    subprocess.run(list(map(str, words)), check=True, env=environment, stdout=subprocess.DEVNULL if quiet else None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--mib", type=int, default=512)
    parser.add_argument("--wandb", help="A Python that has wandb installed.")
    parser.add_argument("--root", type=Path, help="Where to write; by default the system's temporary directory.")
    given = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix="runhaven-bench-", dir=given.root))
    try:
        folder, store = root / "model", root / "store"
        make(folder, given.mib)
        shell("sync", "-f", root)
        plain = peers(folder, root, given.wandb)
        ours(folder, store, root, plain)
    finally:
        shutil.rmtree(root)


def ours(folder: Path, store: Path, root: Path, plain: float) -> None:
    os.environ |= {"RUNHAVEN_SILENT": "1", "RUNHAVEN_X_DISABLE_STATS": "1"}
    import runhaven

    run = runhaven.init(project="p", dir=store)
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def log() -> None:
        artifact = runhaven.Artifact("model", "model")
        artifact.add_dir(folder)
        run.log_artifact(artifact).wait()

    first = measure("log_artifact, first", log, store)
    measure("log_artifact, unchanged", log, store)
    change(folder)
    measure("log_artifact, 1 % changed", log, store)
    artifact = run.use_artifact("model:latest")
    measure("download", lambda: artifact.download(root / "out"))
    measure("cp -r, once more", lambda: shell("cp", "-r", folder, root / "copied"))
    measure("download, everything there", lambda: artifact.download(root / "out"))
    measure("verify", lambda: artifact.verify(str(root / "out")))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run.finish()
    print(f"first log / (sha256sum and cp -r): {first / plain:.2f}")
    print(
        f"memory: {(peak - base) / 1024:.0f} MiB more than before, {peak / 1024:.0f} MiB in all ({sys.version.split()[0]})"
    )


if __name__ == "__main__":
    main()
