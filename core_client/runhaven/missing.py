"""Imports what a feature needs, and says what to install when it is missing."""

from __future__ import annotations

import importlib
import sys
from typing import Any


def require(module: str, *, feature: str, package: str | None = None) -> Any:
    """Import a module that a feature needs.

    Args:
        module: What to import.
        feature: What the user wanted, for the message.
        package: What to install, when its name is not the module's.

    Raises:
        ImportError: If it cannot be imported; the message names feature, package and command.
    """
    if (found := sys.modules.get(module)) is not None:
        return found
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(missing(package or module, feature)) from error


def missing(package: str, feature: str) -> str:
    """Return the message for a package that a feature needs and that is not there."""
    return f"{feature} needs the package {package!r}, which cannot be imported. Run: pip install {package}"
