"""What Runhaven adds to `import torch` where it is installed and nobody asked for it.

    python benchmarks/autoload.py --rounds 21

PyTorch calls the entry points of the group `torch.backends` at the end of its import. Each round is a fresh process that
imports PyTorch with these switched off, and then does for ours what PyTorch does: load it, and call it. "switched off" is the
same with `RUNHAVEN_AUTOLOAD=0`. Beside them stand the import of PyTorch itself and, as what any package costs that only
imports a module of its own, a module of one line. Medians over rounds of wall time; the lowest figure too, as the machine's
noise only adds. The last line is what each later import of another module costs.
"""

from __future__ import annotations

import argparse
import compileall
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import runhaven_autoload

CHILD = """
import json, sys, time
from importlib.metadata import entry_points
t = time.perf_counter(); import torch; spent = {"import torch": time.perf_counter() - t}
t = time.perf_counter(); import one_line; spent["a module of one line"] = time.perf_counter() - t
(entry,) = {(each.name, each.value): each for each in entry_points(group="torch.backends") if each.name == "runhaven"}.values()
t = time.perf_counter(); entry.load()(); spent["ours"] = time.perf_counter() - t
watches = [each for each in sys.meta_path if getattr(each, "__name__", "") == "ImportWatch"]
t = time.perf_counter()
for _ in range(1000):
    for each in watches:
        each.find_spec("nothing.like_it")
spent["each later import"] = (time.perf_counter() - t) / 1000
print(json.dumps(spent))
"""


def round_of(folder: str, **environment: str) -> dict[str, float]:
    paths = os.pathsep.join([folder, os.environ.get("PYTHONPATH", "")])
    told = os.environ | {"PYTHONPATH": paths, "TORCH_DEVICE_BACKEND_AUTOLOAD": "0"} | environment
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True, env=told)
    return json.loads(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "one_line.py").write_text("x = 1\n")
        # As pip does when it installs a package.
        for place in (folder, Path(runhaven_autoload.__file__).parent):
            compileall.compile_dir(place, quiet=1)
        # The first pair only fills caches.
        for at in range(rounds + 1):
            on, off = round_of(folder), round_of(folder, RUNHAVEN_AUTOLOAD="0")
            for name, value in (on | {"ours, switched off": off["ours"]}).items() if at else ():
                found.setdefault(name, []).append(value * 1e6)
    for name, values in found.items():
        print(f"{name:22} {statistics.median(values):12.1f} us   lowest {min(values):12.1f} us")


if __name__ == "__main__":
    main()
