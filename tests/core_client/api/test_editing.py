"""Changing stored runs through the Api, as scripts written for W&B do it."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import time
from typing import Any

import numpy as np
import pytest

import runhaven
from runhaven.api import Api
from runhaven.errors import NotFoundError, UsageError
from runhaven.metric import Metric


@pytest.fixture
def run(written):
    """Ten steps of two series, with rows enough for history to sample, under a rule."""
    written.event("meta", set={"name": "calm-reef-1", "tags": ["a"]})
    written.event("config", set={"lr": 0.1, "model": {"depth": 2}}, delete=[])
    written.event(
        "metric", **Metric("acc", step_metric="epoch", summary=("max", "mean")).to_event() | {"event": "metric"}
    )
    for step in range(10):
        written.log({"loss": 10.0 - step, "acc": step / 10, "epoch": step // 2, "text": f"t{step}"}, step)
    written.log({"load": 5}, 0, stream="node=x")
    written.event("finish", exit_code=0)
    return written.close()


def again(run):
    """Return the run as another process reads it: once the facts alone, once the rows too."""
    light, full = type(run)(run.directory), type(run)(run.directory)
    full.series()
    return light, full


def column(run, key, **names):
    return {row["_step"]: row[key] for row in run.scan_history([key], **names)}


# Facts


def test_what_is_assigned_waits_for_update(run):
    """Name, notes, tags, group and job type count here at once, and elsewhere after `update()`."""
    run.name, run.notes, run.group, run.job_type = "n", "why", "g", "train"
    run.tags.append("b")
    assert (run.name, run.display_name, run.tags) == ("n", "n", ["a", "b"])
    assert again(run)[0].name == "calm-reef-1"
    run.update()

    for found in (run, *again(run)):
        assert (found.name, found.notes, found.group, found.job_type) == ("n", "why", "g", "train")
        assert (found.tags, found.state) == (["a", "b"], "finished")
    files = len(list(run.directory.journal.iterdir()))
    run.save()
    assert len(list(run.directory.journal.iterdir())) == files


def test_display_name_and_whole_tags_can_be_assigned(run):
    """W&B's other word for the name works; tags may be given as any sequence; nonsense is answered."""
    run.display_name, run.tags = "shown", ("x", "y")
    run.save()

    assert (again(run)[0].name, again(run)[0].tags) == ("shown", ["x", "y"])
    with pytest.raises(UsageError, match="list"):
        run.tags = "x"
    with pytest.raises(UsageError, match="str"):
        run.name = 5


def test_config_is_changed_by_key_by_update_and_in_place(run):
    """Every way to change a dict reaches the disk; what was not touched is not written."""
    run.config["lr"] = 0.2
    run.config.update({"seed": 1}, more=2)
    run.config["model"]["depth"] = 3
    run.config.setdefault("kept", [1])
    run.config.pop("more")
    assert run.config == {"lr": 0.2, "seed": 1, "model": {"depth": 3}, "kept": [1]}
    run.update()

    assert again(run)[0].config == {"lr": 0.2, "seed": 1, "model": {"depth": 3}, "kept": [1]}
    del run.config["lr"]
    run.update()
    assert "lr" not in again(run)[0].config
    assert run.edits[-1]["set"] == {}
    assert run.edits[-1]["delete"] == ["lr"]


def test_summary_is_changed_by_key_by_update_and_below(run):
    """`summary[...] = x` waits for an update, `summary.update()` writes at once, nested values go flat."""
    run.summary["best"] = 0.9
    run.summary["test"] = {"acc": 0.8}
    assert "best" not in again(run)[0].summary
    run.summary.update({"extra": 1})
    light, full = again(run)

    assert (light.summary["best"], light.summary["test"]["acc"], full.summary["extra"]) == (0.9, 0.8, 1)
    assert run.summary["acc"]["max"] == 0.9
    run.summary["acc"]["max"] = 1.0
    del run.summary["loss"]
    run.update()
    assert again(run)[0].summary["acc.max"] == 1.0
    assert "loss" not in again(run)[1].summary


def test_config_and_summary_are_plain_when_they_are_copied(run):
    """Copies, pickles and JSON of them are dicts that belong to nobody."""
    for data in (run.config, run.summary):
        for made in (copy.deepcopy(data), copy.copy(data), pickle.loads(pickle.dumps(data)), dict(data)):
            assert type(made) is dict
            assert made == data
        assert json.loads(json.dumps(data)) == data


def test_an_edit_of_a_running_run_stands(store):
    """What is edited while the run goes on is there afterwards, and the run goes on."""
    with runhaven.init(project="p", id="live", config={"lr": 0.1}) as live:
        live.log({"loss": 1.0})
        found = Api().run("live")
        found.config["lr"], found.notes = 0.3, "from outside"
        found.update()
        live.log({"loss": 0.5})
    now = Api().run("live")

    assert (now.config, now.notes, now.state, now.last_step) == ({"lr": 0.3}, "from outside", "finished", 1)


# Late rows


def test_late_rows_show_everywhere(run):
    """A late row is in history, curve and summary with its aggregates; the state stays; the edits name it."""
    run.log({"test/acc": 0.7, "acc": 2.0, "epoch": 5})
    run.log({"test/acc": 0.8}, step=3)

    for found in (run, *again(run)):
        assert (found.summary["test/acc"], found.summary["acc.max"], found.state) == (0.8, 2.0, "finished")
        assert found.summary["acc.mean"] == pytest.approx((4.5 + 2.0) / 11)
        assert (found.lastHistoryStep, found.updated) == (10, run.updated)
        assert [(edit["event"], edit["steps"]) for edit in found.edits] == [("log", [10]), ("log", [3])]
    assert column(run, "test/acc") == {10: 0.7, 3: 0.8}
    assert run.curve("test/acc").last.tolist() == [0.8, 0.7]
    assert len(run.history(pandas=False)) == 12


def test_many_late_rows_are_one_writer(run):
    """`log_rows` takes the rows of `scan_history` of another run, however many, with their steps."""
    rows = ({"_step": step, "late": step, "text": "x" * 2000} for step in range(3000))
    run.log_rows(rows)

    assert column(again(run)[0], "late") == {step: step for step in range(3000)}
    assert len(list(run.directory.journal.iterdir())) == 2


@pytest.mark.parametrize("row", [5, [1.0], None, "text"])
def test_a_late_row_is_a_dict(run, row):
    """Anything else is refused before anything is written of it."""
    with pytest.raises(UsageError, match="dict"):
        run.log_rows([row])
    with pytest.raises(UsageError, match="integer"):
        run.log({"a": 1}, step=1.5)
    assert run.summary["loss"] == 1.0


def test_a_late_row_counts_though_the_run_goes_on(write):
    """A snapshot that the run writes after a late row does not take it out of the aggregates."""
    written = write("going")
    written.event("metric", **Metric("a", summary=("max",)).to_event() | {"event": "metric"})
    written.log({"a": 1.0}, 0)
    following = written.read()
    following.log({"a": 9.0}, step=5)
    written.event("snapshot", summary={"a.max": 1.0}, counts={"a": 1}, last_step=0)
    following.refresh()
    found = written.close()

    assert following.summary["a.max"] == found.summary["a.max"] == 9.0


# Names


def test_a_renamed_series_is_so_everywhere(run):
    """Series, curves, rows, buckets, summary and rules know the new name alone; the journals are as they were."""
    run.rename_metric("acc", "val/acc")
    run.rename_metric("epoch", "round")

    for found in (run, *again(run)):
        assert [one.key for one in found.series("")] == ["loss", "round", "text", "val/acc"]
        assert next(one for one in found.series("") if one.key == "val/acc").axis == "round"
        assert found.curve("val/acc", x="round").last[-1] == 0.9
        assert len(found.curve("acc")) == 0
        assert column(found, "val/acc")[3] == 0.3
        assert "acc" not in next(found.scan_history())
        assert found.history(samples=3, pandas=False)[-1]["val/acc.max"] == 0.9
        assert set(found.summary) == {"loss", "val/acc.max", "val/acc.mean", "round", "text"}
        assert list(found.metrics) == ["val/acc"]
        assert found.metrics["val/acc"].step_metric == "round"
    assert run.edits[0] | {"event": "rename", "old": "acc", "new": "val/acc", "stream": ""} == run.edits[0]


def test_a_name_is_free_once_its_series_has_another(run):
    """A taken name is refused; two series can change names by way of a third."""
    with pytest.raises(UsageError, match="has a metric 'loss' already"):
        run.rename_metric("acc", "loss")
    with pytest.raises(NotFoundError, match=r"never logged 'accuracy'.*'acc'"):
        run.rename_metric("accuracy", "x")
    with pytest.raises(UsageError, match="own"):
        run.rename_metric("acc", "_step")
    before = column(run, "loss"), column(run, "acc")
    for old, new in (("acc", "tmp"), ("loss", "acc"), ("tmp", "loss")):
        run.rename_metric(old, new)

    for found in again(run):
        assert (column(found, "acc"), column(found, "loss")) == before
    assert run.summary["acc"] == 1.0
    assert run.summary["loss.max"] == 0.9


def test_a_rule_for_many_names_stays_with_a_renamed_series(write):
    """A series that a pattern was about keeps its axis under a name that the pattern does not match."""
    written = write("patterned")
    written.event("metric", **Metric("val/*", step_metric="epoch").to_event() | {"event": "metric"})
    written.log({"val/acc": 0.5, "epoch": 1}, 0)
    run = written.close()
    run.rename_metric("val/acc", "accuracy")

    assert next(one for one in again(run)[1].series() if one.key == "accuracy").axis == "epoch"


def test_a_renaming_is_about_one_stream(run):
    """The series of a machine has a name of its own, and renaming it leaves the summary alone."""
    run.rename_metric("load", "load_percent", stream="node=x")

    assert run.system_metrics == {"load_percent": 5}
    assert "load_percent" not in run.summary
    with pytest.raises(NotFoundError):
        run.rename_metric("load", "again")


def test_a_run_that_goes_on_logs_under_the_new_name(store):
    """Rows under the old name, logged after the renaming, join the renamed series; the live run notices nothing."""
    with runhaven.init(project="p", id="live") as live:
        live.log({"los": 1.0})
        found = Api().run("live")
        found.rename_metric("los", "loss")
        live.log({"los": 0.5})
        live.log({"loss": 0.25})
    with runhaven.init(project="p", id="live", resume="must") as live:
        live.log({"loss": 0.125})
    found.refresh()

    for one in (found, *again(found)):
        assert list(column(one, "loss").values()) == [1.0, 0.5, 0.25, 0.125]
        assert one.summary["loss"] == 0.125
        assert "los" not in one.summary


# Corrections


@pytest.mark.parametrize(("key", "value"), [("loss", 99.5), ("epoch", 7), ("epoch", 7.5), ("acc", None)])
def test_a_correction_shows_everywhere(run, key, value):
    """Curve, rows and buckets have the corrected value or, for None, no point; all other points are as they were."""
    run.scan_history()
    before = column(run, key)
    run.correct(key, 4, value, note="typo")
    expected = {step: old for step, old in before.items() if step != 4} | ({} if value is None else {4: value})

    for found in (run, *again(run)):
        assert column(found, key) == expected
        curve = found.curve(key)
        assert dict(zip(curve.x.tolist(), curve.last.tolist(), strict=True)) == pytest.approx(expected)
        buckets = found.history(samples=5, keys=[key], pandas=False)
        assert max(row[f"{key}.max"] for row in buckets) == max(expected.values())
        assert sum(f"{key}.max" in row for row in buckets) == 5
        assert next(one for one in found.series() if one.key == key).count == len(expected)
        assert found.edits[-1] | {"key": key, "step": 4, "value": value, "note": "typo"} == found.edits[-1]
        assert found.state == "finished"
    assert run.directory.journal.exists()


def test_a_correction_moves_the_points_of_an_axis(run):
    """A series that is the x of others is corrected there too; a point without an x is left out."""
    run.correct("epoch", 9, 100)
    run.correct("epoch", 0, None)
    curve = run.curve("loss", x="epoch")

    assert (len(curve), curve.x[-1], curve.last[-1]) == (9, 100.0, 1.0)


def test_a_correction_reaches_the_summary(run):
    """Last value and aggregates are summed up anew; a later correction stands over an earlier one."""
    run.correct("loss", 9, 3.25)
    run.correct("acc", 9, 0.0)
    run.correct("acc", 8, 5.0)

    for found in (run, *again(run)):
        assert found.summary["loss"] == 3.25
        assert found.summary["acc.max"] == 5.0
        assert found.summary["acc.mean"] == pytest.approx((sum(range(8)) / 10 + 5.0) / 10)
    run.correct("loss", 9, None)
    run.correct("acc", 8, 0.8)
    assert (again(run)[0].summary["loss"], again(run)[0].summary["acc.max"]) == (2.0, 0.8)


def test_texts_are_corrected_by_texts(run):
    """A correction is of the series' own kind, and about a step that the series has."""
    run.correct("text", 2, "better")

    assert column(again(run)[0], "text")[2] == "better"
    assert run.history(samples=4, keys=["text"], pandas=False)[0]["text"] == "better"
    with pytest.raises(UsageError, match="holds texts"):
        run.correct("text", 2, 5)
    with pytest.raises(UsageError, match="holds numbers"):
        run.correct("loss", 2, "five")
    with pytest.raises(NotFoundError, match="at step 77; its steps go from 0 to 9"):
        run.correct("loss", 77, 1.0)
    with pytest.raises(NotFoundError, match="never logged"):
        run.correct("lss", 2, 1.0)


def test_a_value_that_is_not_finite_can_be_put_in(run):
    """NaN is a value, not an absence."""
    run.correct("loss", 4, float("nan"))
    curve = again(run)[1].curve("loss")

    assert np.isnan(column(run, "loss")[4])
    assert (len(curve), int(curve.nonfinite.sum())) == (10, 1)


def test_a_correction_follows_its_series_to_another_name(run):
    """What was corrected under one name is corrected under the next, and the freed name has no correction."""
    run.correct("loss", 4, 99.0)
    run.rename_metric("loss", "train/loss")
    run.rename_metric("acc", "loss")

    for found in again(run):
        assert column(found, "train/loss")[4] == 99.0
        assert column(found, "loss")[4] == 0.4


def test_what_is_logged_later_is_not_corrected(run):
    """A late row at a corrected step says what it says."""
    run.correct("loss", 4, None)
    run.log({"loss": 1.25}, step=4)

    assert column(again(run)[0], "loss")[4] == 1.25
    assert run.curve("loss", start=4, stop=4).last.tolist() == [1.25]


def test_corrections_of_long_runs_agree(write_run):
    """Buckets that are made without rows are those that are made of rows, with corrections of every kind."""
    from runhaven.api.history import Scan, bucket_rows

    written = write_run()
    written.session()
    for step in range(400):
        written.log({"a": step} if step % 3 else {"a": step, "b": step / 2}, step)
    run = written.close()
    for step, value in ((0, None), (7, 1000.5), (9, None), (399, -1), (398, None)):
        run.correct("a", step, value)
    run.correct("b", 9, None)
    rows = list(Scan(run._data, stream="", origin_us=run.created).rows())

    assert run.history(samples=20, pandas=False) == bucket_rows(rows, 20)
    assert 9 not in {row["_step"] for row in rows}


# The run as a whole


def test_a_run_is_moved_copied_and_deleted(write, store):
    """`Api` finds it where it is by then; a copy is a run of its own; a deleted one can be brought back."""
    write("a").close()
    api = Api(store)
    run = api.run("a")
    run.move("q", id="b")
    made = run.copy("r", entity="you")

    assert run.path == ["me", "q", "b"]
    assert made.path == ["you", "r", "b"]
    assert {"/".join(one.path) for one in api.runs()} == {"me/q/b", "you/r/b"}
    assert api.run("q/b").ulid == run.ulid
    run.delete()
    assert [one.ulid for one in api.runs()] == [made.ulid]
    api.store.restore(run.ulid)
    run.refresh()
    assert api.run("q/b").edits[-1]["event"] == "restored"


def test_a_running_run_is_deleted_by_force_alone(store):
    """What somebody is still writing is not taken away by mistake."""
    with runhaven.init(project="p", id="live"):
        run = Api().run("live")
        with pytest.raises(UsageError, match="is running"):
            run.delete()

        assert [one.id for one in Api().runs()] == ["live"]
        run.delete(force=True)
        assert not Api().runs()


def test_an_open_run_learns_that_it_was_moved(write, store):
    """Another process's move is seen at the next refresh."""
    write("a").close()
    mine, other = Api(store).run("a"), Api(store).run("a")
    assert mine.project == "p"
    other.move("q")
    mine.refresh()

    assert mine.path == ["me", "q", "a"]


def test_a_running_run_is_stopped_and_waited_for(store):
    """`stop()` interrupts the training's main thread; `wait_until_finished()` returns after its end."""
    code = (
        "import runhaven, time; r = runhaven.init(project='p', id='live'); print('ready', flush=True)\n"
        "try:\n    time.sleep(600)\nexcept KeyboardInterrupt: r.finish(3)"
    )
    process: Any = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    run = Api().run("live")
    run.stop()
    run.wait_until_finished()
    process.communicate()

    assert run.state == "failed"
    with pytest.raises(UsageError, match="is failed"):
        run.stop()


def test_names_of_wandb_are_answered(run):
    """What scripts for W&B's public Api ask of a run is there."""
    assert run.lastHistoryStep == 9
    assert run.system_metrics == {"load": 5}
    assert run.rawconfig == run.config
    assert json.loads(run.json_config)["lr"] == {"value": 0.1, "desc": None}
    assert run.summary_metrics == dict(run.summary)
    assert (run.storage_id, run.username) == (run.ulid, run.user)
    assert run.url == f"/#/r/{run.ulid}/overview"
    assert run.load(force=True)["state"] == "finished"
    run.name = "<b>bold</b>"
    assert "&lt;b&gt;bold" in run.to_html()
    assert "<b>" not in run.to_html(hidden=True)


def test_console_logs_are_wandbs_lines(written):
    """Lines come with number, time, level and content; `last` leaves the older ones out."""
    written.event("console", stream="stdout", lines=[[written.time_us, "one"]])
    written.event("console", stream="stderr", lines=[[written.time_us + 5, "two"]])
    lines = written.close().console_logs()

    assert [(line.number, line.level, line.label, line.content) for line in lines] == [
        (1, "info", "stdout", "one"),
        (2, "error", "stderr", "two"),
    ]
    assert lines[0].timestamp.timestamp() == pytest.approx(written.time_us / 1e6, abs=1e-2)
    assert [line.content for line in written.read().console_logs(last=1)] == ["two"]


def test_edits_come_in_the_order_of_time(run):
    """Each change is listed once, with who made it and when."""
    started = time.time()
    run.name = "n"
    run.update()
    run.rename_metric("loss", "l")
    run.correct("l", 0, 1.0)

    for found in (run, *again(run)):
        assert [edit["event"] for edit in found.edits] == ["meta", "rename", "correction"]
        times = [edit["time"] for edit in found.edits]
        assert times == sorted(times)
        assert times[0] > started - 1
        assert all(edit["user"] and edit["host"] for edit in found.edits)
