"""Imports Keras, on the backend that the user chose, and gives what we use of it types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runhaven.missing import missing

if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Logs: TypeAlias = dict[str, Any] | None

    class Callback:
        """Stands for Keras's class, which has no types."""

        params: dict[str, Any]

        def __init__(self) -> None: ...  # noqa: D107
        @property
        def model(self) -> Any: ...  # noqa: D102
        def set_params(self, params: dict[str, Any]) -> None: ...  # noqa: D102
        def set_model(self, model: Any) -> None: ...  # noqa: D102
        def on_train_begin(self, logs: Logs = None) -> None: ...  # noqa: D102
        def on_train_end(self, logs: Logs = None) -> None: ...  # noqa: D102
        def on_epoch_begin(self, epoch: int, logs: Logs = None) -> None: ...  # noqa: D102
        def on_epoch_end(self, epoch: int, logs: Logs = None) -> None: ...  # noqa: D102
        def on_train_batch_end(self, batch: int, logs: Logs = None) -> None: ...  # noqa: D102
        def on_test_end(self, logs: Logs = None) -> None: ...  # noqa: D102

    class ModelCheckpoint(Callback):
        """Stands for Keras's class, which has no types."""

        filepath: str
        monitor: str
        mode: str

        def __init__(self, filepath: Any, **options: Any) -> None: ...  # noqa: D107
        def _save_model(self, epoch: int, batch: int | None, logs: Logs) -> None: ...
        def _get_file_path(self, epoch: int, batch: int | None, logs: Logs) -> str: ...

    def backend() -> str:
        """Return the backend's name: "torch" or "jax"."""
        ...

    def to_numpy(value: Any) -> Any:
        """Return a variable or tensor as an array."""
        ...

    version: str
else:
    try:
        from keras import __version__ as version
        from keras.callbacks import Callback, ModelCheckpoint
        from keras.config import backend
        from keras.ops import convert_to_numpy as to_numpy
    except ImportError as error:
        if error.name not in ("tensorflow", "jax"):
            raise ImportError(missing("keras", "RunhavenCallback")) from error
        message = (
            f"RunhavenCallback needs Keras with a backend, and {error.name!r}, which Keras would use, cannot be imported. "
            "Set the environment variable KERAS_BACKEND to 'torch' or 'jax' before anything imports keras."
        )
        raise ImportError(message) from error

__all__ = ["Callback", "ModelCheckpoint", "backend", "to_numpy", "version"]
