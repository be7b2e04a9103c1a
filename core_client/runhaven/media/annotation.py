"""What is drawn over a picture: boxes, masks, and the names of their classes."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from runhaven.errors import UsageError
from runhaven.media import filing, pixels, png
from runhaven.media.kind import Media, lenient
from runhaven.media.source import checked_path, hold
from runhaven.value import to_json

if TYPE_CHECKING:
    from runhaven.media.kind import Reference, Sink

_CORNERS = {"minX", "maxX", "minY", "maxY"}
_BYTE, _WORD = 255, 65535
_FLAT = 2


class Classes(Media):
    """What the numbers of classes mean."""

    type_name = "classes-file"

    @lenient
    def __init__(self, class_set: Sequence[Mapping[str, Any]]) -> None:
        """Name classes.

        Args:
            class_set: Dicts with "id", "name" and, if wished, "color".
        """
        self._classes = [dict(item) for item in class_set]

    @property
    def names(self) -> dict[int, str]:
        """The name of each class by its number."""
        return {int(item["id"]): str(item.get("name", item["id"])) for item in self._classes}

    def check(self) -> None:
        """Look for the numbers."""
        if not all("id" in item for item in self._classes):
            message = 'classes takes dicts with "id" and "name".'
            raise UsageError(message)

    def keep(self, sink: Sink) -> Reference:
        """Keep them as JSON."""
        return self.described(sink.put(_dump({"class_set": self._classes}), "json"))

    @classmethod
    def from_reference(cls, reference: Reference, artifact: filing.Artifact) -> Classes:
        """Read their JSON."""
        return cls(filing.read_json(artifact, reference)["class_set"])


def _labels_in(reference: Reference, artifact: filing.Artifact) -> dict[int, str]:
    """Return the names of classes that annotations refer to."""
    return Classes.from_reference(reference["classes"], artifact).names if "classes" in reference else {}


def _labels(names: Mapping[Any, Any] | None) -> Classes | None:
    return Classes([{"id": int(number), "name": str(name)} for number, name in names.items()]) if names else None


def _dump(value: Any) -> bytes:
    return json.dumps(to_json(value), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


class BoundingBoxes2D(Media):
    """A group of boxes over a picture."""

    type_name = "boxes2D"

    @lenient
    def __init__(self, val: Mapping[str, Any], key: str) -> None:
        """Take boxes.

        Args:
            val: "box_data", a list of dicts with "position" (minX, maxX, minY, maxY; or middle, width, height), "class_id",
                and, if wished, "domain" ("pixel"; by default parts of the picture), "box_caption" and "scores"; and
                "class_labels", names by number.
            key: The name of the group.
        """
        self._key = key
        self._given = _frozen(val)

    def validate(self, val: Mapping[str, Any]) -> bool:
        """Tell whether boxes are as they should be.

        Raises:
            UsageError: If they are not.
        """
        problem = _problem_of_boxes(val)
        if problem:
            message = f"boxes {self._key!r}: {problem}"
            raise UsageError(message)
        return True

    def _thawed(self) -> Any:
        return pickle.loads(self._given)  # noqa: S301 - what this very object has pickled

    def check(self) -> None:
        """Look at each box."""
        self.validate(self._thawed())

    def keep(self, sink: Sink) -> Reference:
        """Keep them as JSON."""
        given = self._thawed()
        boxes: Any = to_json(given["box_data"])
        reference = sink.put(_dump({"box_data": boxes}), "json") | {"count": len(boxes)}
        classes = _labels(given.get("class_labels"))
        if classes is not None:
            reference["classes"] = classes.keep(sink)
        return self.described(reference)


def boxes_in(reference: Reference, artifact: filing.Artifact) -> dict[str, Any]:
    """Return boxes as they were given."""
    return {**filing.read_json(artifact, reference), "class_labels": _labels_in(reference, artifact)}


def mask_in(reference: Reference, artifact: filing.Artifact) -> dict[str, Any]:
    """Return a mask as it could be given: the path of its picture, and the names of its classes."""
    path = filing.StoredFile(artifact, reference["path"])
    return {"path": path, "class_labels": _labels_in(reference, artifact)}


def _frozen(value: Any) -> bytes:
    """Return a value that the caller cannot change any more; pickling is the quickest way to copy a tree of small values."""
    try:
        return pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    except Exception:  # noqa: BLE001 - a user's object may refuse in any way
        return pickle.dumps(to_json(value), pickle.HIGHEST_PROTOCOL)


def _problem_of_boxes(val: Any) -> str | None:
    boxes: Any = cast("Mapping[str, Any]", val).get("box_data") if isinstance(val, Mapping) else None
    if not isinstance(boxes, Sequence) or isinstance(boxes, str):
        return '"box_data" must be a list of dicts.'
    problems = (_problem_of_box(box) for box in cast("Sequence[Any]", boxes))
    return next((problem for problem in problems if problem), None)


def _problem_of_box(box: Any) -> str | None:
    found: Mapping[str, Any] = cast("Mapping[str, Any]", box) if isinstance(box, Mapping) else {}
    position: Any = found.get("position")
    if not isinstance(position, Mapping):
        return 'each box must be a dict with a "position".'
    names = cast("Mapping[str, Any]", position).keys()
    if not (names >= _CORNERS or names >= {"middle", "width", "height"}):
        return '"position" must hold minX, maxX, minY and maxY, or middle, width and height.'
    number = found.get("class_id")
    return None if number is None or _is_integer(number) else '"class_id" must be an integer.'


def _is_integer(value: Any) -> bool:
    found = to_json(value)
    return isinstance(found, int) and not isinstance(found, bool)


class ImageMask(Media):
    """A picture whose values are the numbers of classes, over another picture."""

    type_name = "mask"

    @lenient
    def __init__(self, val: Mapping[str, Any], key: str) -> None:
        """Take a mask.

        Args:
            val: "mask_data", a two-dimensional array of integers, or "path", a picture; and "class_labels", names by number.
            key: Its name.
        """
        self._key = key
        self._path = val.get("path")
        self._held = None if val.get("mask_data") is None else hold(val["mask_data"])
        self._classes = _labels(val.get("class_labels"))

    def validate(self, val: Mapping[str, Any]) -> bool:
        """Tell whether a mask is as it should be.

        Raises:
            UsageError: If it is not.
        """
        ImageMask(val, self._key).verify()
        return True

    def check(self) -> None:
        """Look for data or a file."""
        if self._path is not None:
            checked_path(self._path, f"mask {self._key!r}")
        elif self._held is None or not self._held.has_numbers:
            message = f'mask {self._key!r}: pass "mask_data", a two-dimensional array of integers, or "path".'
            raise UsageError(message)
        else:
            _numbers(self._held.array(), self._key)

    def weight(self) -> int:
        """Return how many bytes the copy holds."""
        return self._held.weight if self._held is not None else 0

    def keep(self, sink: Sink) -> Reference:
        """Keep it as a picture of one channel, whose values are the classes."""
        if self._held is None:
            reference = pixels.keep_file(checked_path(self._path, f"mask {self._key!r}"), sink)
        else:
            array = _numbers(self._held.array(), self._key)
            height, width = array.shape
            reference = sink.put(png.encode(array), "png") | {"width": int(width), "height": int(height)}
        if self._classes is not None:
            reference["classes"] = self._classes.keep(sink)
        return self.described(reference)


def _numbers(array: Any, key: str) -> Any:
    """Return a mask as unsigned integers, whose values no range may change."""
    np = pixels.numpy()
    flat = np.squeeze(array)
    values = flat.astype(np.int64)
    if flat.ndim != _FLAT or not (values == flat).all() or values.min() < 0 or values.max() > _WORD:
        message = (
            f"mask {key!r}: the data must be two-dimensional integers from 0 to {_WORD}, not of shape {array.shape}."
        )
        raise UsageError(message)
    return values.astype(np.uint8 if values.max() <= _BYTE else np.uint16)
