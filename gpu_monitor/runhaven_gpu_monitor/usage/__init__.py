"""What was used of a machine: sums over rows of readings, and what they say to a person who pays for it."""

from __future__ import annotations

from runhaven_gpu_monitor.usage.facts import summarise
from runhaven_gpu_monitor.usage.sums import Usage
from runhaven_gpu_monitor.usage.words import describe

__all__ = ["Usage", "describe", "summarise"]
