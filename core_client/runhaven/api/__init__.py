"""Reads what runs logged: `Api` over a store."""

from __future__ import annotations

from runhaven.api.familiar import ConsoleLogLine
from runhaven.api.files import File, Files
from runhaven.api.reading import Api, Project, Runs
from runhaven.api.run import Run
from runhaven.api.series import Curve, Series
from runhaven.store.console import LogLine

__all__ = ["Api", "ConsoleLogLine", "Curve", "File", "Files", "LogLine", "Project", "Run", "Runs", "Series"]
