"""What Runhaven raises; every message says what happened, why, and what to do."""

from __future__ import annotations


class RunhavenError(Exception):
    """Base of all errors that Runhaven raises on purpose."""


class UsageError(RunhavenError, ValueError):
    """A call that cannot mean anything, such as `resume="must"` for a run that does not exist."""


class ConfigError(UsageError):
    """A change of a configuration value that the settings do not allow."""


class StoreError(RunhavenError):
    """A store that cannot be read or written."""


class NotFoundError(RunhavenError, LookupError):
    """A project, run or metric that the store does not hold."""


Error = RunhavenError
"""W&B's name for the base error."""
CommError = NotFoundError
"""W&B's name for what its Api raises when a run does not exist."""
