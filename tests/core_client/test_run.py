"""A run from `init()` to `finish()`, read back through the Api."""

from __future__ import annotations

import argparse
import enum
import json
import math
import pickle
import signal
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

import runhaven


def stored(run: runhaven.Run):
    return runhaven.Api().run(run.path)


def test_a_run_is_read_back_as_it_was_logged():
    """Rows, configuration, summary and state come back through the Api."""
    with runhaven.init(project="p", name="first", config={"lr": 0.1}, tags=["a", "k=v"], notes="n", group="g") as run:
        for step in range(3):
            run.log({"loss": 1 / (step + 1), "epoch": step, "ok": True, "word": "x", "nested": {"a": {"b": step}}})
    found = stored(run)

    assert (found.state, found.name, found.tags, found.notes, found.group) == (
        "finished",
        "first",
        ["a", "k=v"],
        "n",
        "g",
    )
    assert found.config == {"lr": 0.1}
    assert found.summary == {"loss": 1 / 3, "epoch": 2, "ok": True, "word": "x", "nested.a.b": 2}
    rows = list(found.scan_history())
    assert [row["_step"] for row in rows] == [0, 1, 2]
    assert rows[1]["loss"] == 0.5
    assert rows[1]["ok"] is True
    assert rows[2]["nested.a.b"] == 2


def test_module_functions_work_on_the_current_run():
    """`runhaven.log` and its like do what the methods do, and `runhaven.run` is the live run."""
    run = runhaven.init(project="p")
    runhaven.log({"a": 1})
    runhaven.config.update({"lr": 1})
    runhaven.summary["best"] = 7
    runhaven.define_metric("a", summary="max")

    assert runhaven.run is run
    assert runhaven.config.lr == 1
    runhaven.finish()
    assert runhaven.run is None
    assert stored(run).summary["best"] == 7
    with pytest.raises(runhaven.UsageError, match=r"runhaven\.init\(\)"):
        runhaven.log({"a": 1})


def test_steps_follow_the_counter():
    """An explicit greater step moves the counter, an equal one joins it, a smaller one is stored and leaves it."""
    run = runhaven.init(project="p")
    run.log({"a": 1})
    run.log({"a": 2}, step=100)
    assert run.step == 100
    run.log({"b": 3})
    assert run.step == 101
    run.log({"a": 4}, step=5)
    assert run.step == 101
    run.log({"c": 5}, commit=False)
    run.log({"d": 6})
    run.log({"e": 7}, step=200, commit=True)
    assert run.step == 201
    run.finish()

    rows = {row["_step"]: row for row in stored(run).scan_history()}
    assert sorted(rows) == [0, 5, 100, 101, 200]
    assert (rows[100]["a"], rows[100]["b"]) == (2, 3)
    assert (rows[101]["c"], rows[101]["d"]) == (5, 6)


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Options:
    lr: float = 0.5
    path: Path = Path("/data")


@pytest.mark.parametrize(
    ("given_config", "expected"),
    [
        ({"a": {"b": [1, 2]}, "c": Colour.RED, "d": Path("/x"), "t": torch.float16, "n": np.int64(3)},
         {"a": {"b": [1, 2]}, "c": "red", "d": "/x", "t": "torch.float16", "n": 3}),
        (argparse.Namespace(lr=1, deep=argparse.Namespace(x=2)), {"lr": 1, "deep": {"x": 2}}),
        (Options(), {"lr": 0.5, "path": "/data"}),
        (OmegaConf.create({"a": 1, "b": "${a}", "c": {"d": [1]}}), {"a": 1, "b": 1, "c": {"d": [1]}}),
    ],
)  # fmt: skip
def test_configurations_come_in_all_forms(given_config, expected):
    """A dict, Namespace, dataclass or OmegaConf config is kept by its values."""
    run = runhaven.init(project="p", config=given_config)
    run.finish()

    assert stored(run).config == expected


def test_a_configuration_may_be_a_yaml_file(tmp_path):
    """A path stands for the file's keys, W&B's form with `value` included."""
    plain, wrapped = tmp_path / "a.yaml", tmp_path / "b.yaml"
    plain.write_text("lr: 0.1\nlayers: [1, 2]\n")
    wrapped.write_text("lr: {desc: rate, value: 0.2}\n")

    assert runhaven.init(project="p", config=str(plain)).config.as_dict() == {"lr": 0.1, "layers": [1, 2]}
    runhaven.finish()
    assert runhaven.init(project="p", config=wrapped).config.as_dict() == {"lr": 0.2}


def test_changes_of_the_configuration_are_kept_as_history():
    """A change in mid-run is accepted, with its step; strict settings refuse it as W&B does."""
    run = runhaven.init(project="p", config={"lr": 1})
    run.log({"a": 1})
    run.config.update({"lr": 2})
    with pytest.raises(runhaven.ConfigError, match="allow_val_change"):
        run.config.update({"lr": 3}, allow_val_change=False)
    run.finish()

    assert [(change["step"], change["set"]) for change in stored(run).config_history] == [
        (0, {"lr": 1}),
        (1, {"lr": 2}),
    ]
    strict = runhaven.init(project="p", config={"lr": 1}, settings={"strict": True})
    with pytest.raises(runhaven.ConfigError):
        strict.config.lr = 2
    strict.config.update({"lr": 2}, allow_val_change=True)


def test_summaries_follow_the_definitions():
    """min, max, mean, first, last and best come out exactly, and what the user writes wins."""
    run = runhaven.init(project="p")
    run.define_metric("loss", summary="min,max,mean,first,last")
    run.define_metric("val/*", goal="maximize")
    for value in (3.0, 1.0, float("nan"), 2.0):
        run.log({"loss": value, "val/acc": value})
    run.summary["loss.max"] = 9
    live = dict(run.summary.items())
    run.finish()

    expected = {
        "loss.min": 1.0,
        "loss.max": 9,
        "loss.mean": 2.0,
        "loss.first": 3.0,
        "loss.last": 2.0,
        "val/acc.best": 3.0,
    }
    assert live == expected
    assert stored(run).summary == expected


def test_rows_without_their_step_metric_get_its_last_value():
    """`define_metric(step_metric=)` gives a series its axis, synchronised by default."""
    run = runhaven.init(project="p")
    run.define_metric("val/*", step_metric="epoch")
    run.log({"epoch": 3})
    run.log({"val/acc": 0.5})
    run.finish()
    found = stored(run)

    (row,) = found.scan_history(keys=["epoch", "val/acc"])
    assert (row["_step"], row["epoch"], row["val/acc"]) == (1, 3, 0.5)
    assert next(series.axis for series in found.series() if series.key == "val/acc") == "epoch"
    assert found.curve("val/acc", x="epoch").x.tolist() == [3.0]


VALUES = [
    (1.5, 1.5), (7, 7), (True, True), ("text", "text"), (2**70, 2**70), (-(2**63), -(2**63)), (None, None), (float("inf"), float("inf")),
    (np.float32(0.5), 0.5), (np.int8(-3), -3), (np.bool_(True), True), (np.array(4), 4), (np.float16(2), 2.0), (torch.tensor(3), 3),
    (torch.tensor(0.25, dtype=torch.bfloat16), 0.25), (torch.tensor([2.0]), 2.0), (torch.tensor(False), False), ([1, "a", None], [1, "a", None]),
    ({1, 2}, [1, 2]), (np.arange(3), [0, 1, 2]), (float("-inf"), float("-inf")), ("\ud800", "\ud800"), (torch.nn.Parameter(torch.tensor(1.0)), 1.0),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), VALUES, ids=[repr(value)[:30] for value, _ in VALUES])
def test_values_keep_their_meaning(value, expected):
    """Numbers of every library come back exactly; what has no number comes back as its JSON."""
    run = runhaven.init(project="p")
    run.log({"value": value})
    run.finish()
    (row,) = stored(run).scan_history()

    assert row["value"] == expected
    assert type(row["value"]) is type(expected)


class Hostile:
    def __repr__(self):
        message = "no repr"
        raise RuntimeError(message)

    def __float__(self):
        message = "no float"
        raise RuntimeError(message)


@pytest.mark.parametrize("value", [object(), Hostile(), lambda: 1, 1j, b"bytes", torch.zeros(1000), np.zeros((40, 40))])
def test_anything_can_be_logged(value):
    """What is no number and no JSON becomes a typed description, never an exception."""
    run = runhaven.init(project="p")
    run.log({"value": value, "good": 1})
    run.finish()
    (row,) = stored(run).scan_history()

    assert row["good"] == 1
    assert row["value"] is not None
    json.dumps(row["value"])


def test_nan_stays_nan():
    """A NaN is stored as it is, as a cell and inside JSON."""
    run = runhaven.init(project="p", config={"x": float("nan")})
    run.log({"a": float("nan"), "list": [float("nan"), 1]})
    run.finish()
    (row,) = stored(run).scan_history()

    assert math.isnan(row["a"])
    assert math.isnan(row["list"][0])
    assert math.isnan(stored(run).config["x"])


KEYS = st.text(min_size=1, max_size=8).filter(lambda key: not key.startswith("_"))
CELLS = st.one_of(
    st.floats(), st.integers(), st.booleans(), st.text(max_size=12), st.none(), st.lists(st.integers(), max_size=3)
)
ROWS = st.lists(
    st.tuples(st.dictionaries(KEYS, CELLS, min_size=1, max_size=5), st.none() | st.integers(-5, 60)),
    min_size=1,
    max_size=30,
)


@given(rows=ROWS)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scan_history_gives_rows_exactly_as_logged(rows):
    """For any rows and steps, what was logged at a step comes back merged, the last key winning."""
    run = runhaven.init(project="p")
    expected: dict[int, dict[str, object]] = {}
    counter = 0
    for data, step in rows:
        run.log(data, step=step)
        at = counter if step is None else step
        counter = counter + 1 if step is None else max(counter, step)
        expected.setdefault(at, {}).update(data)
    run.finish()
    found = {row.pop("_step"): row for row in stored(run).scan_history()}
    for row in found.values():
        row.pop("_timestamp")
        row.pop("_runtime")

    assert repr(found) == repr(expected)


def test_misuse_is_said_once_and_raises_only_in_strict_mode(capfd, monkeypatch):
    """A wrong call inside a training loop costs one line, not the training."""
    monkeypatch.delenv("RUNHAVEN_SILENT")
    run = runhaven.init(project="p")
    for _ in range(3):
        run.log(cast("Any", "not a dict"))
        run.log({"a": 1}, step=cast("Any", "x"))
    run.finish()
    run.log({"late": 1})
    err = capfd.readouterr().err

    assert err.count("takes a dict") == 1
    assert err.count("takes an integer") == 1
    assert err.count("after finish()") == 1
    strict = runhaven.init(project="p", settings={"strict": True})
    with pytest.raises(runhaven.UsageError, match="takes a dict"):
        strict.log(cast("Any", "not a dict"))


@pytest.mark.parametrize(
    ("mode", "is_same"),
    [("return_previous", True), (False, True), ("finish_previous", False), (True, False), ("create_new", False)],
)
def test_reinit_in_all_forms(mode, is_same):
    """`reinit` returns the run that is active, ends it, or leaves it alone."""
    first = runhaven.init(project="p")
    second = runhaven.init(project="p", reinit=mode)

    assert (second is first) == is_same
    assert first.is_finished == (mode in ("finish_previous", True))
    assert runhaven.run is (first if mode == "create_new" or is_same else second)


def test_the_end_of_the_process_ends_every_run():
    """All runs that are live when the process ends are finished, not every other one."""
    runs = [runhaven.init(project="p", reinit="create_new") for _ in range(3)]
    runhaven.teardown()

    assert [stored(run).state for run in runs] == ["finished"] * 3


def test_resume_goes_on_with_a_run():
    """A resumed run keeps its name, configuration, summary and steps; what it repeats hides what it repeats."""
    first = runhaven.init(project="p", id="abc", name="n", config={"lr": 1})
    first.define_metric("a", summary="max,mean")
    for step in range(10):
        first.log({"a": step})
    first.finish(1)
    assert stored(first).state == "failed"
    second = runhaven.init(project="p", id="abc", resume="must")
    assert (second.resumed, second.step, second.starting_step, second.name, second.config.lr) == (True, 10, 10, "n", 1)
    for step in range(5, 12):
        second.log({"a": 100 + step}, step=step)
    second.finish()
    found = stored(second)

    assert found.state == "finished"
    assert [(row["_step"], row["a"]) for row in found.scan_history()] == [(s, s) for s in range(5)] + [
        (s, 100 + s) for s in range(5, 12)
    ]
    assert found.summary == {"a.max": 111, "a.mean": pytest.approx((45 + 7 * 108) / 17)}
    assert found.curve("a").max.tolist()[-1] == 111


def test_resume_says_what_contradicts_the_store():
    """`must` needs a run, `never` needs none, `auto` finds the one that did not finish."""
    with pytest.raises(runhaven.UsageError, match="does not"):
        runhaven.init(project="p", id="nothing", resume="must")
    runhaven.init(project="p", id="abc").finish()
    with pytest.raises(runhaven.UsageError, match="exists"):
        runhaven.init(project="p", id="abc", resume="never")
    first = runhaven.init(project="auto", resume="auto")
    first.finish(1)
    second = runhaven.init(project="auto", resume=True)
    assert second.id == first.id
    second.finish(0)
    assert runhaven.init(project="auto", resume="auto").id != first.id


@pytest.mark.parametrize("bad", ["a/b", "a#b", "a\\b", "", "x" * 200])
def test_ids_that_cannot_be_are_refused(bad):
    """An id that paths or addresses would misread is refused with the reason."""
    with pytest.raises(runhaven.UsageError):
        runhaven.init(project="p", id=bad, resume="allow" if bad else "must")


def test_a_disabled_run_keeps_nothing(store):
    """mode="disabled" accepts every call and writes no file."""
    run = runhaven.init(mode="disabled", config={"a": 1})
    run.log({"x": 1})
    run.alert("t")
    run.define_metric("x")
    run.summary["y"] = 2
    run.finish()

    assert run.disabled
    assert not store.exists()


def test_alerts_files_and_metadata(tmp_path):
    """Alerts with the same title wait; saved files lie in the run; name and tags can change."""
    run = runhaven.init(project="p")
    run.alert("high loss", "look", level=runhaven.AlertLevel.WARN)
    run.alert("high loss", "again")
    run.alert("high loss", "now", wait_duration=0)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("one")
    (tmp_path / "end.txt").write_text("early")
    assert [Path(path).name for path in run.save(str(tmp_path / "out" / "*.txt"), base_path=tmp_path)] == ["a.txt"]
    run.save(tmp_path / "end.txt", policy="end")
    (tmp_path / "out" / "a.txt").write_text("longer")
    (tmp_path / "end.txt").write_text("late")
    run.name = "renamed"
    run.tags += ("new",)
    with pytest.raises(runhaven.UsageError, match="outside"):
        run.save(tmp_path / "end.txt", base_path=tmp_path / "out")
    run.finish()
    found = stored(run)

    assert [(alert["title"], alert["level"]) for alert in found.alerts] == [
        ("high loss", "WARN"),
        ("high loss", "INFO"),
    ]
    assert (found.directory.files / "out" / "a.txt").read_text() == "longer"
    assert (found.directory.files / "end.txt").read_text() == "late"
    assert (found.name, found.tags) == ("renamed", ["new"])


def test_a_pickled_run_comes_back_as_itself():
    """Within its process a run unpickles to the same object."""
    run = runhaven.init(project="p")

    assert pickle.loads(pickle.dumps(run)) is run


def test_threads_lose_no_row():
    """Eight threads that log at once lose nothing and merge nothing."""
    run = runhaven.init(project="p")

    def work(number: int) -> None:
        for index in range(500):
            run.log({f"t{number}": index})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run.finish()
    rows = list(stored(run).scan_history())

    assert len(rows) == 4000
    assert [row["t3"] for row in rows if "t3" in row] == list(range(500))


def test_signal_handlers_may_log():
    """A handler that logs while the main thread logs neither deadlocks nor tears a row."""
    run = runhaven.init(project="p")
    calls, is_over = 0, False

    def handler(*_):
        nonlocal calls
        calls += 1
        run.log({"signal": calls})
        if not is_over:
            # The next one waits for this: where a call takes longer than the pause, handlers would come for ever.
            signal.setitimer(signal.ITIMER_REAL, 0.001)

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    try:
        for index in range(60_000):
            run.log({"main": index})
    finally:
        is_over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    run.finish()
    rows = list(stored(run).scan_history())

    assert calls > 0
    assert [row["main"] for row in rows if "main" in row] == list(range(60_000))
    assert sorted(row["signal"] for row in rows if "signal" in row) == list(range(1, calls + 1))


def test_a_reader_sees_a_new_row_within_a_second():
    """A row is visible to another reader as soon as `log()` has returned."""
    run = runhaven.init(project="p")
    run.log({"a": 1})
    found = stored(run)
    assert found.state == "running"
    run.log({"a": 2})

    assert found.refresh()
    assert [row["a"] for row in found.scan_history()] == [1, 2]


def test_history_keeps_every_extreme():
    """A spike in ten thousand rows is in the bucket that covers it."""
    run = runhaven.init(project="p")
    for step in range(10_000):
        run.log({"a": 1.0 if step != 7777 else 1e6})
    run.finish()
    frame = stored(run).history(samples=100)

    assert len(frame) <= 100
    assert frame["a.max"].max() == 1e6
    assert frame.loc[frame["a.max"].idxmax(), "_step"] >= 7777
    with pytest.raises(runhaven.NotFoundError, match="Did you mean 'a'"):
        stored(run).history(keys=["aa"])


def test_unknown_runs_say_what_is_near():
    """A wrong path names the runs that it could have meant."""
    runhaven.init(project="p", id="calm1234").finish()

    with pytest.raises(runhaven.NotFoundError, match="calm1234"):
        runhaven.Api().run("calm1235")


def test_the_terminal_gets_a_line_at_the_start_and_a_summary_at_the_end(capfd, monkeypatch, store):
    """Name, project and place at the start; name, outcome, values and path at the end; no colour where there is no terminal."""
    monkeypatch.delenv("RUNHAVEN_SILENT")
    with runhaven.init(project="p", name="calm-harbour-1") as run:
        run.log({"loss": 0.123456789, "note": "x"})
        assert "calm-harbour-1" in run.to_html()
        assert run.display() is False
    err = capfd.readouterr().err

    assert err.splitlines()[0] == f"runhaven: calm-harbour-1 starts, project p in {store}  see it with: runhaven ui"
    assert "calm-harbour-1 finished after" in err
    assert "    loss  0.12346" in err
    assert str(run.identity.directory) in err
    assert "\033" not in err


def test_saved_files_come_back(tmp_path):
    """A saved file is opened again, from this run or from another one; a name that leads out is refused."""
    (tmp_path / "notes.txt").write_text("first")
    with runhaven.init(entity="me", project="p", id="one") as run:
        run.save(tmp_path / "notes.txt", policy="now")
    (tmp_path / "notes.txt").write_text("second")
    with runhaven.init(entity="me", project="p", id="two") as run:
        run.save(tmp_path / "notes.txt", policy="now")
        own = run.restore("notes.txt")
        other = runhaven.restore("notes.txt", run_path="me/p/one", root=str(tmp_path / "out"))
        assert own is not None
        assert other is not None
        with own, other:
            assert (own.read(), other.read()) == ("second", "first")
        assert (tmp_path / "out" / "notes.txt").read_text() == "first"
        assert run.restore("nothing.txt") is None
        with pytest.raises(runhaven.NotFoundError):
            run.restore("notes.txt", run_path="me/p/three")
        with pytest.raises(runhaven.UsageError, match="leads out"):
            run.restore("../run.json")
