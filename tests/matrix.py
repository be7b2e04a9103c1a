"""Runs the adapters' tests on the oldest and the newest frameworks that we claim: `just matrix [name ...]`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSIONS: dict[str, tuple[tuple[str, ...], ...]] = {
    "keras": (("keras==3.11.0", "jax==0.6.2"), ("keras==3.15.1", "jax")),
    "lightning": (
        ("lightning==2.6.0", "pytorch-lightning==2.6.0", "jsonargparse[signatures]"),
        ("lightning==2.6.6", "pytorch-lightning==2.6.6", "jsonargparse[signatures]"),
    ),
    "sklearn": (("scikit-learn==1.5.2", "pandas"), ("scikit-learn==1.9.1", "pandas")),
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
NEEDED = ["pytest", "pytest-timeout", "torch==2.13.0"]


def main(names: list[str]) -> int:
    """Make an environment for each version, run the adapter's tests in it, and return how many failed."""
    failed: list[str] = []
    for name in names or VERSIONS:
        for packages in VERSIONS[name]:
            is_good = passes(name, packages)
            print(f"{name} with {' '.join(packages)}: {'passed' if is_good else 'FAILED'}", flush=True)
            failed += [] if is_good else [name]
    return len(failed)


def passes(name: str, packages: tuple[str, ...]) -> bool:
    """Tell whether an adapter's own tests, its case of the contract and programs below `runhaven run` pass with some packages."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = Path(folder) / "bin" / "python"
        installed = subprocess.run(
            [python, "-m", "pip", "install", "-q", *NEEDED, *packages, "-e", f"{ROOT}[ui,media]"], check=False
        )
        tests = [
            f"tests/integrations/test_{name}.py",
            "tests/cli/test_launching_frameworks.py",
            "tests/contracts/test_adapters.py",
            "-k",
            f"{name} and not declared",
        ]
        return (
            installed.returncode == 0
            and subprocess.run([python, "-m", "pytest", "-q", *tests], cwd=ROOT, check=False).returncode == 0
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
