"""What `autolog()` adds to a fit: 1000 small fits beside none and MLflow's, in CPU time of all threads and children.

    python benchmarks/sklearn_autolog.py            # MLflow's too, where it is installed
    python benchmarks/sklearn_autolog.py --quick

Each runs in processes of its own, one after the other in every round; the figures are medians. Every fit is that of another
small model on the 150 flowers of iris. MLflow logs into files, without plots and models, and within one run, as Runhaven does.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from log_call import family_cpu_s

TRACKERS = ("none", "runhaven", "mlflow")


def begin(tracker: str, folder: str) -> Any:
    """Switch a tracker on; return what finishes it."""
    if tracker == "runhaven":
        import runhaven
        from runhaven_integrations import sklearn as adapter

        run = runhaven.init(project="bench", dir=folder, settings={"silent": True, "x_disable_stats": True})
        adapter.autolog()
        return run.finish
    if tracker == "mlflow":
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.sklearn.autolog(log_models=False, log_datasets=False, silent=True)
        mlflow.start_run()
        return mlflow.end_run
    return lambda: None


def measure(tracker: str, count: int) -> dict[str, float]:
    """Fit many models and return what each took."""
    from sklearn.datasets import load_iris
    from sklearn.linear_model import Ridge
    from sklearn.tree import DecisionTreeClassifier

    X, y = load_iris(return_X_y=True)
    models = [DecisionTreeClassifier(max_depth=1 + n % 3) if n % 2 else Ridge(alpha=n + 1) for n in range(count + 4)]
    with tempfile.TemporaryDirectory() as folder:
        # MLflow puts files where the process stands.
        os.chdir(folder)
        finish = begin(tracker, folder)
        for model in models[:4]:
            model.fit(X, y)
        wall, cpu = time.perf_counter(), family_cpu_s()
        for model in models[4:]:
            model.fit(X, y)
        wall = time.perf_counter() - wall
        finish()
        cpu = family_cpu_s() - cpu
    return {"wall_ms": wall / count * 1e3, "cpu_ms": cpu / count * 1e3}


def in_process(tracker: str, count: int) -> dict[str, float] | None:
    command = [sys.executable, __file__, "--measure", tracker, str(count)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1", "RUNHAVEN_CODE": "0"},
        cwd=Path(__file__).parent,
    )  # fmt: skip
    try:
        return json.loads(done.stdout.splitlines()[-1])
    except (IndexError, ValueError):
        return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer fits and one round")
    parser.add_argument("--measure", nargs=2, metavar=("TRACKER", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure[0], int(options.measure[1]))))
        return
    count, rounds = (100, 1) if options.quick else (1000, 5)
    found: dict[str, list[dict[str, float]]] = {}
    for _ in range(rounds):
        for tracker in TRACKERS:
            # MLflow takes so long that a tenth of the fits must do.
            if figures := in_process(tracker, count // 10 if tracker == "mlflow" else count):
                found.setdefault(tracker, []).append(figures)
    print(f"{os.cpu_count()} cores, {count} fits of 150 rows, medians of {rounds} rounds; milliseconds a fit\n")
    print(f"{'':10} {'wall':>8} {'CPU':>8} {'added wall':>11} {'added CPU':>10}")
    base = {name: statistics.median(one[name] for one in found["none"]) for name in ("wall_ms", "cpu_ms")}
    for tracker, all_ in found.items():
        wall, cpu = (statistics.median(one[name] for one in all_) for name in ("wall_ms", "cpu_ms"))
        print(f"{tracker:10} {wall:8.3f} {cpu:8.3f} {wall - base['wall_ms']:11.3f} {cpu - base['cpu_ms']:10.3f}")


if __name__ == "__main__":
    main()
