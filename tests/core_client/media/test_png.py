"""What we encode ourselves is PNG, value for value."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image as Pillow

import runhaven
from runhaven.media import png

SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
    lambda size: st.sampled_from([size, *((*size, channels) for channels in range(1, 5))])
)


@settings(max_examples=200, deadline=None)
@given(SHAPES.flatmap(lambda shape: arrays.arrays(np.uint8, shape)), st.booleans(), st.booleans())
def test_pixels_of_eight_bits_come_back(pixels, is_mirrored, is_turned):
    """Pillow reads what we wrote, whatever the channels and however the array lies in memory."""
    pixels = pixels[:, ::-1] if is_mirrored else pixels
    pixels = pixels.swapaxes(0, 1) if is_turned else pixels
    with Pillow.open(io.BytesIO(png.encode(pixels))) as picture:
        picture.verify()
    found = np.asarray(Pillow.open(io.BytesIO(png.encode(pixels))))

    assert (found == (pixels[..., 0] if pixels.shape[2:] == (1,) else pixels)).all()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pictures_of_pillow_go_the_same_way(keep, mode):
    """A picture of Pillow's and the array of its pixels are the same bytes."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, len(mode)), dtype=np.uint8)
    pixels = pixels[..., 0] if mode == "L" else pixels
    kept = keep(array=runhaven.Image(pixels), picture=Pillow.fromarray(pixels))

    assert kept["array"]["sha256"] == kept["picture"]["sha256"]
    assert kept.picture(kept["array"]).mode == mode


def test_arrays_need_no_pillow(keep, monkeypatch):
    """An array becomes PNG with NumPy alone; another format says what to install."""
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    kept = keep(png=runhaven.Image(pixels), jpg=runhaven.Image(pixels, file_type="jpg"))
    monkeypatch.undo()

    assert (np.asarray(kept.picture(kept["png"])) == pixels).all()
    assert kept["jpg"]["message"].endswith("Run: pip install pillow")
