"""Runs an adapter's tests on the oldest and the newest framework that we claim: `just matrix`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSIONS = {"lightning": ("2.6.0", "2.6.6")}
NEEDED = ["pytest", "pytest-timeout", "scikit-learn", "numpy", "httpx", "fastapi", "uvicorn", "websockets"]


def main() -> int:
    """Make an environment for each version, run the tests in it, and return how many failed."""
    failed = 0
    for name, versions in VERSIONS.items():
        for version in versions:
            with tempfile.TemporaryDirectory() as folder:
                subprocess.run([sys.executable, "-m", "venv", folder], check=True)
                python = Path(folder) / "bin" / "python"
                packages = ["torch==2.13.0", f"{name}=={version}", *NEEDED]
                subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)
                subprocess.run([python, "-m", "pip", "install", "-q", "-e", str(ROOT)], check=True)
                done = subprocess.run(
                    [python, "-m", "pytest", "-q", f"tests/integrations/test_{name}.py"], cwd=ROOT, check=False
                )
                print(f"{name} {version}: {'passed' if done.returncode == 0 else 'FAILED'}")
                failed += done.returncode != 0
    return failed


if __name__ == "__main__":
    sys.exit(main())
