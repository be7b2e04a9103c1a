"""Imports Transformers' base class, and says what to install when it is missing."""

from __future__ import annotations

from runhaven.missing import missing

try:
    from transformers.trainer_callback import TrainerCallback
except ImportError as error:
    raise ImportError(missing("transformers", "RunhavenCallback")) from error

__all__ = ["TrainerCallback"]
