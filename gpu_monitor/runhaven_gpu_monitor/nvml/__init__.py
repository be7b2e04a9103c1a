"""NVIDIA GPUs, read through the driver's library NVML.

`metrics` is the table of what is read and from where. `source` keeps the connection; `gpu` is one GPU with its faults;
`reader` asks only for what the table's first working way needs, in few calls: `fields`, `calls` and `gpm`.
"""

from __future__ import annotations

from runhaven_gpu_monitor.nvml.source import NvmlSource

__all__ = ["NvmlSource"]
