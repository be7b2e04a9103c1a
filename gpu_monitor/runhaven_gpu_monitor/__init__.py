"""Readings of the machine: processor, memory, disk, network and GPUs."""

from __future__ import annotations

from runhaven_gpu_monitor.sampler import Sampler
from runhaven_gpu_monitor.source import Incident, Source
from runhaven_gpu_monitor.usage import Usage

__all__ = ["Incident", "Sampler", "Source", "Usage"]
