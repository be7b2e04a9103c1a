"""Reads what runs logged: `Api` over a store."""

from __future__ import annotations

from runhaven.api.reading import Api, Project, Runs
from runhaven.api.run import Run
from runhaven.api.series import Curve, Series
from runhaven.store.console import LogLine

__all__ = ["Api", "Curve", "LogLine", "Project", "Run", "Runs", "Series"]
