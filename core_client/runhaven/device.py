"""Reads scalars that lie on an accelerator without making the training wait for it.

The calling thread stacks the scalars of one `log()` call and starts one asynchronous copy to the host on the stream
that produced them, so that a later in-place change cannot reach the snapshot; the background thread waits for the copy.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Protocol

from runhaven.value import family

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Deferred(Protocol):
    """Values that are on their way to the host."""

    def is_ready(self) -> bool:
        """Tell whether `read` would return at once."""
        ...

    def read(self) -> list[float | int | bool]:
        """Return the values, waiting for them if need be."""
        ...


def is_on_device(value: object) -> bool:
    """Tell whether a value is a scalar tensor whose number lies outside the host's memory."""
    kind = family(value)
    tensor: Any = value
    if kind == "torch":
        return tensor.device.type not in ("cpu", "meta") and tensor.numel() == 1
    # An array of JAX's may still be computed, even on the host.
    return kind == "jax" and tensor.size == 1 and not _is_done(tensor)


def _is_done(array: Any) -> bool:
    try:
        return bool(array.is_ready())
    except AttributeError:
        return True


def defer(values: Sequence[Any]) -> list[tuple[list[int], Deferred]]:
    """Start copying device scalars to the host, one copy for each device and type.

    Returns:
        For each copy the positions in `values` that it carries, and the copy.
    """
    groups: dict[tuple[str, str], list[int]] = {}
    for position, value in enumerate(values):
        groups.setdefault((str(value.device), str(value.dtype)), []).append(position)
    copies: list[tuple[list[int], Deferred]] = []
    for positions in groups.values():
        members = [values[position] for position in positions]
        copy = _TorchCopy if family(members[0]) == "torch" else _JaxCopy
        copies.append((positions, copy(members)))
    return copies


class _TorchCopy:
    def __init__(self, tensors: Sequence[Any]) -> None:
        torch = sys.modules["torch"]
        with torch.no_grad():
            stacked = torch.stack([tensor.detach().reshape(()) for tensor in tensors])
            self._host = stacked.to("cpu", non_blocking=True)
        self._event: Any = None
        if stacked.device.type == "cuda" and torch.cuda.is_available():
            self._event = torch.cuda.Event()
            self._event.record()

    def is_ready(self) -> bool:
        return self._event is None or bool(self._event.query())

    def read(self) -> list[float | int | bool]:
        if self._event is not None:
            self._event.synchronize()
        return self._host.tolist()


class _JaxCopy:
    def __init__(self, arrays: Sequence[Any]) -> None:
        self._arrays = arrays
        for array in arrays:
            start: Callable[[], None] | None = getattr(array, "copy_to_host_async", None)
            if start is not None:
                start()

    def is_ready(self) -> bool:
        return all(_is_done(array) for array in self._arrays)

    def read(self) -> list[float | int | bool]:
        return [array.item() for array in self._arrays]
