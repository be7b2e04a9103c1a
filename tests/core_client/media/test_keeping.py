"""Values are taken where they are logged and kept elsewhere, once, and nothing that goes wrong there reaches training."""

from __future__ import annotations

import logging
import os
import pickle
import threading
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image as Pillow
from waiting import until

import runhaven
from runhaven.media import keeping
from runhaven.media.kind import Reference, Sink
from runhaven.notice import Notices
from runhaven.store.blobs import Blobs
from runhaven.testing import MemoryBlobs, record

RGB = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)


class Witness(runhaven.Image):
    """A real image that says which thread encodes it, and that can be held up."""

    encoded_by: list[str] = []  # noqa: RUF012 - shared on purpose
    gate: threading.Event | None = None

    def keep(self, sink: Sink) -> Reference:
        Witness.encoded_by.append(threading.current_thread().name)
        if Witness.gate is not None:
            assert Witness.gate.wait()
        return super().keep(sink)


@pytest.fixture(autouse=True)
def witness():
    Witness.encoded_by.clear()
    Witness.gate = None


def rows_of(run: Any) -> list[dict[str, Any]]:
    return list(runhaven.Api().run(run.path).scan_history())


def test_nothing_is_encoded_on_the_calling_thread():
    """log() returns while the picture waits; one thread of its own encodes it, in a row of the same step and time."""
    Witness.gate = threading.Event()
    run = runhaven.init(project="p")
    run.log({"image": Witness(RGB), "table": runhaven.Table(columns=["a"], data=[[Witness(RGB)]]), "loss": 1.0}, step=7)
    run.log({"loss": 0.5}, step=8)
    Witness.gate.set()
    run.finish()
    first, second = rows_of(run)

    assert set(Witness.encoded_by) == {"runhaven-media"}
    assert len(Witness.encoded_by) == 2
    assert (first["_step"], first["image"]["_type"], first["loss"]) == (7, "image-file", 1.0)
    assert (second["_step"], second["loss"]) == (8, 0.5)


def make_all(data: Any, cells: list[Any]) -> dict[str, Any]:
    """Make a value of each kind from an array of 4 x N and a list."""
    frame = pd.DataFrame({"a": cells})
    scene = {"type": "lidar/beta", "points": data, "boxes": cells}
    chart = runhaven.plot.scatter(runhaven.Table(columns=["x", "y"], data=[cells[:2]]), "x", "y")
    return {
        "image": runhaven.Image(data, masks={"m": {"mask_data": data}}),
        "list": [runhaven.Image(data), runhaven.Image(data[:2])],
        "audio": runhaven.Audio(data[0], sample_rate=8),
        "video": runhaven.Video(data[None, None]),
        "points": runhaven.Object3D(scene),
        "histogram": runhaven.Histogram(data, num_bins=4),
        "table": runhaven.Table(columns=["image", "raw", "cells"], data=[[runhaven.Image(data), data, cells]]),
        "frame": frame,
        "chart": chart,
    }


@settings(max_examples=30, deadline=None)
@given(
    before=arrays.arrays(np.uint8, st.tuples(st.just(4), st.integers(2, 9))),
    after=st.integers(0, 255),
    cells=st.lists(st.integers(), min_size=2, max_size=5),
    as_tensor=st.booleans(),
)
def test_what_the_caller_changes_later_never_shows(before, after, cells, as_tensor):
    """Whatever is written into arrays, lists, frames and tables after log(), what is kept is what they were then."""
    keeper = keeping.MediaKeeper(MemoryBlobs(), notices=Notices(is_silent=True), emit=lambda _: None, is_inline=True)
    data: Any = torch.from_numpy(before.copy()) if as_tensor else before.copy()
    given_cells = list(cells)
    values = make_all(data, given_cells)
    parcel = keeper.accept(values)
    data[:] = after
    given_cells[0] += 1
    values["frame"].loc[0, "a"] = -1
    values["table"].add_data(None, None, None)
    values["chart"].table.add_data(None, None)
    values["list"].clear()
    found: dict[str, Any] = {}
    expected: dict[str, Any] = {}
    again = keeper.accept(make_all(torch.from_numpy(before) if as_tensor else before, cells))
    keeper.send(parcel, lambda cells, *_: found.update(cells), 0, 0)
    keeper.send(again, lambda cells, *_: expected.update(cells), 0, 0)

    assert found == expected
    assert not any(value["_type"] == "error" for value in found.values())


def test_later_changes_do_not_show_through_the_queue():
    """Values that wait in the queue while their sources change are kept as they were logged."""
    Witness.gate = threading.Event()
    array, tensor, cells = RGB.copy(), torch.zeros(4, 4), [1, 2]
    picture = Pillow.fromarray(RGB)
    figure = go.Figure(data=[go.Scatter(y=[1, 2])])
    frame = pd.DataFrame({"a": [1, 2]})
    table = runhaven.Table(columns=["cells"], data=[[cells]])
    run = runhaven.init(project="p")
    run.log({"first": Witness(RGB)})
    kinds = {"array": runhaven.Image(array), "tensor": runhaven.Image(tensor), "picture": picture, "figure": figure}
    run.log(kinds | {"frame": frame, "table": table, "audio": runhaven.Audio(tensor[0], sample_rate=8)})
    array[:] = 0
    tensor[:] = 1
    picture.paste(0, (0, 0, 5, 6))
    figure.data[0].y = [7, 7]
    frame.loc[0, "a"] = 99
    cells.append(3)
    table.add_data(None)
    Witness.gate.set()
    run.finish()
    row = rows_of(run)[1]
    store = runhaven.Api().store.root
    load = runhaven.media.load

    assert row["array"]["sha256"] == row["picture"]["sha256"]
    assert (np.asarray(Pillow.open(load(row["array"], store))) == RGB).all()
    assert np.asarray(Pillow.open(load(row["tensor"], store))).max() == 0
    assert '"y":[1,2]' in load(row["figure"], store).read_text()
    assert load(row["frame"], store).data == [[1], [2]]
    assert load(row["table"], store).data == [[[1, 2]]]


def test_rows_keep_their_order_while_pictures_wait():
    """A picture that is encoded late stands where it was logged: before what was logged after it, at its own step."""
    Witness.gate = threading.Event()
    run = runhaven.init(project="p")
    for step in (3, 1, 8, 5, 6, 7):
        run.log({"image": Witness(np.full((4, 4), step, np.uint8))} if step > 4 else {"loss": 0.5}, step=step)
        run.log({"more": 1} if step == 8 else {"other": Witness(RGB)}, step=step)
    Witness.gate.set()
    run.finish()
    rows = rows_of(run)

    assert [row["_step"] for row in rows] == [3, 1, 8, 5, 6, 7]
    assert [sorted(key for key in row if key[0] != "_") for row in rows] == [
        ["loss", "other"], ["loss", "other"], ["image", "more"], *[["image", "other"]] * 3,
    ]  # fmt: skip


def test_a_picture_takes_one_row_and_others_that_follow_theirs():
    """A row of pictures alone is written once; where something else comes first, its place is kept by a row without values."""
    with record() as run:
        run.log({"image": runhaven.Image(RGB)})
        run.log({"image": runhaven.Image(RGB), "loss": 1.0})
        run.log({"image": runhaven.Image(RGB)})

    assert [sorted(key for key in row if key[0] != "_") for row in run.rows] == [
        ["image"],
        ["loss"],
        ["image"],
        ["image"],
    ]
    assert [row["_step"] for row in run.rows] == [0, 1, 1, 2]


def test_nothing_is_woken_by_the_thread_that_logs(monkeypatch):
    """What is sent lies until somebody wakes the keeper, unless much waits; then it arrives by itself."""
    keeper = keeping.MediaKeeper(MemoryBlobs(), notices=Notices(is_silent=True), emit=lambda _: None)
    cells: list[Any] = []
    before = threading.active_count()
    for step in (3, 4):
        keeper.send(keeper.accept({"image": Witness(RGB)}), lambda *row: cells.append(row), step, 9)
    lying = threading.active_count() - before, list(Witness.encoded_by)
    keeper.wake()
    assert keeper.settle(patience_s=600)
    monkeypatch.setattr(keeping, "WAKING_BYTES", 0)
    arrived = threading.Event()
    keeper.send(keeper.accept({"image": Witness(RGB)}), lambda *_: arrived.set(), 5, 11)

    assert lying == (0, [])
    assert [row[1:] for row in cells] == [(3, 9), (4, 9)]
    assert arrived.wait()


def test_the_thread_ends_when_nothing_comes_any_more(monkeypatch):
    """A process that opens one run after the other keeps no thread of each; what comes later is kept by another one."""
    monkeypatch.setattr(keeping, "_IDLE_S", 0.05)
    keeper = keeping.MediaKeeper(MemoryBlobs(), notices=Notices(is_silent=True), emit=lambda _: None)
    names: list[set[str]] = []
    for step in range(2):
        before, Witness.gate = set(threading.enumerate()), threading.Event()
        keeper.send(keeper.accept({"image": Witness(RGB)}), lambda *_: None, step, 9)
        keeper.wake()
        (thread,) = set(threading.enumerate()) - before
        Witness.gate.set()
        thread.join()
        names.append({thread.name})
        assert not thread.is_alive()

    assert names == [{"runhaven-media"}] * 2
    assert len(Witness.encoded_by) == 2
    assert keeper.settle(patience_s=0)


def test_a_picture_reaches_the_store_while_the_run_goes_on():
    """Nobody has to finish the run to see what was logged a moment ago."""
    run = runhaven.init(project="p")
    run.log({"image": runhaven.Image(RGB)})
    found = until(lambda: rows_of(run))
    run.finish()

    assert [row["image"]["_type"] for row in found] == ["image-file"]


def test_the_same_bytes_are_stored_once(store):
    """A picture that is logged at each of ten steps, by two runs, lies in the store once."""
    runs = [runhaven.init(project="p", reinit="create_new") for _ in range(2)]
    for run in runs:
        for _ in range(10):
            run.log({"image": runhaven.Image(RGB)})
        run.finish()
    found = [path for path in (store / "blobs").rglob("*") if path.is_file()]

    assert len(found) == 1
    assert len({row["image"]["sha256"] for run in runs for row in rows_of(run)}) == 1


def test_a_full_queue_drops_with_one_warning_and_counts(monkeypatch, capfd):
    """When too much waits, further values become placeholders, training goes on, and the run says how many are missing."""
    monkeypatch.setattr(keeping, "MOST_WAITING_BYTES", 1000)
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    Witness.gate = threading.Event()
    run = runhaven.init(project="p", settings={"quiet": True})
    for step in range(4):
        run.log({"image": Witness(np.zeros((30, 30), np.uint8)), "step": step})
    Witness.gate.set()
    run.finish()
    rows = rows_of(run)

    assert [row["image"]["_type"] for row in rows] == ["image-file", "error", "error", "error"]
    assert [row["step"] for row in rows] == [0, 1, 2, 3]
    assert runhaven.Api().run(run.path).incomplete == {"reason": "media came too fast", "lost_rows": 3}
    assert capfd.readouterr().err.count("faster than they can be written") == 1


def test_one_value_larger_than_the_queue_is_kept(monkeypatch):
    """What alone is more than the queue holds is let in when nothing else waits."""
    monkeypatch.setattr(keeping, "MOST_WAITING_BYTES", 10)
    run = runhaven.init(project="p")
    run.log({"image": runhaven.Image(RGB)})
    run.finish()

    assert rows_of(run)[0]["image"]["_type"] == "image-file"


def test_a_file_that_vanished_is_a_placeholder(tmp_path):
    """A path whose file is gone when its turn comes costs that value alone."""
    Witness.gate = threading.Event()
    path = tmp_path / "a.png"
    Pillow.fromarray(RGB).save(path)
    run = runhaven.init(project="p")
    run.log({"first": Witness(RGB)})
    run.log({"image": runhaven.Image(path), "audio": runhaven.Audio(np.zeros(9), sample_rate=9)})
    path.unlink()
    Witness.gate.set()
    run.finish()
    row = rows_of(run)[1]

    assert row["image"]["_type"] == "error"
    assert "no file" in row["image"]["message"]
    assert row["audio"]["_type"] == "audio-file"


def test_a_store_that_cannot_be_written_costs_the_media_alone(store, caplog):
    """Blobs that cannot be written become placeholders; rows go on, and nothing is raised."""
    run = runhaven.init(project="p")
    (store / "blobs").write_text("in the way")
    with caplog.at_level(logging.DEBUG, "runhaven"):
        run.log({"image": runhaven.Image(RGB), "loss": 1.0})
        run.finish()
    row = rows_of(run)[0]

    assert row["loss"] == 1.0
    assert row["image"]["_type"] == "error"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_keeps_its_own_and_leaves_the_parents():
    """A child that is forked while media wait keeps what it logs, once, and finishes without waiting for the parent's."""
    Witness.gate = threading.Event()
    run = runhaven.init(project="p")
    run.log({"parent": Witness(RGB)}, step=1)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            Witness.gate = None
            run.log({"child": runhaven.Image(RGB[::-1])}, step=2)
            run.finish()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    Witness.gate.set()
    run.finish()
    rows = {row["_step"]: row for row in rows_of(run)}

    assert status == 0
    assert rows[1]["parent"]["_type"] == "image-file"
    assert rows[2]["child"]["_type"] == "image-file"


def test_media_pickle():
    """What a DataLoader's worker makes can be sent to the process that logs it."""
    table = runhaven.Table(columns=["a"], data=[[runhaven.Image(torch.rand(3, 4, 4))]])
    values = {
        "image": runhaven.Image(RGB, caption="x"),
        "table": table,
        "sound": runhaven.Audio([0.0, 1.0], sample_rate=2),
    }
    with record() as run:
        run.log(pickle.loads(pickle.dumps(values)))
        run.log(values)

    for key in values:
        first, second = run.series(key)
        assert first == second


def test_the_test_double_keeps_media_with_their_bytes():
    """`record()` has the reference in its row when log() returns, and the bytes at hand."""
    with record() as run:
        run.log({"image": runhaven.Image(RGB)})
        (reference,) = run.series("image")

    assert run.bytes_of(reference).startswith(b"\x89PNG")
    assert len(run.bytes_of(reference)) == reference["size"]


def test_the_summary_has_the_newest_reference(store):
    """A run's summary holds the reference that was logged last, and its bytes can be opened through the Api."""
    run = runhaven.init(project="p")
    run.log({"image": runhaven.Image(RGB)})
    run.log({"image": runhaven.Image(RGB[::-1])})
    run.finish()
    found = runhaven.Api().run(run.path)
    reference = dict(found.summary["image"])

    assert reference == rows_of(run)[-1]["image"]
    assert found.open_media(reference) == Blobs(store).path(reference["sha256"])
    with pytest.raises(runhaven.NotFoundError):
        found.open_media({"_type": "histogram"})


def test_a_signal_handler_may_log_media_at_any_moment():
    """Media that a handler logs while its thread is within log() are kept too, and nothing locks up."""
    import signal

    run = runhaven.init(project="p")
    is_over = False

    def handler(*_: object) -> None:
        run.log({"alarm": runhaven.Image(RGB)})
        if not is_over:
            # The next one waits for this: where a call takes longer than the pause, handlers would come for ever.
            signal.setitimer(signal.ITIMER_REAL, 0.0005)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.0005)
    try:
        for _ in range(300):
            run.log({"image": runhaven.Image(RGB)})
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    run.finish()
    rows = list(runhaven.Api().run(run.path).scan_history())

    assert sum("image" in row for row in rows) == 300
    assert all(row[key]["_type"] == "image-file" for row in rows for key in ("image", "alarm") if key in row)


def test_threads_may_log_media_at_once():
    """Eight threads lose nothing."""
    run = runhaven.init(project="p")

    def work(name: int) -> None:
        for step in range(20):
            run.log({f"image/{name}": runhaven.Image(np.full((4, 4), name * 20 + step, np.uint8))})

    threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()
    rows = rows_of(run)
    found = [value["sha256"] for row in rows for key, value in row.items() if key.startswith("image/")]

    assert len(found) == 160
    assert len(set(found)) == 160


def test_sigterm_keeps_the_media_that_wait(store):
    """A process that is told to end keeps the media that it has logged before it goes."""
    import subprocess
    import sys

    code = (
        "import os, signal, numpy as np, runhaven\n"
        "run = runhaven.init(project='p', id='killed')\n"
        "for step in range(20): run.log({'image': runhaven.Image(np.random.rand(300, 300, 3))})\n"
        "os.kill(os.getpid(), signal.SIGTERM)\n"
        "import time; time.sleep(600)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=False)
    (found,) = runhaven.Api().runs("p")

    assert done.returncode == -15, done.stderr
    assert found.state == "killed"
    assert sum(row.get("image", {}).get("_type") == "image-file" for row in found.scan_history()) == 20


def test_sigkill_takes_no_more_than_what_waits(store):
    """Pictures that were logged a moment ago survive SIGKILL; of those logged right before it, the numbers beside them do."""
    import subprocess
    import sys

    code = (
        "import os, signal, time, numpy as np, runhaven\n"
        "run = runhaven.init(project='p', id='killed')\n"
        "for step in range(20): run.log({'image': runhaven.Image(np.random.rand(30, 30, 3))})\n"
        "while len(list(runhaven.Api().run('p/killed').scan_history())) < 20: time.sleep(0.02)\n"
        "for step in range(3): run.log({'image': runhaven.Image(np.random.rand(300, 300, 3)), 'loss': step})\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=False)
    rows = list(runhaven.Api().run("p/killed").scan_history())

    assert done.returncode == -9, done.stderr
    assert [row["_step"] for row in rows] == list(range(23))
    assert [row["image"]["_type"] for row in rows[:20]] == ["image-file"] * 20
    assert [row["loss"] for row in rows[20:]] == [0, 1, 2]


def test_an_error_while_waiting_never_reaches_training(monkeypatch):
    """Even a reference that cannot be written does not raise."""
    run = runhaven.init(project="p")
    monkeypatch.setattr(Witness, "keep_as", lambda *_: {"image": object()})
    run.log({"image": Witness(RGB)})
    run.log({"loss": 1.0})
    run.finish()

    assert rows_of(run)[1]["loss"] == 1.0


def test_media_have_their_step_metric():
    """A picture that is logged without its step metric gets the last value of it, as a number does."""
    run = runhaven.init(project="p")
    run.define_metric("val/*", step_metric="epoch")
    run.log({"epoch": 3, "val/loss": 1.0})
    run.log({"val/image": runhaven.Image(RGB), "other": 1})
    run.log({"val/image": runhaven.Image(RGB), "epoch": 4})
    run.log({"image": runhaven.Image(RGB)})
    run.finish()

    assert [row.get("epoch") for row in rows_of(run)] == [3, 3, 4, None]


KINDS = st.sampled_from(
    ["bool", "u1", "i1", "u2", "i4", "u8", "f2", "f4", "f8", "c8", "U3", "S2", "M8[s]", "O", ">u2", ">f4"]
)


@settings(max_examples=300, deadline=None)
@given(
    data=KINDS.flatmap(
        lambda kind: arrays.arrays(
            kind, st.lists(st.integers(0, 5), max_size=5).map(tuple), elements=st.none() if kind == "O" else None
        )
    ),
    make=st.sampled_from(
        [
            runhaven.Image,
            runhaven.Video,
            runhaven.Histogram,
            runhaven.Object3D,
            lambda data: runhaven.Audio(data, sample_rate=8),
        ]
    ),
    mode=st.sampled_from([None, "L", "RGB", "nonsense"]),
)
def test_no_array_ever_raises(data, make, mode):
    """Whatever an array holds and whatever its shape, log() keeps the row, and the value or a placeholder that says why not."""
    with record(settings=runhaven.Settings()) as run:
        run.log(
            {"value": make(data), "mask": runhaven.Image(RGB, mode=mode, masks={"a": {"mask_data": data}}), "loss": 1.0}
        )
    rows = {key: value for row in run.rows for key, value in row.items()}

    assert rows["loss"] == 1.0
    assert rows["value"]["_type"] in ("image-file", "video-file", "histogram", "object3D-file", "audio-file", "error")
    assert rows["value"]["_type"] != "error" or rows["value"]["message"]
    assert rows["mask"]["_type"] == ("error" if mode == "nonsense" else "image-file")
