"""Shows validation images with what is on them and what the model takes it for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

import runhaven
from runhaven_integrations.ultralytics import drawing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

TRUTH, GUESS = "ground truth", "predictions"
_CONFIDENCE = 0.25
_MOST = 50
_TASKS = frozenset({"detect", "segment", "pose", "obb", "classify"})


class Samples:
    """The first images of a validation.

    A validator hands predictions and truth to its own `update_metrics` and to nobody else: that is where they are looked at.
    """

    def __init__(self, validator: Any, limit: int, guard: Callable[[], Any]) -> None:
        """Begin to look.

        Args:
            validator: A validator that is about to begin.
            limit: How many images are kept.
            guard: Makes a context that keeps our errors from the validation.
        """
        self.images: list[runhaven.Image] = []
        self._validator = validator
        self._limit = limit
        self._guard = guard
        self._update: Callable[..., Any] = validator.update_metrics
        if validator.args.task in _TASKS:
            validator.update_metrics = self._look

    def stop(self) -> None:
        """Leave the validator as it was."""
        self._validator.__dict__.pop("update_metrics", None)

    def _look(self, preds: Any, batch: Any) -> Any:
        if len(self.images) < self._limit:
            with self._guard():
                self._take(preds, batch)
        return self._update(preds, batch)

    def _take(self, preds: Any, batch: Mapping[str, Any]) -> None:
        names = {int(number): str(name) for number, name in self._validator.names.items()}
        task = self._validator.args.task
        for index in range(min(len(batch["img"]), self._limit - len(self.images))):
            pixels = _pixels(batch["img"][index])
            if task == "classify":
                self.images.append(_classified(pixels, preds[index], int(batch["cls"][index]), names))
                continue
            size = pixels.shape[:2]
            truth = _truth(batch, index, size)
            guess = _guess(preds[index])
            boxes = {key: _boxes(found, names, size) for key, found in ((TRUTH, truth), (GUESS, guess))}
            masks = {
                key: mask
                for key, found in ((TRUTH, truth), (GUESS, guess))
                if (mask := drawing.mask(found, size, names)) is not None
            }
            caption = str(batch["im_file"][index]).rsplit("/", 1)[-1]
            self.images.append(runhaven.Image(pixels, caption=caption, boxes=boxes, masks=masks))


def _pixels(image: Any) -> NDArray[np.uint8]:
    """Return an image of the batch, CxHxW in [0, 1], as HxWx3 (or x1) bytes."""
    array: NDArray[Any] = image.detach().float().cpu().numpy()
    channels = array[:3] if len(array) >= 3 else array[:1]  # noqa: PLR2004 - red, green and blue
    return (channels.transpose(1, 2, 0).clip(0, 1) * 255).round().astype(np.uint8)


def _classified(pixels: NDArray[np.uint8], scores: Any, truth: int, names: Mapping[int, str]) -> runhaven.Image:
    guess = int(scores.argmax())
    caption = f"{names[truth]}, taken for {names[guess]} ({float(scores[guess]):.2f})"
    return runhaven.Image(pixels, caption=caption)


def _truth(batch: Mapping[str, Any], index: int, size: tuple[int, int]) -> dict[str, Any]:
    """Return what is on an image, in its pixels; corners for boxes, centre and size and angle for rotated ones."""
    mine = batch["batch_idx"].flatten() == index
    height, width = size
    boxes = drawing.array(batch["bboxes"][mine]) * np.array([width, height] * 2 + [1])[: batch["bboxes"].shape[-1]]
    found: dict[str, Any] = {"cls": drawing.array(batch["cls"][mine]).flatten(), "conf": None}
    found["bboxes"] = boxes if boxes.shape[-1] > 4 else drawing.corners(boxes)  # noqa: PLR2004 - an angle
    if "keypoints" in batch:
        points = drawing.array(batch["keypoints"][mine]).copy()
        points[..., :2] *= [width, height]
        found["keypoints"] = points
    if "masks" in batch:
        masks = drawing.array(batch["masks"])
        is_numbered = len(masks) == len(batch["img"])
        number = np.arange(1, len(boxes) + 1)[:, None, None]
        found["masks"] = masks[index] == number if is_numbered else masks[np.asarray(mine.cpu())]
    return found


def _guess(pred: Mapping[str, Any]) -> dict[str, Any]:
    """Return the predictions that are worth a look, the surest first."""
    confidence = drawing.array(pred["conf"])
    order = np.argsort(-confidence)[:_MOST]
    kept = order[confidence[order] >= _CONFIDENCE]
    wanted = ("bboxes", "cls", "conf", "masks", "keypoints")
    return {key: drawing.array(pred[key])[kept] for key in wanted if key in pred}


def _boxes(found: Mapping[str, Any], names: Mapping[int, str], size: tuple[int, int]) -> dict[str, Any]:
    boxes = found["bboxes"]
    upright = drawing.enclosing(boxes) if boxes.shape[-1] > 4 else boxes  # noqa: PLR2004 - an angle
    confidence = found["conf"]
    height, width = size
    data: list[dict[str, Any]] = []
    for at, (left, top, right, bottom) in enumerate(upright.clip(0, [width, height] * 2).tolist()):
        number = int(found["cls"][at])
        name = names.get(number, str(number))
        position = {"minX": left, "minY": top, "maxX": right, "maxY": bottom}
        box: dict[str, Any] = {"position": position, "domain": "pixel", "class_id": number, "box_caption": name}
        if confidence is not None:
            box["scores"] = {"confidence": float(confidence[at])}
            box["box_caption"] = f"{name} {confidence[at]:.2f}"
        data.append(box)
    return {"box_data": data, "class_labels": dict(names)}
