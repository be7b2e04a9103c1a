"""Media and tables can be added to artifacts, and come back as they were."""

from __future__ import annotations

import io
import json
import wave
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

import runhaven
from runhaven.journal.reader import JournalReader
from runhaven.journal.record import Event

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
BOX = {"position": {"minX": 0.1, "maxX": 0.5, "minY": 0.2, "maxY": 0.4}, "class_id": 1}


def round_trip(**objects: Any) -> Any:
    """Log an artifact with some objects, and return it as another run would get it."""
    artifact = runhaven.Artifact("things", type="dataset")
    for name, value in objects.items():
        artifact.add(value, name)
    with runhaven.init(project="p") as run:
        run.log_artifact(artifact)
    return runhaven.Api().artifact("p/things:latest")


def test_a_table_with_pictures_comes_back(tmp_path):
    """Rows, None, NaN, arrays and media cells are what they were; the files have W&B's names and lie inside the artifact."""
    table = runhaven.Table(columns=["n", "image", "raw", "list"])
    table.add_data(2**53 + 1, runhaven.Image(RGB, caption="a"), np.arange(3), [runhaven.Image(RGB[::-1])])
    table.add_data(None, None, float("inf"), ["x"])
    artifact = runhaven.Artifact("things", type="dataset")
    entry = artifact.add(table, "deep/examples")
    with runhaven.init(project="p") as run:
        run.log_artifact(artifact)
    found = runhaven.Api().artifact("p/things:latest")
    back = found.get("deep/examples")
    folder = found.download(tmp_path / "out")

    assert entry.path == "deep/examples.table.json"
    assert sorted(path.parts[-2] for path in (tmp_path / "out").rglob("*.*")) == ["deep", "media", "media"]
    assert json.loads((tmp_path / "out" / entry.path).read_text())["_type"] == "table"
    assert folder == str(tmp_path / "out")
    assert back.columns == table.columns
    assert back.data[1] == [None, None, float("inf"), ["x"]]
    assert (back.data[0][0], back.data[0][2]) == (2**53 + 1, [0, 1, 2])
    assert (np.asarray(back.data[0][1].image) == RGB).all()
    assert back.data[0][1].caption == "a"
    assert (np.asarray(back.data[0][3][0].image) == RGB[::-1]).all()


def test_a_picture_comes_back_with_what_is_drawn_over_it():
    """Pixels, caption, boxes, masks and classes; adding it once more gives the same content."""
    image = runhaven.Image(
        RGB,
        caption="x",
        classes=[{"id": 1, "name": "cat"}],
        boxes={"found": {"box_data": [BOX], "class_labels": {1: "cat"}}},
        masks={"true": {"mask_data": np.eye(5, dtype=np.uint8), "class_labels": {1: "cat"}}},
    )
    first = round_trip(picture=image)
    back = first.get("picture")
    again = round_trip(picture=back)

    assert (np.asarray(back.image) == RGB).all()
    assert again.digest == first.digest
    assert {path.split(".", 1)[-1] for path in first.manifest.entries} >= {"image-file.json", "png", "json"}


def test_every_kind_comes_back(keep):
    """What came from an artifact and is logged in a run is what the original is when it is logged."""
    table = runhaven.Table(columns=["x", "y"], data=[[1, 2.0], [2, 3.0]])
    graph = runhaven.Graph()
    graph.add_edge(graph.add_node(id="a"), graph.add_node(id="b"))
    values: dict[str, Any] = {
        "picture": runhaven.Image(np.linspace(-3, 5, 48).reshape(4, 4, 3), caption="i", grouping=2),
        "video": runhaven.Video(np.zeros((2, 3, 4, 4), np.uint8), caption="v", fps=7),
        "film": runhaven.Video(np.zeros((3, 3, 16, 16), np.uint8), fps=11, format="mp4"),
        "sound": runhaven.Audio(np.linspace(-1, 1, 4000), sample_rate=8000, caption="s", spectrogram=True),
        "points": runhaven.Object3D(np.eye(3), caption="p"),
        "smiles": runhaven.Molecule(io.StringIO("ATOM"), file_type="pdb", caption="m"),
        "page": runhaven.Html("<p>x</p>"),
        "chart": runhaven.Plotly(go.Figure(data=[go.Scatter(y=[1, 2])])),
        "histogram": runhaven.Histogram([1, 2, 2]),
        "graph": graph,
        "table": table,
        "drawn": runhaven.plot.scatter(table, "x", "y", title="T"),
        "own": runhaven.plot.plot_table({"mark": "bar", "data": {"name": "table"}}, table, {}),
        "classes": runhaven.Classes([{"id": 1, "name": "cat"}]),
    }
    artifact = round_trip(**values)
    again = round_trip(**{name: artifact.get(name) for name in values})
    kept, back = keep(**values), keep(**{name: again.get(name) for name in values})

    assert again.digest == artifact.digest
    for name in values:
        assert back[name] == kept[name], name


def test_what_bytes_do_not_tell_comes_back():
    """Sounds know their rate and length, videos their rate and format, before they are logged again."""
    found = round_trip(
        sound=runhaven.Audio(np.zeros((4000, 2)), sample_rate=8000),
        video=runhaven.Video(np.zeros((2, 3, 16, 16), np.uint8), fps=7, format="webm"),
    )
    sound, video = found.get("sound"), found.get("video")

    assert (sound.sample_rate, sound.duration_s, sound.format) == (8000, 0.5, "wav")
    assert (video.fps, video.format) == (7, "webm")
    assert runhaven.Video(np.zeros((2, 3, 16, 16), np.uint8)).fps == 4


def test_the_same_picture_lies_in_the_store_once(store):
    """A picture that is logged and added, alone and in a table, takes its bytes once."""
    artifact = runhaven.Artifact("things", type="dataset")
    with runhaven.init(project="p") as run:
        run.log({"image": runhaven.Image(RGB)})
        artifact.add(runhaven.Image(RGB), "one")
        artifact.add(runhaven.Table(columns=["a"], data=[[runhaven.Image(RGB)]] * 3), "many")
        run.log_artifact(artifact)
    pictures = [path for path in (store / "blobs").rglob("*") if path.is_file() and path.read_bytes()[:4] == b"\x89PNG"]

    assert len(pictures) == 1


def test_names_are_given_once():
    """A name may have its suffix already; the same content may be added again, another one needs overwrite=True."""
    artifact = runhaven.Artifact("things", type="dataset")
    table = runhaven.Table(columns=["a"], data=[[1]])

    assert artifact.add(table, "t.table.json").path == "t.table.json"
    assert artifact.add(table, "t").path == "t.table.json"
    table.add_data(2)
    with pytest.raises(runhaven.UsageError, match="overwrite=True"):
        artifact.add(table, "t")
    artifact.add(table, "t", overwrite=True)
    assert artifact.get("t").data == [[1], [2]]


def test_what_cannot_be_kept_is_an_error_and_in_a_cell_a_placeholder():
    """`add` says which object and why; one bad picture does not cost a table."""
    artifact = runhaven.Artifact("things", type="dataset")
    with pytest.raises(runhaven.UsageError, match="Image 'bad' cannot be kept: Image: there is no file"):
        artifact.add(runhaven.Image("gone.png"), "bad")
    artifact.add(runhaven.Table(columns=["a"], data=[[runhaven.Image("gone.png")]]), "table")

    assert artifact.get("table").data[0][0]["_type"] == "error"


def test_what_lies_in_chunks_comes_back():
    """A sound of more than 8 MiB has all its samples, and a table that large all its rows."""
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, 5_000_000, dtype=np.int16)
    rows = [[number, "x" * 100] for number in range(90_000)]
    found = round_trip(noise=runhaven.Audio(samples, sample_rate=48_000), rows=runhaven.Table(["n", "text"], rows))
    again = round_trip(noise=found.get("noise"), rows=found.get("rows"))
    (path,) = (path for path in again.manifest.entries if path.endswith(".wav"))
    with wave.open(again.get_entry(path).open()) as file:
        back = np.frombuffer(file.readframes(file.getnframes()), np.int16)

    assert sum(bool(entry.chunks) for entry in found.manifest.entries.values()) == 2
    assert again.digest == found.digest
    assert (back == samples).all()
    assert found.get("rows").data == rows


def test_a_table_of_two_hundred_thousand_rows():
    """Nothing is cut off."""
    rows = [[index, index / 7, f"row {index}"] for index in range(200_000)]
    back = round_trip(large=runhaven.Table(columns=["a", "b", "c"], data=rows)).get("large")

    assert back.data == rows


def test_joined_tables_come_back_joined():
    """Tables, paths in the artifact and entries of other artifacts can be joined; `to_table` is a full outer join."""
    one = runhaven.Table(columns=["id", "x", "same"], data=[[1, "a", 0], [2, "b", 0]])
    other = runhaven.Table(columns=["y", "id", "same"], data=[["c", 2, 1], ["d", 3, 1]])
    expected = [[1, "a", 0, None, None], [2, "b", 0, "c", 1], [3, None, None, "d", 1]]
    artifact = runhaven.Artifact("tables", type="dataset")
    entry = artifact.add(one, "one")
    artifact.add(other, "other")
    artifact.add(runhaven.JoinedTable("one.table.json", "other.table.json", "id"), "by path")
    artifact.add(runhaven.JoinedTable(entry, other, "id"), "by entry")
    with runhaven.init(project="p") as run:
        run.log_artifact(artifact)
    joined = artifact.get("by path").to_table()

    assert joined.columns == ["id", "x", "1.same", "y", "2.same"]
    assert joined.data == artifact.get("by entry").to_table().data == expected
    with pytest.raises(runhaven.UsageError, match="paths"):
        runhaven.JoinedTable("a", "b", "id").to_table()


def test_a_partitioned_table_reads_all_parts():
    """The rows of all tables below the folder, in the order of their names."""
    artifact = runhaven.Artifact("parts", type="dataset")
    for part in (1, 0):
        artifact.add(runhaven.Table(columns=["a"], data=[[part], [part + 10]]), f"parts/{part}")
    artifact.add(runhaven.PartitionedTable("parts"), "whole")
    with runhaven.init(project="p") as run:
        run.log_artifact(artifact)

    assert [row for _, row in runhaven.Api().artifact("p/parts:v0").get("whole").iterrows()] == [[0], [10], [1], [11]]


def blacken(picture: Any) -> Any:
    """Cover everything."""
    return picture.point(lambda _: 0)


def test_pictures_in_artifacts_are_scrubbed_too():
    """Where the run requires it, a picture passes the function before it is in an artifact, and the run has a receipt."""
    artifact = runhaven.Artifact("things", type="dataset")
    with runhaven.init(project="p", settings={"x_scrub_images": blacken}) as run:
        artifact.add(runhaven.Table(columns=["a"], data=[[runhaven.Image(RGB)]]), "table")
        run.log_artifact(artifact)
    records = JournalReader(runhaven.Api().run(run.path).directory.journal).poll()
    (receipt,) = [one.data for one in records if isinstance(one, Event) and one.data["event"] == "scrub"]

    assert np.asarray(artifact.get("table").data[0][0].image).max() == 0
    assert (receipt["passed"], receipt["keys"]) == (1, ["table"])
