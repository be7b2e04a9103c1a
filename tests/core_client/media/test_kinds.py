"""Sounds, videos, objects, molecules, pages, charts, histograms and graphs arrive as they were."""

from __future__ import annotations

import io
import json
import sys
import wave

import numpy as np
import plotly.graph_objects as go
import pytest
import torch
from PIL import Image as Pillow
from PIL import ImageSequence

import runhaven

RNG = np.random.default_rng(0)


def read_wav(data: bytes) -> tuple[int, np.ndarray]:
    with wave.open(io.BytesIO(data)) as file:
        kind = {1: "<u1", 2: "<i2", 4: "<i4"}[file.getsampwidth()]
        found = np.frombuffer(file.readframes(file.getnframes()), kind)
        return file.getframerate(), found.reshape(-1, file.getnchannels())


def test_sounds_of_every_type_become_wav(keep):
    """Floats become 16 bits and are cut off at 1; integers stay; channels may come first or last."""
    floats = np.array([0.0, 1.0, -1.0, 2.0, np.nan])
    integers = RNG.integers(-30000, 30000, (50, 2), dtype=np.int16)
    kept = keep(
        floats=runhaven.Audio(floats, sample_rate=8000, caption="beep"),
        integers=runhaven.Audio(integers, sample_rate=44100),
        first=runhaven.Audio(torch.from_numpy(integers.T.copy()), sample_rate=44100),
        long=runhaven.Audio([1, 2, 3], sample_rate=2),
    )

    assert read_wav(kept.bytes(kept["floats"]))[1].ravel().tolist() == [0, 32767, -32767, 32767, 0]
    assert (read_wav(kept.bytes(kept["integers"]))[1] == integers).all()
    assert kept["first"]["sha256"] == kept["integers"]["sha256"]
    assert read_wav(kept.bytes(kept["long"]))[1].ravel().tolist() == [1, 2, 3]
    assert {key: kept["floats"][key] for key in ("sample_rate", "channels", "duration_s", "caption")} == {
        "sample_rate": 8000, "channels": 1, "duration_s": 5 / 8000, "caption": "beep",
    }  # fmt: skip


def test_a_spectrogram_shows_where_a_tone_is(keep):
    """A tone of 1000 Hz is one bright line at its frequency, counted from below."""
    rate = 8192
    tone = np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate)
    kept = keep(sound=runhaven.Audio(tone, sample_rate=rate, spectrogram=True))
    pixels = np.asarray(kept.picture(kept["sound"]["spectrogram"]))
    row = pixels.mean(axis=1).argmax()

    assert pixels.shape[0] == 513
    assert abs((512 - row) * rate / 1024 - 1000) <= 8
    assert pixels[row].min() > 200
    assert pixels[0].max() < 100


def test_frames_become_a_gif(keep):
    """Time x channel x height x width becomes as many frames at that speed; a batch is a grid."""
    frames = np.zeros((5, 3, 8, 10), np.uint8)
    frames[2, 0] = 255
    kept = keep(
        video=runhaven.Video(frames, fps=10, caption="x"),
        floats=runhaven.Video(torch.from_numpy(frames / 255)),
        batch=runhaven.Video(np.stack([frames] * 4)),
    )
    found = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(kept.picture(kept["video"]))]

    assert [int(frame[0, 0, 0]) for frame in found if frame is not None][-1] == 0
    assert kept["video"]["format"] == "gif"
    assert kept.picture(kept["video"]).info["duration"] in (100, 200)
    assert {key: kept["video"][key] for key in ("frames", "fps", "width", "height")} == {
        "frames": 5, "fps": 10, "width": 10, "height": 8,
    }  # fmt: skip
    assert (kept["batch"]["width"], kept["batch"]["height"]) == (22, 18)
    assert kept.picture(kept["floats"]).size == (10, 8)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the reader leaves pipes open
@pytest.mark.parametrize("ending", ["mp4", "webm"])
def test_frames_become_a_film(keep, ending):
    """With imageio and ffmpeg, frames become mp4 or webm; odd sizes are made even."""
    pytest.importorskip("imageio_ffmpeg")
    imageio = pytest.importorskip("imageio.v2")
    frames = RNG.integers(0, 255, (8, 3, 33, 31), dtype=np.uint8)
    kept = keep(video=runhaven.Video(frames, fps=8, format=ending))
    with imageio.get_reader(io.BytesIO(kept.bytes(kept["video"])), format=f".{ending}") as film:
        assert film.get_meta_data()["size"] == (32, 34)
        assert abs(film.get_meta_data()["fps"] - 8) < 0.1
        assert sum(1 for _ in film) == 8


def test_a_missing_encoder_is_said_with_what_to_do(keep, monkeypatch):
    """Without imageio, mp4 is a placeholder that names the package and the format that needs none."""
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    kept = keep(video=runhaven.Video(np.zeros((2, 3, 8, 8), np.uint8), format="mp4"))

    assert kept["video"]["_type"] == "error"
    assert "pip install imageio[ffmpeg]" in kept["video"]["message"]
    assert "gif" in kept["video"]["message"]


def test_files_are_kept_byte_for_byte(keep, tmp_path):
    """Sounds, videos, models and molecules from files are the files."""
    made = {}
    for name in ("a.mp3", "b.mp4", "c.obj", "d.pts.json", "e.pdb", "f.glb"):
        (tmp_path / name).write_bytes(name.encode())
        made[name] = str(tmp_path / name)
    kept = keep(
        audio=runhaven.Audio(made["a.mp3"]), video=runhaven.Video(made["b.mp4"]), model=runhaven.Object3D(made["c.obj"]),
        points=runhaven.Object3D(made["d.pts.json"]), molecule=runhaven.Molecule(made["e.pdb"]), glb=runhaven.Object3D(made["f.glb"]),
        stream=runhaven.Object3D(io.StringIO("v 1"), file_type="obj"),
    )  # fmt: skip

    assert [kept.bytes(kept[key]) for key in ("audio", "video", "model", "points", "molecule", "glb", "stream")] == [
        b"a.mp3", b"b.mp4", b"c.obj", b"d.pts.json", b"e.pdb", b"f.glb", b"v 1",
    ]  # fmt: skip
    assert [kept[key]["format"] for key in ("audio", "video", "model", "points", "molecule", "glb")] == [
        "mp3", "mp4", "obj", "pts.json", "pdb", "glb",
    ]  # fmt: skip


def test_clouds_of_points_are_json(keep):
    """N x 3, N x 6 and scenes with boxes keep every number."""
    points = RNG.random((20, 6))
    box = runhaven.box3d(center=(0, 0, 0), size=(1, 1, 1), orientation=(1, 0, 0, 0), color=(255, 0, 0), label="car")
    kept = keep(points=runhaven.Object3D(points), scene=runhaven.Object3D.from_point_cloud(points[:, :3], [box]))
    scene = json.loads(kept.bytes(kept["scene"]))

    assert json.loads(kept.bytes(kept["points"])) == points.tolist()
    assert scene["points"] == points[:, :3].tolist()
    assert scene["boxes"] == [box]
    assert scene["type"] == "lidar/beta"


def test_molecules_keep_their_text(keep):
    """SMILES that is not converted stays SMILES; an open file needs its type."""
    kept = keep(
        smiles=runhaven.Molecule.from_smiles("CC(=O)O", caption="acid", convert_to_3d_and_optimize=False),
        stream=runhaven.Molecule(io.StringIO("ATOM"), file_type="pdb"),
        bad=runhaven.Molecule(io.StringIO("ATOM")),
    )

    assert kept.bytes(kept["smiles"]) == b"CC(=O)O"
    assert (kept["smiles"]["format"], kept["smiles"]["caption"]) == ("smi", "acid")
    assert kept["stream"]["format"] == "pdb"
    assert kept["bad"]["_type"] == "error"


def test_smiles_get_places_in_space(keep, tmp_path):
    """With rdkit, SMILES, its own molecules and mol files become PDB with all atoms; what it cannot read is a placeholder."""
    chem = pytest.importorskip("rdkit.Chem")
    water = chem.MolFromSmiles("O")
    (tmp_path / "water.mol").write_text(chem.MolToMolBlock(water))
    kept = keep(
        smiles=runhaven.Molecule.from_smiles("CC(=O)O", caption="acid"),
        own=runhaven.Molecule.from_rdkit(water),
        file=runhaven.Molecule.from_rdkit(str(tmp_path / "water.mol")),
        flat=runhaven.Molecule.from_rdkit(water, convert_to_3d_and_optimize=False),
        bad=runhaven.Molecule.from_smiles("no molecule"),
        gone=runhaven.Molecule.from_rdkit("gone.mol"),
    )
    counts = {key: kept.bytes(kept[key]).count(b"HETATM") for key in ("smiles", "own", "file", "flat")}

    assert counts == {"smiles": 8, "own": 3, "file": 3, "flat": 1}
    assert (kept["smiles"]["format"], kept["smiles"]["caption"]) == ("pdb", "acid")
    assert "cannot read" in kept["bad"]["message"]
    assert "there is no file" in kept["gone"]["message"]


def test_without_rdkit_smiles_are_kept_and_the_package_is_named(monkeypatch, capfd):
    """The text is kept with one warning that names the package; in strict mode it is an error."""
    monkeypatch.setitem(sys.modules, "rdkit.Chem", None)
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    with runhaven.init(project="p", settings={"quiet": True}) as run:
        run.log({"smiles": runhaven.Molecule.from_smiles("CC(=O)O")})
        run.log({"smiles": runhaven.Molecule.from_smiles("CC")})
    rows = list(runhaven.Api().run(run.path).scan_history())
    strict = runhaven.init(project="p", settings={"strict": True, "silent": True})

    assert [row["smiles"]["format"] for row in rows] == ["smi", "smi"]
    assert capfd.readouterr().err.count("pip install rdkit") == 1
    with pytest.raises(runhaven.UsageError, match="pip install rdkit"):
        strict.log({"smiles": runhaven.Molecule.from_smiles("CC(=O)O")})


def test_pages_are_kept(keep, tmp_path):
    """Text, files and open files; links leave the frame unless `inject` is off."""
    (tmp_path / "a.html").write_text("<html><head></head><p>file</p></html>")
    kept = keep(
        text=runhaven.Html("<p>text</p>", inject=False),
        file=runhaven.Html(str(tmp_path / "a.html")),
        stream=runhaven.Html(io.StringIO("<p>open</p>")),
        name=runhaven.Html("a.html", inject=False, data_is_not_path=True),
        gone=runhaven.Html("gone.html"),
    )

    assert kept.bytes(kept["text"]) == b"<p>text</p>"
    assert kept.bytes(kept["file"]) == b'<html><head><base target="_blank"></head><p>file</p></html>'
    assert kept.bytes(kept["stream"]).endswith(b"<p>open</p>")
    assert kept.bytes(kept["name"]) == b"a.html"
    assert kept["gone"]["_type"] == "error"


def test_plotly_figures_keep_their_json(keep):
    """Bare figures and `Plotly(figure)` are the same bytes, which plotly reads back to the same figure."""
    figure = go.Figure(data=[go.Scatter(x=[1, 2], y=np.array([3.0, 4.0]))])
    kept = keep(bare=figure, wrapped=runhaven.Plotly(figure), dict=runhaven.Plotly(figure.to_dict()))

    assert kept["bare"]["sha256"] == kept["wrapped"]["sha256"] == kept["dict"]["sha256"]
    assert go.Figure(json.loads(kept.bytes(kept["bare"]))) == figure


def test_histograms_count_like_numpy(keep):
    """Arrays, tensors and lists are counted as numpy.histogram does; counts may be given; non-finite values are left out."""
    data = RNG.normal(size=1000)
    counts, edges = np.histogram(data, bins=64)
    wild = np.append(data, [np.nan, np.inf])
    kept = keep(
        array=runhaven.Histogram(wild),
        tensor=runhaven.Histogram(torch.from_numpy(data)),
        given=runhaven.Histogram(np_histogram=np.histogram(data, bins=64)),
        few=runhaven.Histogram([1, 1, 2], num_bins=2),
        tight=runhaven.Histogram(np.array([1e16, 1e16 + 2]), num_bins=512),
        empty=runhaven.Histogram([]),
        many=runhaven.Histogram(data, num_bins=513),
    )

    for key in ("array", "tensor", "given"):
        assert kept[key] == {"_type": "histogram", "values": counts.tolist(), "bins": edges.tolist()}
    assert kept["few"]["values"] == [2, 1]
    assert sum(kept["tight"]["values"]) == 2
    assert sum(kept["empty"]["values"]) == 0
    assert kept["many"]["_type"] == "error"
    assert runhaven.Histogram(data).histogram == counts.tolist()
    assert runhaven.media.load(kept["array"], kept.store).bins == edges.tolist()


def test_graphs_keep_nodes_and_edges(keep):
    """Nodes and edges are JSON."""
    graph = runhaven.Graph()
    first = graph.add_node(id="a", name="dense", class_name="Dense", size=3)
    second = graph.add_node(id="b", name="out", output_shape=[None, 3])
    graph.add_edge(first, second)
    kept = keep(graph=graph)
    content = json.loads(kept.bytes(kept["graph"]))

    assert graph["a"].name == "dense"
    assert content["edges"] == [["a", "b"]]
    assert content["nodes"][1] == {"id": "b", "name": "out", "output_shape": [None, 3]}
    with pytest.raises(runhaven.UsageError, match="add_node"):
        graph.add_edge("a", "c")


@pytest.mark.parametrize("is_functional", [False, True])
def test_a_model_of_keras_is_a_graph(keep, monkeypatch, is_functional):
    """Its layers with class, shape and number of parameters, and what they hand to each other."""
    pytest.importorskip("jax")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    keras = pytest.importorskip("keras")
    pixels = keras.Input((4,), name="pixels")
    hidden, out = keras.layers.Dense(3, name="hidden"), keras.layers.Dense(2, name="out")
    model = keras.Model(pixels, out(hidden(pixels))) if is_functional else keras.Sequential([pixels, hidden, out])
    kept = keep(graph=runhaven.Graph.from_keras(model))
    content = json.loads(kept.bytes(kept["graph"]))
    layers = {node["name"]: node for node in content["nodes"]}

    assert (layers["hidden"]["class_name"], layers["hidden"]["num_parameters"]) == ("Dense", 15)
    assert layers["out"]["output_shape"] == [None, 2]
    assert ["hidden", "out"] in content["edges"]
    assert (["pixels", "hidden"] in content["edges"]) is is_functional


@pytest.mark.parametrize("head", [b"GIF89a", b"\x1a\x45\xdf\xa3", b"OggS", b"\0\0\0\x20ftypisom"])
def test_an_open_video_is_known_by_its_first_bytes(keep, head):
    """Without format=, the bytes say what they are."""
    expected = {b"GIF8": "gif", b"\x1a\x45\xdf\xa3": "webm", b"OggS": "ogg"}.get(head[:4], "mp4")
    kept = keep(video=runhaven.Video(io.BytesIO(head + b"...")))

    assert (kept["video"]["format"], kept.bytes(kept["video"])) == (expected, head + b"...")


@pytest.mark.parametrize(
    "make",
    [
        lambda: runhaven.Audio(np.zeros(5)),
        lambda: runhaven.Audio(np.zeros((64, 64)), sample_rate=1),
        lambda: runhaven.Audio("gone.wav"),
        lambda: runhaven.Video(np.zeros((5, 8, 8))),
        lambda: runhaven.Video(np.zeros((5, 7, 8, 8))),
        lambda: runhaven.Video("a.avi"),
        lambda: runhaven.Object3D(np.zeros((5, 5))),
        lambda: runhaven.Object3D({"points": []}),
        lambda: runhaven.Molecule("gone.pdb"),
        lambda: runhaven.Molecule.from_rdkit("gone.mol") if False else runhaven.Molecule(3),
        lambda: runhaven.Html(3),
        lambda: runhaven.Plotly(3),
        lambda: runhaven.Histogram("abc"),
        lambda: runhaven.Histogram(np_histogram=([1, 2], [0, 1])),
        lambda: [runhaven.Image(np.zeros((2, 2))), 3],
        lambda: runhaven.plot.confusion_matrix(y_true=[0], preds=[0, 1]),
    ],
)
def test_bad_values_are_told_in_strict_mode(make):
    """Making a bad value does not raise; logging it in strict mode does."""
    value = make()
    with runhaven.init(project="p", settings={"strict": True}) as run, pytest.raises(runhaven.UsageError):
        run.log({"value": value})


def test_a_pillow_image_with_a_palette_and_floats(keep):
    """Pillow's other modes are kept too."""
    kept = keep(
        palette=Pillow.new("P", (3, 3)),
        floats=Pillow.fromarray(np.eye(3, dtype=np.float32)),
        cmyk=Pillow.new("CMYK", (3, 3)),
    )

    assert np.asarray(kept.picture(kept["floats"])).tolist() == (np.eye(3) * 255).tolist()
    assert kept.picture(kept["palette"]).size == kept.picture(kept["cmyk"]).size == (3, 3)
