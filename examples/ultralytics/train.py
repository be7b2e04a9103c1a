# Types are checked without Ultralytics too, whose licence asks for a choice.
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""Train a YOLO detector on squares, discs and triangles that are drawn here, and watch it in Runhaven.

Losses, metrics, learning rates, plots, the best weights, and validation images with boxes of truth and prediction are kept.
No weights and no data are downloaded. Takes less than a minute on two processor cores.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw
from ultralytics import YOLO

from runhaven_integrations.ultralytics import attach

NAMES = ("square", "disc", "triangle")
SIZE = 64


def draw(path: Path, chance: random.Random) -> list[str]:
    """Draw one or two shapes on a noisy ground and return their labels: class, centre, width and height as parts."""
    ground = chance.randrange(30, 90)
    picture = Image.new("RGB", (SIZE, SIZE), (ground, ground, ground))
    pen = ImageDraw.Draw(picture)
    labels: list[str] = []
    for column in chance.sample(range(2), chance.randint(1, 2)):
        kind, side = chance.randrange(3), chance.randint(18, 28)
        left, top = column * 32 + chance.randint(0, 30 - side), chance.randint(0, SIZE - side)
        right, bottom = left + side, top + side
        colour = tuple(chance.randrange(130, 256) for _ in range(3))
        if kind == 0:
            pen.rectangle((left, top, right, bottom), fill=colour)
        elif kind == 1:
            pen.ellipse((left, top, right, bottom), fill=colour)
        else:
            pen.polygon([(left, bottom), (right, bottom), ((left + right) / 2, top)], fill=colour)
        parts = [(left + side / 2) / SIZE, (top + side / 2) / SIZE, side / SIZE, side / SIZE]
        labels.append(" ".join(map(str, [kind, *parts])))
    picture.save(path)
    return labels


def write_data(folder: Path) -> Path:
    """Write 200 training and 40 validation images with labels; return the file that describes them."""
    chance = random.Random(0)  # noqa: S311 - shapes, no secrets
    for part, count in (("train", 200), ("val", 40)):
        images, labels = folder / "images" / part, folder / "labels" / part
        images.mkdir(parents=True)
        labels.mkdir(parents=True)
        for number in range(count):
            lines = draw(images / f"{number}.png", chance)
            (labels / f"{number}.txt").write_text("\n".join(lines))
    names = "".join(f"\n  {number}: {name}" for number, name in enumerate(NAMES))
    data = folder / "data.yaml"
    data.write_text(f"path: {folder}\ntrain: images/train\nval: images/val\nnames:{names}\n")
    return data


def main() -> None:
    """Train once, with the settings of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--lr0", type=float, default=0.003)
    parser.add_argument("--model", default="yolov8n.yaml", help="a plan of Ultralytics' or of your own")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = attach(YOLO(options.model), project="shapes", log_model=True)
        model.train(
            data=str(write_data(Path(folder) / "data")),
            epochs=options.epochs,
            lr0=options.lr0,
            optimizer="AdamW",
            imgsz=SIZE,
            batch=16,
            mosaic=0.0,
            scale=0.2,
            project=str(Path(folder) / "runs"),
        )


if __name__ == "__main__":
    main()
