"""Boxes, masks and points as arrays: in pixels, with x to the right and y down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]

_DOT = 0.015
"""The radius of a keypoint's dot, as part of the picture's longer side."""


def array(tensor: Any) -> Any:
    """Return a tensor's numbers on the host."""
    return tensor.detach().float().cpu().numpy()


def corners(boxes: Floats) -> Floats:
    """Return left, top, right and bottom of N x 4 boxes given by centre and size."""
    centre, half = boxes[:, :2], boxes[:, 2:4] / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def enclosing(boxes: Floats) -> Floats:
    """Return the upright boxes around N x 5 rotated ones: centre, size, and an angle in radians."""
    width, height, angle = boxes[:, 2], boxes[:, 3], boxes[:, 4]
    cosine, sine = np.abs(np.cos(angle)), np.abs(np.sin(angle))
    size = np.stack([width * cosine + height * sine, width * sine + height * cosine], axis=1)
    return corners(np.concatenate([boxes[:, :2], size], axis=1))


def mask(found: Mapping[str, Any], size: tuple[int, int], names: Mapping[int, str]) -> dict[str, Any] | None:
    """Return what no upright box can show, as a mask of one number per pixel: 0 is none of it.

    Args:
        found: Of N objects "bboxes" and "cls", and perhaps "masks" (N x h x w, of any resolution) or "keypoints"
            (N x K x 2, or x 3 with a visibility).
        size: Height and width of the picture.
        names: The classes.

    Returns:
        None where boxes show all.
    """
    if "keypoints" in found:
        count = found["keypoints"].shape[1]
        return _painted(size, _dots(found["keypoints"], size), [f"keypoint {number}" for number in range(count)])
    labels = [names[number] for number in sorted(names)]
    if "masks" in found:
        numbered = zip(found["cls"], found["masks"], strict=True)
        return _painted(size, ((int(number), _resized(each, size)) for number, each in numbered), labels)
    if found["bboxes"].shape[-1] > 4:  # noqa: PLR2004 - an angle
        numbered = zip(found["cls"], found["bboxes"], strict=True)
        return _painted(size, ((int(number), _rotated(box, size)) for number, box in numbered), labels)
    return None


def _painted(
    size: tuple[int, int], areas: Iterator[tuple[int, NDArray[np.bool_]]], labels: list[str]
) -> dict[str, Any]:
    """Paint areas, the first one on top, each with its number and 1."""
    canvas = np.zeros(size, np.uint8)
    for number, area in reversed(list(areas)):
        canvas[area] = number + 1
    return {"mask_data": canvas, "class_labels": {0: "nothing"} | {at + 1: label for at, label in enumerate(labels)}}


def _resized(area: Floats, size: tuple[int, int]) -> NDArray[np.bool_]:
    rows = np.arange(size[0]) * area.shape[0] // size[0]
    columns = np.arange(size[1]) * area.shape[1] // size[1]
    return area[rows][:, columns] > 0


def _rotated(box: Floats, size: tuple[int, int]) -> NDArray[np.bool_]:
    x, y, width, height, angle = box
    down, right = np.mgrid[: size[0], : size[1]] + 0.5
    along = (right - x) * np.cos(angle) + (down - y) * np.sin(angle)
    across = (down - y) * np.cos(angle) - (right - x) * np.sin(angle)
    return (np.abs(along) <= width / 2) & (np.abs(across) <= height / 2)


def _dots(points: Floats, size: tuple[int, int]) -> Iterator[tuple[int, NDArray[np.bool_]]]:
    down, right = np.mgrid[: size[0], : size[1]] + 0.5
    radius = max(1.0, _DOT * max(size))
    for thing in points:
        for number, point in enumerate(thing):
            is_seen = len(point) < 3 or point[2] > 0  # noqa: PLR2004 - x, y and visibility
            if is_seen:
                yield number, (right - point[0]) ** 2 + (down - point[1]) ** 2 <= radius**2
