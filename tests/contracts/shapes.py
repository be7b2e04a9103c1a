"""Draws squares and discs with labels for each task of YOLO, and tiny models for them; nothing is downloaded."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from PIL import Image

HOME = Path(tempfile.gettempdir()) / f"runhaven-tests-yolo-{os.getuid()}"
SIZE = 32
NAMES = {0: "square", 1: "disc"}
HEADS = {
    "detect": "Detect, [nc]",
    "segment": "Segment, [nc, 8, 16]",
    "pose": "Pose, [nc, kpt_shape]",
    "obb": "OBB, [nc, 1]",
}


def forbid_downloads() -> None:
    """Set what keeps Ultralytics from the network; to be called before it is imported."""
    os.environ |= {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "0", "YOLO_CONFIG_DIR": str(HOME), "YOLO_VERBOSE": "false"}
    font = HOME / "Ultralytics" / "Arial.ttf"
    font.parent.mkdir(parents=True, exist_ok=True)
    if not font.exists():
        shutil.copy(Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf", font)


def write(folder: Path, task: str, *, training: int = 6, validation: int = 2) -> Path:
    """Write pictures and labels and return what `data` is to be."""
    numbers = np.random.default_rng(0)
    for part, count in (("train", training), ("val", validation)):
        for index in range(count):
            kind = index % 2
            left, top = numbers.integers(2, SIZE // 2 - 2, 2)
            picture, label = draw(kind, int(left), int(top), SIZE // 2, task)
            if task == "classify":
                place = folder / part / NAMES[kind]
            else:
                place = folder / "images" / part
                labels = folder / "labels" / part
                labels.mkdir(parents=True, exist_ok=True)
                (labels / f"{index}.txt").write_text(label)
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(place / f"{index}.png")
    if task == "classify":
        return folder
    lines = [f"path: {folder}", "train: images/train", "val: images/val", "names: {0: square, 1: disc}"]
    lines += ["kpt_shape: [2, 3]"] if task == "pose" else []
    (folder / "data.yaml").write_text("\n".join(lines))
    return folder / "data.yaml"


def draw(kind: int, left: int, top: int, side: int, task: str) -> tuple[Any, str]:
    """Return a picture of one shape, 32x32x3 bytes, and its line of label."""
    picture = np.full((SIZE, SIZE, 3), 40, np.uint8)
    down, right = np.mgrid[:SIZE, :SIZE]
    x, y = left + side / 2, top + side / 2
    if kind == 0:
        picture[top : top + side, left : left + side] = (230, 60, 60)
    else:
        picture[(right - x) ** 2 + (down - y) ** 2 <= (side / 2) ** 2] = (60, 60, 230)
    low_x, low_y, high_x, high_y = left, top, left + side, top + side
    polygon = [low_x, low_y, high_x, low_y, high_x, high_y, low_x, high_y]
    box = [x, y, side, side]
    values = [value / SIZE for value in (polygon if task in ("segment", "obb") else box)]
    if task == "pose":
        values += [low_x / SIZE, low_y / SIZE, 2, high_x / SIZE, high_y / SIZE, 2]
    return picture, " ".join(map(str, [kind, *values]))


def write_model(folder: Path, task: str) -> Path:
    """Write the plan of a model of some thousand parameters; older versions want two heights of features."""
    convolutions = [f"  - [-1, 1, Conv, [{width}, 3, 2]]" for width in (8, 16, 16)]
    head = "  - [-1, 1, Classify, [nc]]" if task == "classify" else f"  - [[1, 2], 1, {HEADS[task]}]"
    lines = ["nc: 2", "kpt_shape: [2, 3]", "backbone:", *convolutions, "head:", head]
    path = folder / f"tiny-{task}.yaml"
    path.write_text("\n".join(lines))
    return path
