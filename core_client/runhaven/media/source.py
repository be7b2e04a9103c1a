"""Where a value's content comes from, held so that the caller cannot change it any more: arrays, files, bytes."""

from __future__ import annotations

import os
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from runhaven.errors import UsageError
from runhaven.missing import require
from runhaven.value import family_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Held(Protocol):
    """An array as it was when it was taken."""

    @property
    def weight(self) -> int:
        """How many bytes it holds."""
        ...

    @property
    def puts_channels_first(self) -> bool:
        """Whether its library does so."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """How many numbers it has along each axis."""
        ...

    @property
    def has_numbers(self) -> bool:
        """Whether it holds integers, floats or booleans."""
        ...

    def array(self) -> Any:
        """Return it as an array of NumPy's, waiting for a device if need be."""
        ...


_NUMBERS = frozenset("biuf")


class HostArray:
    """A copy in host memory."""

    __slots__ = ("_content", "_dtype", "puts_channels_first", "shape", "weight")

    def __init__(self, source: Any, *, puts_channels_first: bool = False) -> None:
        """Copy an array of NumPy's."""
        self.puts_channels_first = puts_channels_first
        self.shape: tuple[int, ...] = source.shape
        self.weight: int = source.nbytes
        self._dtype = dtype = source.dtype
        # The quickest copy there is, and one that does not let go of the interpreter's lock.
        is_plain = source.flags.c_contiguous and dtype.kind in _NUMBERS
        self._content: Any = source.tobytes() if is_plain else source.copy(order="K")

    @property
    def has_numbers(self) -> bool:
        """Whether it holds integers, floats or booleans."""
        return self._dtype.kind in _NUMBERS

    def array(self) -> Any:
        """Return it, not to be written to."""
        if isinstance(self._content, bytes):
            return _numpy().frombuffer(self._content, self._dtype).reshape(self.shape)
        return self._content


class TorchArray:
    """A copy of a tensor, on the device where the tensor was: made in the order of its stream, without waiting for it."""

    puts_channels_first = True

    def __init__(self, tensor: Any) -> None:
        """Copy a tensor."""
        torch = sys.modules["torch"]
        with torch.no_grad():
            self._tensor = tensor.detach().clone()
        self.shape = tuple(int(size) for size in tensor.shape)
        self.has_numbers = not tensor.dtype.is_complex
        self._event: Any = None
        if tensor.device.type == "cuda" and torch.cuda.is_available():
            self._event = torch.cuda.Event()
            self._event.record()

    @property
    def weight(self) -> int:
        """How many bytes it holds."""
        return int(self._tensor.numel() * self._tensor.element_size())

    def array(self) -> Any:
        """Return it as an array of NumPy's."""
        if self._event is not None:
            self._event.synchronize()
        tensor = self._tensor.cpu()
        # NumPy has no bfloat16, nor the eight-bit floats.
        is_small = tensor.dtype.is_floating_point and str(tensor.dtype) not in _FLOATS
        return (tensor.float() if is_small else tensor).numpy()

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the event, which means something in its process alone."""
        if self._event is not None:
            self._event.synchronize()
        return vars(self) | {"_tensor": self._tensor.cpu(), "_event": None}


class FixedArray:
    """An array of a library whose arrays never change."""

    puts_channels_first = False

    def __init__(self, array: Any) -> None:
        """Hold it."""
        self._array = array
        self.shape = tuple(int(size) for size in array.shape)
        self.has_numbers = "complex" not in str(array.dtype)

    @property
    def weight(self) -> int:
        """How many bytes it holds."""
        return int(getattr(self._array, "nbytes", 0))

    def array(self) -> Any:
        """Return it as an array of NumPy's."""
        return _numpy().asarray(self._array)


_FLOATS = frozenset({"torch.float16", "torch.float32", "torch.float64"})


def _numpy() -> Any:
    return require("numpy", feature="an array as media")


def hold(data: Any) -> Held | None:
    """Copy an array, a tensor or nested lists of numbers; None for anything else."""
    holder = array_holder(data.__class__)
    return _hold_other(data) if holder is None else holder(data)


@cache
def array_holder(kind: type) -> Callable[[Any], Held] | None:
    """Return, found once for each class, what copies its arrays or tensors; None for other classes."""
    group = family_of(kind)
    if group == "numpy":
        return HostArray
    if group == "torch":
        return _hold_tensor
    return FixedArray if group == "jax" or kind.__module__.startswith("tensorflow") else None


def _hold_other(data: Any) -> Held | None:
    if isinstance(data, list | tuple | range) or hasattr(data, "__array__") or hasattr(data, "__array_interface__"):
        try:
            return HostArray(_numpy().asarray(data))
        except (ValueError, TypeError):
            return None
    return None


def _hold_tensor(tensor: Any) -> Held:
    """Copy a tensor: in host memory as an array, where NumPy has its type."""
    try:
        shared = tensor.detach().numpy()
    except (TypeError, RuntimeError):
        return TorchArray(tensor)
    return HostArray(shared, puts_channels_first=True)


def is_path(data: object) -> bool:
    """Tell whether something names a file."""
    return isinstance(data, str | os.PathLike)


def checked_path(data: Any, feature: str) -> Path:
    """Return the path of a file that is there.

    Raises:
        UsageError: If it is not.
    """
    path = Path(os.fsdecode(data)).expanduser()
    if path.is_file():
        return path
    message = f"{feature}: there is no file {str(path)!r}; log the path of a file, or the data itself."
    raise UsageError(message)


def extension(path: Path, known: Sequence[str] | set[str] | frozenset[str]) -> str | None:
    """Return the ending of a file's name that is among the known ones, which may hold dots."""
    name = path.name.lower()
    return next((ending for ending in sorted(known, key=len, reverse=True) if name.endswith(f".{ending}")), None)


def read_stream(data: Any) -> bytes | None:
    """Read what an open file or buffer holds, from its beginning if it can go there; None if it is none."""
    if not hasattr(data, "read"):
        return None
    if hasattr(data, "seek") and getattr(data, "seekable", lambda: True)():
        data.seek(0)
    content = data.read()
    return content.encode() if isinstance(content, str) else bytes(content)
