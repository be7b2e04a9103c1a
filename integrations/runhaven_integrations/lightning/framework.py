"""Imports Lightning under whichever of its names is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runhaven.missing import missing

if TYPE_CHECKING:
    from collections.abc import Callable

    from lightning.pytorch.loggers.logger import Logger
    from lightning_utilities.core.rank_zero import rank_zero_only

    from runhaven import Run

    def rank_zero_experiment(experiment: Callable[..., Run]) -> Callable[..., Run]:
        """Stand for Lightning's decorator, whose own types say nothing."""
        ...

else:
    try:
        from lightning_utilities.core.rank_zero import rank_zero_only

        try:
            from lightning.fabric.loggers.logger import rank_zero_experiment
            from lightning.pytorch.loggers.logger import Logger
        except ImportError:
            from lightning_fabric.loggers.logger import rank_zero_experiment
            from pytorch_lightning.loggers.logger import Logger
    except ImportError as error:
        raise ImportError(missing("lightning", "RunhavenLogger")) from error

__all__ = ["Logger", "is_rank_zero", "rank_zero_experiment", "rank_zero_only"]


def is_rank_zero() -> bool:
    """Tell whether this process is the one that logs."""
    return getattr(rank_zero_only, "rank", 0) == 0
