"""Every kind of picture arrives with the pixels that were meant."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any, cast

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from PIL import Image as Pillow

import runhaven

mpl.use("agg")
RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 5, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "data",
    [RGB, RGB.transpose(2, 0, 1), torch.from_numpy(RGB), torch.from_numpy(RGB).permute(2, 0, 1), RGB.tolist(), Pillow.fromarray(RGB)],
    ids=["HWC", "CHW", "torch HWC", "torch CHW", "lists", "Pillow"],
)  # fmt: skip
def test_every_order_of_axes_gives_the_same_picture(kept_pixels, data):
    """HWC and CHW, arrays, tensors, lists and Pillow's images give the same pixels."""
    assert (kept_pixels(data) == RGB).all()


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 1), (1, 6, 5)])
def test_one_channel_is_grey(kept_pixels, shape):
    """HxW, HxWx1 and 1xHxW are one grey picture."""
    assert (kept_pixels(RGB[:, :, 0].reshape(shape)) == RGB[:, :, 0]).all()


def test_alpha_is_kept_and_jpeg_goes_without(keep):
    """Two and four channels hold alpha; where the format has none, the picture lies on white."""
    clear = np.zeros((8, 8, 4), np.uint8)
    kept = keep(
        png=runhaven.Image(clear), grey=runhaven.Image(clear[..., :2]), jpg=runhaven.Image(clear, file_type="jpg")
    )

    assert kept.picture(kept["png"]).mode == "RGBA"
    assert kept.picture(kept["grey"]).mode == "LA"
    assert np.asarray(kept.picture(kept["jpg"])).min() > 250
    assert kept["jpg"]["format"] == "jpg"


@pytest.mark.parametrize(
    ("low", "high", "range"),
    [(0, 1, [0, 1]), (-1, 1, [-1, 1]), (0, 255, None), (-3, 7, [-3, 7]), (0, 5000, [0, 5000])],
)
def test_the_range_of_floats_decides_what_is_black_and_white(keep, low, high, range):
    """[0, 1], [-1, 1] and [0, 255] are known; others are stretched, and the reference says from what."""
    data = np.linspace(low, high, 256).reshape(16, 16)
    kept = keep(image=runhaven.Image(data))

    assert np.abs(np.asarray(kept.picture(kept["image"])).astype(int).ravel() - np.arange(256)).max() <= 1
    assert kept["image"].get("range") == range


def test_floats_of_all_widths_and_holes_are_drawn(kept_pixels):
    """Half floats of torch, NaN and infinity do not spoil the rest."""
    data = torch.tensor([[0.0, 1.0], [0.5, float("nan")]], dtype=torch.bfloat16)
    wild = np.array([[0.0, 1.0], [np.inf, -np.inf]])

    assert kept_pixels(data).tolist() == [[0, 255], [128, 0]]
    assert kept_pixels(wild).tolist() == [[0, 255], [255, 0]]


def test_without_normalizing_values_are_cut_off(kept_pixels):
    """normalize=False takes 0.6 for nearly black."""
    assert kept_pixels(np.array([[0.6, 300.0, -5.0]]), normalize=False).tolist() == [[1, 255, 0]]


def test_booleans_and_wide_integers(kept_pixels):
    """True is white; integers up to 255 are as they are."""
    assert kept_pixels(np.array([[True, False]])).tolist() == [[255, 0]]
    assert kept_pixels(np.array([[0, 200]], dtype=np.int64)).tolist() == [[0, 200]]


def unfilter(data: bytes) -> np.ndarray:
    """Read a 16-bit PNG whose lines hold differences to the line above, for Pillow cuts colours to eight bits."""
    width, height, depth, color = struct.unpack(">IIBB", data[16:26])
    at = data.index(b"IDAT")
    length = int.from_bytes(data[at - 4 : at], "big")
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[color]
    lines = np.frombuffer(zlib.decompress(data[at + 4 : at + 4 + length]), np.uint8).reshape(height, -1)
    assert depth == 16
    assert (lines[:, 0] == 2).all()
    rows = np.cumsum(lines[:, 1:], axis=0, dtype=np.uint8)
    return np.ascontiguousarray(rows).view(">u2").reshape(height, width, channels)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sixteen_bits_stay_sixteen_bits(keep, channels):
    """Arrays of uint16 become PNGs that hold each value, whatever the channels, and that Pillow can open."""
    data = RNG.integers(0, 65536, (7, 9, channels), dtype=np.uint16)
    kept = keep(image=runhaven.Image(data))

    assert (unfilter(kept.bytes(kept["image"])) == data).all()
    kept.picture(kept["image"]).load()
    if channels == 1:
        assert (np.asarray(kept.picture(kept["image"])) == data[..., 0]).all()


def test_a_batch_is_a_grid(keep):
    """Four pictures become two rows of two."""
    batch = torch.rand(4, 3, 10, 12)
    kept = keep(image=runhaven.Image(batch))

    assert (kept["image"]["width"], kept["image"]["height"]) == (26, 22)


def test_a_file_is_kept_byte_for_byte(keep, tmp_path):
    """The path of a picture keeps the file's own bytes, and says what they are by their content."""
    path = tmp_path / "photo.png"
    Pillow.fromarray(RGB).save(path, format="jpeg")
    kept = keep(image=runhaven.Image(str(path), caption="a photo", grouping=3))

    assert kept.bytes(kept["image"]) == path.read_bytes()
    assert kept["image"] | {"sha256": "", "size": 0} == {
        "_type": "image-file", "sha256": "", "size": 0, "format": "jpg", "width": 5, "height": 6,
        "caption": "a photo", "grouping": 3,
    }  # fmt: skip


def test_an_open_file_is_kept_byte_for_byte(keep):
    """A JPEG in memory stays that JPEG; another format, where it is asked for, is encoded."""
    buffer = io.BytesIO()
    Pillow.fromarray(RGB).save(buffer, format="jpeg")
    kept = keep(image=runhaven.Image(buffer), png=runhaven.Image(buffer, file_type="png"))

    assert kept.bytes(kept["image"]) == buffer.getvalue()
    assert [kept[key]["format"] for key in ("image", "png")] == ["jpg", "png"]


@pytest.mark.parametrize(
    "turn", [np.transpose, np.flipud, np.fliplr, lambda a: a[..., ::-1], lambda a: a[::2, ::2], np.asfortranarray]
)
def test_views_are_taken_as_they_look(kept_pixels, turn):
    """Turned, mirrored and thinned arrays, and BGR as OpenCV has it, are copied as they look."""
    source = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
    view = turn(source) if turn is not np.transpose else source.transpose(1, 0, 2)

    assert (kept_pixels(view) == view).all()
    assert (kept_pixels(torch.from_numpy(source).permute(2, 0, 1)) == source).all()


def test_figures_are_drawn_as_they_were(keep):
    """A figure, its axes and pyplot itself can be logged bare; what is drawn afterwards is not in it."""
    figure, axes = plt.subplots(figsize=(2, 1), dpi=100)
    axes.plot([1, 2, 3])
    canvas = figure.canvas
    run = runhaven.init(project="p")
    run.log({"figure": figure, "axes": axes, "plt": plt, "image": runhaven.Image(figure)})
    axes.plot([3, 2, 1])
    run.log({"later": figure})
    run.finish()
    rows = list(runhaven.Api().run(run.path).scan_history())
    is_untouched = figure.canvas is canvas
    plt.close(figure)

    assert len({rows[0][key]["sha256"] for key in ("figure", "axes", "plt", "image")}) == 1
    assert rows[1]["later"]["sha256"] != rows[0]["figure"]["sha256"]
    assert (rows[0]["figure"]["width"], rows[0]["figure"]["height"]) == (200, 100)
    assert is_untouched


def test_lists_of_pictures_are_one_value(keep):
    """A list holds a reference for each picture, with its caption; bare pictures of Pillow's may stand in it."""
    kept = keep(
        images=[runhaven.Image(RGB, caption="a"), runhaven.Image(RGB[::-1], caption="b")], bare=[Pillow.fromarray(RGB)]
    )

    assert kept["images"]["_type"] == "images/separated"
    assert [item["caption"] for item in kept["images"]["items"]] == ["a", "b"]
    assert kept["bare"]["items"][0]["sha256"] == kept["images"]["items"][0]["sha256"]


def test_boxes_masks_and_classes_go_along(keep):
    """Boxes and the names of classes are JSON of their own; a mask keeps the number of each class."""
    mask = np.array([[0, 1], [2, 300]])
    image = runhaven.Image(
        RGB,
        classes=[{"id": 1, "name": "cat"}],
        boxes={
            "found": {
                "box_data": [
                    {
                        "position": {"minX": 0.1, "maxX": 0.2, "minY": 0.3, "maxY": 0.4},
                        "class_id": 1,
                        "scores": {"p": 0.9},
                    }
                ],
                "class_labels": {1: "cat"},
            }
        },
        masks={"true": {"mask_data": mask, "class_labels": {0: "sea"}}},
    )
    mask[:] = 0
    reader = keep(image=image)
    found = reader["image"]

    assert json.loads(reader.bytes(found["boxes"]["found"]))["box_data"][0]["scores"] == {"p": 0.9}
    assert json.loads(reader.bytes(found["classes"])) == {"class_set": [{"id": 1, "name": "cat"}]}
    assert np.asarray(reader.picture(found["masks"]["true"])).tolist() == [[0, 1], [2, 300]]
    assert json.loads(reader.bytes(found["masks"]["true"]["classes"]))["class_set"] == [{"id": 0, "name": "sea"}]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: runhaven.Image("gone.png"), "there is no file"),
        (lambda: runhaven.Image(np.zeros((3, 7))[None, None, None]), "is no picture"),
        (lambda: runhaven.Image(np.zeros((0, 7))), "is no picture"),
        (lambda: runhaven.Image(np.zeros((5, 5), complex)), "are no pixels"),
        (lambda: runhaven.Image(object()), "Image takes"),
        (lambda: runhaven.Image(RGB, file_type="exe"), "not known"),
        (lambda: runhaven.Image(RGB, **cast("Any", {"nonsense": 1})), "nonsense"),
    ],
)  # fmt: skip
def test_a_bad_picture_is_a_placeholder_and_in_strict_mode_an_error(keep, make, message):
    """Making it never raises; logging it keeps the rest of the row, or raises UsageError in strict mode."""
    kept = keep(image=make(), loss=0.5)

    assert kept["loss"] == 0.5
    assert kept["image"]["_type"] == "error"
    assert kept["image"]["class"] == "Image"
    assert kept["image"]["message"]
    with (
        runhaven.init(project="p", settings={"strict": True}) as run,
        pytest.raises(runhaven.UsageError, match=message) as raised,
    ):
        run.log({"image": make()})
    assert str(raised.value).count("was not kept") == 1


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"boxes": {"a": {"box_data": [{"position": {"minX": 0}}]}}}, "position"),
        ({"boxes": {"a": 3}}, "boxes"),
        ({"boxes": {"a": {"box_data": [{"position": {"minX": 0, "maxX": 1, "minY": 0, "maxY": 1}, "class_id": "x"}]}}}, "class_id"),
        ({"masks": {"a": {}}}, "mask_data"),
        ({"masks": {"a": {"mask_data": np.full((2, 2), -1)}}}, "from 0 to 65535"),
        ({"masks": {"a": {"mask_data": np.full((2, 2), 0.5)}}}, "integers"),
        ({"masks": {"a": {"path": "gone.png"}}}, "no file"),
    ],
)  # fmt: skip
def test_a_bad_annotation_costs_itself_alone(keep, monkeypatch, capfd, named, message):
    """The picture and its sound annotations are kept, the bad one is left out with one warning; in strict mode it is an error."""
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    sound = {"true": {"mask_data": np.eye(4, dtype=np.uint8)}}
    image = runhaven.Image(RGB, **(named | {"masks": sound | named.get("masks", {})}))
    kept = keep(settings={"quiet": True}, image=image, again=[image])

    assert (np.asarray(kept.picture(kept["image"])) == RGB).all()
    assert set(kept["image"]["masks"]) == {"true"}
    assert "boxes" not in kept["image"]
    assert capfd.readouterr().err.count(message) == 1
    with (
        runhaven.init(project="p", settings={"strict": True, "silent": True}) as run,
        pytest.raises(runhaven.UsageError, match=message),
    ):
        run.log({"images": [image]})


def test_what_w_and_b_scripts_ask_an_image(tmp_path):
    """`image`, `format`, `guess_mode` and `to_data_array` answer."""
    image = runhaven.Image(RGB, mode="L")
    buffer = io.BytesIO()
    Pillow.fromarray(RGB).save(buffer, format="png")

    assert image.image.mode == "L"
    assert image.format == "png"
    assert image.guess_mode(RGB) == "RGB"
    assert np.asarray(runhaven.Image(buffer).to_data_array()).shape == RGB.shape
    assert runhaven.Image(runhaven.Image(RGB)).to_data_array() == RGB.tolist()
