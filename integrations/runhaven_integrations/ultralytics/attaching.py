"""The functions that put callbacks into a model."""

from __future__ import annotations

from typing import Any, TypeVar

from runhaven_integrations.ultralytics.callbacks import RunhavenCallbacks

_Model = TypeVar("_Model")
_PER_BATCH = 16


def attach(model: _Model, **options: Any) -> _Model:
    """Have a model's trainings logged.

    Args:
        model: A model of Ultralytics', such as `YOLO("yolo26n.yaml")`.
        **options: Those of `RunhavenCallbacks`: `log_model`, `max_images`, `project`, `name` ...

    Returns:
        The model.

    Raises:
        TypeError: If an option is not known.
        UsageError: If an option's value means nothing.
    """
    RunhavenCallbacks(**options).attach(model)
    return model


def add_wandb_callback(  # noqa: PLR0913, PLR0917 - W&B's signature
    model: _Model,
    epoch_logging_interval: int = 1,
    enable_model_checkpointing: bool = False,
    enable_train_validation_logging: bool = True,
    enable_validation_logging: bool = True,  # noqa: ARG001 - see below
    enable_prediction_logging: bool = True,  # noqa: ARG001 - see below
    max_validation_batches: int | None = 1,
    visualize_skeleton: bool | None = True,  # noqa: ARG001 - see below
    **options: Any,
) -> _Model:
    """Have a model's trainings logged, with W&B's arguments.

    Args:
        model: A model of Ultralytics'.
        epoch_logging_interval: Epochs between two looks at validation images.
        enable_model_checkpointing: Whether weights become artifacts at each epoch.
        enable_train_validation_logging: Whether validation images are kept.
        enable_validation_logging: Accepted: a validation by itself is always logged.
        enable_prediction_logging: Accepted: what `predict` returns is not logged.
        max_validation_batches: How many times 16 validation images are kept.
        visualize_skeleton: Accepted: keypoints are shown as dots.
        **options: More options of `attach`.

    Returns:
        The model.
    """
    images = _PER_BATCH * (max_validation_batches or 1) if enable_train_validation_logging else 0
    own: dict[str, Any] = {
        "log_model": "all" if enable_model_checkpointing else False,
        "max_images": images,
        "image_interval": epoch_logging_interval,
    }
    return attach(model, **(own | options))
