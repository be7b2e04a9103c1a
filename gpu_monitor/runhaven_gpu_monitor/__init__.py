"""Readings of the machine: processor, memory, disk, network and GPUs."""

from __future__ import annotations

from runhaven_gpu_monitor.sampler import Sampler
from runhaven_gpu_monitor.source import Source

__all__ = ["Sampler", "Source"]
