"""Turns arrays of any shape and range into pixels, and pixels into the bytes of a picture."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

from runhaven.errors import UsageError
from runhaven.media import png
from runhaven.media.source import extension
from runhaven.missing import require

if TYPE_CHECKING:
    from pathlib import Path

    from runhaven.media.kind import Reference, Sink

FORMATS = frozenset({"png", "jpg", "jpeg", "bmp", "gif", "webp", "tif", "tiff", "svg", "avif"})
_CHANNELS = range(1, 5)
_GAP = 2
# Resizing and rounding leave a range by this much without meaning another one.
_SLACK = 0.01
_BYTE, _WORD = 255, 65535
_FLAT, _CUBE, _BATCH = 2, 3, 4
_PLAIN = frozenset({"L", "LA", "RGB", "RGBA"})
_SAVED = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I", "I;16"})


class Pixels(NamedTuple):
    """What is drawn.

    Attributes:
        array: HxW, or HxWxC with 2 to 4 channels; of uint8 or uint16.
        range: What black and white stood for, where they were not 0 and the greatest integer.
    """

    array: Any
    range: tuple[float, float] | None = None


def numpy() -> Any:
    """Return NumPy.

    Raises:
        ImportError: If it is missing.
    """
    return require("numpy", feature="media from arrays")


def pillow() -> Any:
    """Return Pillow's module of images.

    Raises:
        ImportError: If it is missing.
    """
    return require("PIL.Image", feature="an Image or Video", package="pillow")


def check_pixels(shape: tuple[int, ...], *, has_numbers: bool) -> None:
    """Check an array without looking at its values.

    Raises:
        UsageError: If it cannot be a picture.
    """
    if not has_numbers:
        message = "values of that type are no pixels; pass integers, floats or booleans."
        raise UsageError(message)
    has_channels = len(shape) == _FLAT or any(size in _CHANNELS for size in (*shape[-1:], *shape[-3:-2]))
    if len(shape) not in (_FLAT, _CUBE, _BATCH) or 0 in shape or not has_channels:
        message = f"an array of shape {shape} is no picture; pass HxW, HxWxC or CxHxW with 1 to 4 channels, or a batch of those."
        raise UsageError(message)


def arrange(array: Any, *, channels_first: bool) -> Any:
    """Return a picture as HxW, or HxWxC with 2 to 4 channels; a batch becomes a grid.

    Args:
        array: In any order.
        channels_first: Whether CxHxW is meant where both orders are possible.
    """
    if array.ndim == _BATCH:
        return tile([arrange(one, channels_first=channels_first) for one in array])
    if array.ndim == _FLAT:
        return array
    axes = (0, 2) if channels_first else (2, 0)
    axis = next(axis for axis in axes if array.shape[axis] in _CHANNELS)
    turned = numpy().moveaxis(array, axis, 2)
    return turned[:, :, 0] if turned.shape[2] == 1 else turned


def tile(pictures: list[Any]) -> Any:
    """Lay pictures of one size out in rows, with a narrow gap between them."""
    np = numpy()
    if len(pictures) == 1:
        return pictures[0]
    columns = int(np.ceil(np.sqrt(len(pictures))))
    rows = -(-len(pictures) // columns)
    height, width, *channels = pictures[0].shape
    size = (rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, *channels)
    sheet = np.full(size, min(one.min() for one in pictures), dtype=pictures[0].dtype)
    for index, picture in enumerate(pictures):
        top, left = index // columns * (height + _GAP), index % columns * (width + _GAP)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def to_pixels(array: Any, *, normalize: bool = True) -> Pixels:
    """Return the values of a picture as integers.

    Floats in [0, 1] or [-1, 1] are stretched to 0 to 255, and those in [0, 255] are rounded; any other range is stretched from its
    least to its greatest finite value. 16-bit integers stay what they are.

    Args:
        array: HxW or HxWxC.
        normalize: Without it, values are rounded and cut off at 0 and 255.
    """
    np = numpy()
    kind = array.dtype.kind
    if kind == "b":
        return Pixels(array.astype(np.uint8) * _BYTE)
    if array.dtype in (np.uint8, np.uint16):
        return Pixels(array)
    if not normalize:
        return Pixels(_round(array))
    return _from_integers(array) if kind in "iu" else _from_floats(array)


def _round(array: Any) -> Any:
    np = numpy()
    return np.rint(np.nan_to_num(array, nan=0, posinf=_BYTE, neginf=0).clip(0, _BYTE)).astype(np.uint8)


def _from_integers(array: Any) -> Pixels:
    np = numpy()
    low, high = int(array.min()), int(array.max())
    if low >= 0 and high <= _WORD:
        return Pixels(array.astype(np.uint8 if high <= _BYTE else np.uint16))
    return _stretch(array.astype(np.float64), low, high)


def _from_floats(array: Any) -> Pixels:
    np = numpy()
    values = array.astype(np.float32) if array.dtype.itemsize < 4 else array  # noqa: PLR2004 - half floats round badly
    finite = values if np.isfinite(values).all() else values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    if low >= -_SLACK and high <= 1 + _SLACK:
        return _stretch(values, 0.0, 1.0)
    if low >= -1 - _SLACK and high <= 1 + _SLACK:
        return _stretch(values, -1.0, 1.0)
    return Pixels(_round(values)) if low >= 0 and high <= _BYTE else _stretch(values, low, high)


def _stretch(values: Any, low: float, high: float) -> Pixels:
    span = (high - low) or 1.0
    return Pixels(_round((values - low) * (_BYTE / span)), (low, high))


def to_picture(array: Any) -> Any:
    """Return pixels of eight bits as a picture of Pillow's; of 16 bits, the upper eight are taken."""
    np = numpy()
    narrow = (array >> 8).astype(np.uint8) if array.dtype == np.uint16 else array
    return pillow().fromarray(np.ascontiguousarray(narrow))


def upright(picture: Any) -> Any:
    """Return a picture turned as its EXIF says, for that is not kept."""
    return require("PIL.ImageOps", feature="an Image", package="pillow").exif_transpose(picture)


def encode(picture: Any, format: str) -> bytes:  # noqa: A002 - the word of the reference
    """Return the bytes of a picture of Pillow's, without EXIF and other notes.

    Args:
        picture: The picture.
        format: "png", "jpg", "webp" and so on.
    """
    if format == "png" and picture.mode in _PLAIN and "transparency" not in picture.info:
        return png.encode(numpy().asarray(picture))
    codec = {"jpg": "jpeg", "tif": "tiff"}.get(format, format)
    if codec == "jpeg" and picture.mode not in ("L", "RGB", "CMYK"):
        picture = _on_white(picture)
    elif picture.mode not in _SAVED:
        picture = picture.convert("RGB")
    elif codec == "bmp" and picture.mode == "LA":
        picture = picture.convert("RGBA")
    bare = picture.copy()
    bare.info = {name: value for name, value in picture.info.items() if name == "transparency"}
    buffer = io.BytesIO()
    bare.save(buffer, format=codec)
    return buffer.getvalue()


def _on_white(picture: Any) -> Any:
    """Return a picture without alpha: JPEG has none."""
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        return picture.convert("RGB")
    whole = picture.convert("RGBA")
    ground = pillow().new("RGBA", whole.size, (255, 255, 255, 255))
    ground.alpha_composite(whole)
    return ground.convert("RGB")


def ending_of(format: str) -> str:  # noqa: A002 - the word of the reference
    """Return how files of a format are called."""
    return {"jpeg": "jpg", "tiff": "tif", "mpo": "jpg"}.get(format, format)


def keep_bytes(content: bytes, sink: Sink) -> Reference:
    """Keep an encoded picture as it is.

    Raises:
        OSError: If it is none that Pillow knows.
    """
    with pillow().open(io.BytesIO(content)) as picture:
        facts = {"width": picture.width, "height": picture.height}
        return sink.put(content, ending_of(str(picture.format).lower())) | facts


def keep_file(path: Path, sink: Sink) -> Reference:
    """Keep a file's own bytes, once Pillow, if it is there, has said what they are.

    Raises:
        UsageError: If it is no picture.
    """
    ending = extension(path, FORMATS)
    facts: dict[str, int] = {}
    try:
        with pillow().open(path) as picture:
            facts = {"width": picture.width, "height": picture.height}
            ending = str(picture.format).lower()
    except ImportError:
        pass
    except OSError as error:
        if ending != "svg":
            message = f"{path} is no picture that can be read: {error}."
            raise UsageError(message) from error
    if ending is None:
        message = f"{path} has no ending of a picture; install pillow, so that its content is looked at."
        raise UsageError(message)
    return sink.put_file(path, ending_of(ending)) | facts
