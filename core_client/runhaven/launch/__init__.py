"""What `runhaven run` does inside the Python processes that it starts.

`boot/` goes to the front of PYTHONPATH: Python runs its `sitecustomize` before the program, which calls `program.begin`.
"""

from __future__ import annotations

from pathlib import Path

BOOT = Path(__file__).parent / "boot"
