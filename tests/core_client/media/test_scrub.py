"""A project's scrub function sees every picture before its bytes are kept, or they are not kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image as Pillow

import runhaven
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import Event

if TYPE_CHECKING:
    from pathlib import Path

RGB = np.full((6, 5, 3), 200, dtype=np.uint8)


def blacken(picture: Any) -> Any:
    """Cover the left column."""
    picture.paste(0, (0, 0, 1, picture.height))
    return picture


def fail(_: Any) -> Any:
    message = "no model"
    raise RuntimeError(message)


def forget(_: Any) -> Any:
    return None


def events(kept: Any) -> list[dict[str, Any]]:
    records = JournalReader(kept.run.directory.journal).poll()
    return [record.data for record in records if isinstance(record, Event) and record.data["event"] == "scrub"]


def photo(tmp_path: Path) -> Path:
    """Make a photo that says where it was taken."""
    path = tmp_path / "photo.jpg"
    notes = Pillow.Exif()
    notes[0x010E] = "taken at home"
    Pillow.fromarray(RGB).save(path, exif=notes, comment=b"taken at home")
    return path


def test_every_picture_passes_the_function(keep, tmp_path):
    """Arrays, files, pictures in lists and tables and frames of videos are scrubbed; the run has a receipt."""
    table = runhaven.Table(columns=["a"], data=[[runhaven.Image(RGB)]])
    values = {
        "array": runhaven.Image(RGB),
        "wide": runhaven.Image(RGB.astype(np.uint16) * 257),
        "file": runhaven.Image(photo(tmp_path)),
        "list": [runhaven.Image(RGB)],
        "table": table,
        "video": runhaven.Video(RGB.transpose(2, 0, 1)[None]),
    }
    kept = keep(runhaven.Settings(x_scrub_images=blacken), **values)
    cell = runhaven.media.load(kept["table"], kept.store).data[0][0]
    found = [kept["array"], kept["wide"], kept["file"], *kept["list"]["items"], cell, kept["video"]]

    for reference in found:
        pixels = np.asarray(kept.picture(reference).convert("RGB")).astype(int)
        assert pixels[:, 0].max() < 60
        assert pixels[:, 4].min() > 150
    (receipt,) = events(kept)
    assert receipt["function"].endswith("test_scrub:blacken")
    assert (receipt["passed"], receipt["refused"]) == (6, 0)
    assert receipt["keys"] == list(values)


def test_exif_is_gone(keep, tmp_path):
    """What a camera noted in a file is not kept when pictures are scrubbed, not even by a function that changes nothing."""
    kept = keep(runhaven.Settings(x_scrub_images=lambda picture: picture), image=runhaven.Image(photo(tmp_path)))
    picture = kept.picture(kept["image"])

    assert b"taken at home" in photo(tmp_path).read_bytes()
    assert b"taken at home" not in kept.bytes(kept["image"])
    assert not dict(picture.getexif())


@pytest.mark.parametrize("function", [fail, forget])
def test_a_picture_that_cannot_be_scrubbed_is_not_kept(keep, store, tmp_path, function):
    """When the function fails or returns no picture, no byte of the picture reaches the store, and the receipt says so."""
    values = {"array": runhaven.Image(RGB), "file": runhaven.Image(photo(tmp_path)), "loss": 1.0}
    kept = keep(runhaven.Settings(x_scrub_images=function), **values)

    assert not [path for path in (store / "blobs").rglob("*") if path.is_file()]
    assert kept["array"]["_type"] == kept["file"]["_type"] == "error"
    assert kept["loss"] == 1.0
    assert [(receipt["passed"], receipt["refused"]) for receipt in events(kept)] == [(0, 2)]


def test_a_video_file_is_not_kept_unscrubbed(keep, tmp_path):
    """A file of frames that the function cannot see is refused; so is a drawing that is no pixels."""
    (tmp_path / "a.mp4").write_bytes(b"video")
    (tmp_path / "a.svg").write_text("<svg/>")
    kept = keep(
        runhaven.Settings(x_scrub_images=blacken),
        video=runhaven.Video(tmp_path / "a.mp4"),
        drawing=runhaven.Image(tmp_path / "a.svg"),
    )

    assert kept["video"]["_type"] == "error"
    assert kept["drawing"]["_type"] == "error"


def test_the_function_is_named_in_a_project_file(keep, tmp_path, monkeypatch):
    """`x_scrub_images = "module:function"` in runhaven.toml is enough; one that is not there keeps every picture out."""
    (tmp_path / "my_scrub.py").write_text("def grey(picture):\n    return picture.convert('L')\n")
    (tmp_path / "runhaven.toml").write_text('x_scrub_images = "my_scrub:grey"\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    kept = keep(image=runhaven.Image(RGB))
    (tmp_path / "runhaven.toml").write_text('x_scrub_images = "my_scrub:gone"\n')
    refused = keep(image=runhaven.Image(RGB), loss=1.0)

    assert kept.picture(kept["image"]).mode == "L"
    assert refused["image"]["_type"] == "error"
    assert "my_scrub:gone" in refused["image"]["message"]
    assert refused["loss"] == 1.0


def test_a_mask_keeps_its_numbers(keep):
    """A mask is a map of classes and no photograph: scrubbing would change what it means."""
    mask = np.arange(30).reshape(6, 5)
    image = runhaven.Image(RGB, masks={"true": {"mask_data": mask}})
    kept = keep(runhaven.Settings(x_scrub_images=blacken), image=image)

    assert (np.asarray(kept.picture(kept["image"]["masks"]["true"])) == mask).all()
    assert json.dumps(kept["image"])
