"""Runs the adapters' tests on the oldest and the newest frameworks that we claim: `just matrix [name ...]`."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
VERSIONS: dict[str, tuple[tuple[str, ...], ...]] = {
    "keras": (("keras==3.11.0", "jax==0.6.2"), ("keras==3.15.1", "jax")),
    "lightning": (
        ("lightning==2.6.0", "pytorch-lightning==2.6.0", "jsonargparse[signatures]"),
        ("lightning==2.6.6", "pytorch-lightning==2.6.6", "jsonargparse[signatures]"),
    ),
    "sklearn": (("scikit-learn==1.5.2", "matplotlib", "pandas"), ("scikit-learn==1.9.1", "matplotlib", "pandas")),
    "transformers": (
        ("transformers[torch]==4.57.0", "accelerate==1.10.0", "optuna", "peft==0.17.0"),
        ("transformers[torch]==5.23.0", "accelerate==1.15.0", "optuna", "peft==0.21.2"),
    ),
    "accelerate": (("accelerate==1.10.0",), ("accelerate==1.15.0",)),
    "ultralytics": (
        ("ultralytics==8.4.140", "torchvision==0.28.0", "cloudpickle"),
        ("ultralytics==8.4.190", "torchvision==0.28.0", "cloudpickle"),
    ),
}
"""For each adapter the packages of an environment: the oldest first, the newest last."""
NEEDED = ["pytest", "pytest-timeout", "hypothesis", "torch==2.13.0"]


class Outcome(NamedTuple):
    """How the tests of an adapter went with some packages."""

    name: str
    packages: tuple[str, ...]
    has_passed: bool
    said: str
    took_s: float

    def __str__(self) -> str:
        """Return a line of the table."""
        verdict = "passed" if self.has_passed else "FAILED"
        return f"{verdict}  {self.name:12}  {' '.join(self.packages)}  [{self.took_s:.0f} s: {self.said}]"


def main(names: list[str]) -> int:
    """Run the tests of each version, print a table of them all, and return how many failed."""
    outcomes: list[Outcome] = []
    for name in names or VERSIONS:
        for packages in VERSIONS[name]:
            print(f"{name} with {' '.join(packages)} ...", flush=True)
            outcomes.append(outcome(name, packages))
            print(outcomes[-1], flush=True)
    print("\nAll of them:", *outcomes, sep="\n")
    return sum(not each.has_passed for each in outcomes)


def outcome(name: str, packages: tuple[str, ...]) -> Outcome:
    """Make an environment with some packages, and tell how an adapter's tests went in it."""
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / "bin" / "python"
        # Most of the modules of such packages are never imported: to compile them all takes as long as many tests.
        installed = subprocess.run(
            [python, "-m", "pip", "install", "-q", "--no-compile", *NEEDED, *packages, "-e", f"{ROOT}[ui,media]"],
            env=os.environ | {"RUNHAVEN_SKIP_UI_BUILD": "1"},
            check=False,
        )
        has_passed, said = tested(python, name) if installed.returncode == 0 else (False, "not installed")
    return Outcome(name, packages, has_passed, said, time.monotonic() - begun)


def tested(python: Path, name: str) -> tuple[bool, str]:
    """Run an adapter's own tests, its case of the contract and programs below `runhaven run`; return pytest's last line too.

    What pytest says is printed if something failed.
    """
    tests = [
        f"tests/integrations/test_{name}.py",
        "tests/cli/test_launching_frameworks.py",
        "tests/contracts/test_adapters.py",
        "-k",
        f"{name} and not declared",
    ]
    done = subprocess.run(
        [python, "-m", "pytest", "-q", *tests], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    said = (done.stdout.splitlines() or ["nothing"])[-1]
    # Tests that were all skipped prove nothing.
    has_passed = done.returncode == 0 and " passed" in said
    if not has_passed:
        print(done.stdout, flush=True)
    return has_passed, said


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
