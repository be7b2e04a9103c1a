"""Pictures: arrays, tensors, Pillow's images, figures of matplotlib, files."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, ClassVar, cast

from runhaven.errors import UsageError
from runhaven.media import filing, pixels, png
from runhaven.media.annotation import BoundingBoxes2D, Classes, ImageMask, boxes_in, mask_in
from runhaven.media.figure import draw, figure_of
from runhaven.media.kind import Media, lenient
from runhaven.media.source import HostArray, array_holder, checked_path, extension, hold, is_path, read_stream
from runhaven.rich import bare_kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runhaven.media.kind import Reference, Sink
    from runhaven.media.source import Held

_DRAWN = pixels.FORMATS - {"svg"}


class Image(Media):
    """A picture.

    Attributes:
        format: What its bytes will be, such as "png".
        caption: A line of text about it.
        source: What it is made of, which nobody else changes.
    """

    type_name = "image-file"
    list_type = "images/separated"
    told_fields = ("range",)
    MAX_ITEMS: ClassVar[int] = 108
    MAX_DIMENSION: ClassVar[int] = 65500

    @lenient
    def __init__(  # noqa: PLR0913, PLR0917 - W&B's signature
        self,
        data_or_path: Any,
        mode: str | None = None,
        caption: str | None = None,
        grouping: int | None = None,
        classes: Classes | Sequence[Mapping[str, Any]] | None = None,
        boxes: Mapping[str, BoundingBoxes2D | Mapping[str, Any]] | None = None,
        masks: Mapping[str, ImageMask | Mapping[str, Any]] | None = None,
        file_type: str | None = None,
        normalize: bool = True,
    ) -> None:
        """Take a picture; later changes of the caller's data do not reach it.

        Args:
            data_or_path: An array or tensor (HxW, HxWxC, CxHxW, or a batch, which becomes a grid), an image of Pillow's, a
                figure of matplotlib's, the path of a file, or an open one.
            mode: Pillow's mode to convert to, such as "L" or "RGB".
            caption: A line of text.
            grouping: How many pictures are shown as one.
            classes: What the numbers in masks and boxes mean: dicts with "id" and "name".
            boxes: Groups of boxes by name; see `BoundingBoxes2D`.
            masks: Masks by name; see `ImageMask`.
            file_type: "png" (the default for data), "jpg", "bmp", "webp" and so on.
            normalize: Whether the range of floats decides what is black and white; see the documentation.
        """
        self.caption = caption
        self._mode = mode
        self._grouping = grouping
        self._normalize = normalize
        self._file_type = file_type.lower().lstrip(".") if file_type else None
        self._classes = classes if classes is None or isinstance(classes, Classes) else Classes(classes)
        self._boxes = _annotations(boxes, BoundingBoxes2D) if boxes else {}
        self._masks = _annotations(masks, ImageMask) if masks else {}
        holder = array_holder(data_or_path.__class__)
        self.source: Any = _take(data_or_path) if holder is None else holder(data_or_path)

    # What it is

    @property
    def format(self) -> str | None:
        """What its bytes will be."""
        if self._file_type is None and is_path(self.source):
            return extension(checked_path(self.source, "Image"), pixels.FORMATS)
        return self._file_type or "png"

    @property
    def image(self) -> Any:
        """The picture, as an image of Pillow's."""
        return self._picture()

    def guess_mode(self, data: Any, file_type: str | None = None) -> str:
        """Return the mode of Pillow's that an array would have."""
        held = hold(data)
        if held is None:
            message = f"guess_mode() takes an array, not {type(data).__name__}."
            raise UsageError(message)
        pixels.check_pixels(held.shape, has_numbers=held.has_numbers)
        shape = pixels.arrange(held.array(), channels_first=held.puts_channels_first).shape
        mode = "L" if len(shape) == 2 else {2: "LA", 3: "RGB", 4: "RGBA"}[shape[2]]  # noqa: PLR2004 - height and width
        return "RGB" if mode == "RGBA" and file_type in ("jpg", "jpeg") else mode

    def to_data_array(self) -> list[Any]:
        """Return the pixels as nested lists."""
        return pixels.numpy().asarray(self._picture()).tolist()

    # The way to the store

    def check(self) -> None:
        """Look at type, shape and file."""
        if self._file_type not in (_DRAWN | {None}):
            message = f"file_type={self._file_type!r} is not known; choose one of {', '.join(sorted(_DRAWN))}."
            raise UsageError(message)
        if is_path(self.source):
            checked_path(self.source, "Image")
            return
        if self.source is None:
            message = (
                "Image takes an array, a tensor, an image of Pillow's, a figure of matplotlib's or the path of a file."
            )
            raise UsageError(message)
        if not self._is_array() or not self._is_plain():
            pixels.pillow()
        if self._is_array():
            held = cast("Held", self.source)
            pixels.check_pixels(held.shape, has_numbers=held.has_numbers)

    def doubts(self) -> list[str]:
        """Look for annotations that are left out, and for a size that browsers refuse."""
        found = [f"{problem} It was left out" for part in self._annotations() if (problem := _problem_of(part))]
        if max(getattr(self.source, "shape", ()), default=0) > self.MAX_DIMENSION:
            found.append(f"browsers show no picture of more than {self.MAX_DIMENSION} pixels on a side")
        return found

    def _annotations(self) -> list[BoundingBoxes2D | ImageMask]:
        return [*self._boxes.values(), *self._masks.values()]

    def weight(self) -> int:
        """Return how many bytes the copy holds."""
        masks = sum(mask.weight() for mask in self._masks.values()) if self._masks else 0
        if (held := getattr(self.source, "weight", None)) is not None:
            return held + masks
        if isinstance(self.source, bytes):
            return len(self.source) + masks
        if self.source is None or is_path(self.source):
            return masks
        width, height = self.source.size
        return width * height * len(self.source.getbands()) + masks

    def keep(self, sink: Sink) -> Reference:
        """Encode it unless it is a file that may stay as it is."""
        facts: dict[str, Any] = {} if self._grouping is None else {"grouping": int(self._grouping)}
        reference = self._keep_pixels(sink) | facts
        for name, parts in (("boxes", self._boxes), ("masks", self._masks)):
            sound = {key: part for key, part in parts.items() if _problem_of(part) is None}
            if sound:
                reference[name] = {key: part.keep(sink) for key, part in sound.items()}
        if self._classes is not None:
            reference["classes"] = self._classes.keep(sink)
        return self.described(reference)

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> Image:
        """Make the picture, with what is drawn over it."""
        classes = reference.get("classes")
        image = cls(
            filing.StoredFile(artifact, reference["path"]),
            caption=reference.get("caption"),
            grouping=reference.get("grouping"),
            classes=classes and Classes.from_reference(classes, artifact),
            boxes={key: boxes_in(boxes, artifact) for key, boxes in reference.get("boxes", {}).items()},
            masks={key: mask_in(mask, artifact) for key, mask in reference.get("masks", {}).items()},
        )
        return image.knowing(reference)

    def _keep_pixels(self, sink: Sink) -> Reference:
        if not self._is_array() and not (sink.scrubs or self._mode or self._file_type):
            if isinstance(self.source, bytes):
                return pixels.keep_bytes(self.source, sink)
            if is_path(self.source):
                return pixels.keep_file(checked_path(self.source, "Image"), sink) | self.told
        found = self._pixels()
        if found is not None and self._is_plain() and not sink.scrubs:
            height, width = found.array.shape[:2]
            return sink.put(png.encode(found.array), "png") | _facts(found, width, height)
        picture = self._picture(found)
        if sink.scrubs:
            picture = sink.scrub(picture)
        ending = pixels.ending_of(self.format or "png")
        width, height = picture.size
        return sink.put(pixels.encode(picture, ending), ending) | _facts(found, width, height)

    def _is_array(self) -> bool:
        """Tell whether it is made of an array, not of what is a picture already."""
        is_other = self.source is None or isinstance(self.source, bytes) or is_path(self.source)
        return not is_other and bare_kind(self.source) != "pillow"

    def _is_plain(self) -> bool:
        """Tell whether its pixels need no conversion that only Pillow knows."""
        return self._mode is None and self.format == "png"

    def _pixels(self) -> pixels.Pixels | None:
        """Return the pixels of an array; None for what is a picture already."""
        if not self._is_array():
            return None
        held = cast("Held", self.source)
        arranged = pixels.arrange(held.array(), channels_first=held.puts_channels_first)
        return pixels.to_pixels(arranged, normalize=self._normalize)

    def _picture(self, found: pixels.Pixels | None = None) -> Any:
        self.verify()
        found = found or self._pixels()
        if found is not None:
            picture = pixels.to_picture(found.array)
        elif bare_kind(self.source) == "pillow":
            picture = pixels.upright(self.source)
        else:
            opened = io.BytesIO(self.source) if isinstance(self.source, bytes) else checked_path(self.source, "Image")
            with pixels.pillow().open(opened) as file:
                picture = pixels.upright(file)
        return picture.convert(self._mode) if self._mode and picture.mode != self._mode else picture


def _problem_of(part: BoundingBoxes2D | ImageMask) -> str | None:
    try:
        part.verify()
    except Exception as error:  # noqa: BLE001 - a bad annotation may fail in any way
        return str(error)
    return None


def _annotations(given: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    return {key: value if isinstance(value, kind) else kind(value, key) for key, value in given.items()}


def _take(data: Any) -> Any:
    """Return what an image is made of, copied; None if it is nothing that can be."""
    if isinstance(data, Image):
        return data.source
    if is_path(data):
        return data
    kind = bare_kind(data)
    if kind in ("figure", "axes"):
        return HostArray(draw(figure_of(data)))
    if kind == "pillow":
        # What Pillow holds as floats is an array like any other.
        return hold(data) if data.mode == "F" else data.copy()
    content = read_stream(data)
    return hold(data) if content is None else content


def _facts(found: pixels.Pixels | None, width: int, height: int) -> dict[str, Any]:
    size: dict[str, Any] = {"width": int(width), "height": int(height)}
    return size if found is None or found.range is None else size | {"range": list(found.range)}
