"""Going back to a step: a run that is rewound, and a new run that forks off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import runhaven

if TYPE_CHECKING:
    from collections.abc import Iterator

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="FIFOs and SIGKILL")


def stored(run: runhaven.Run | str):
    return runhaven.Api().run(run if isinstance(run, str) else run.path)


def values(run, key: str = "a", **asked: Any) -> list[tuple[int, Any]]:
    return [(row["_step"], row[key]) for row in run.scan_history(**asked) if key in row]


def train(steps: int, **arguments: Any) -> runhaven.Run:
    """Log `steps` rows from where the run stands, and finish it."""
    run = runhaven.init(project="p", **arguments)
    for _ in range(steps):
        run.log({"a": float(run.step)})
    run.finish()
    return run


# Rewinding


def test_a_rewound_run_goes_on_behind_the_step():
    """Rows up to the step stay, later ones are hidden from every way of reading, and the counter goes on."""
    train(10, id="abc", name="n", config={"lr": 1})
    run = runhaven.init(project="p", resume_from="abc?_step=4")

    assert (run.id, run.resumed, run.step, run.starting_step, run.name, run.config.lr) == ("abc", True, 5, 5, "n", 1)
    assert stored(run).last_step == 4
    run.log({"a": 50.0})
    run.finish()
    found = stored(run)
    expected = [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 50.0)]
    assert values(found) == expected
    assert [(row["_step"], row["a"]) for row in found.history(pandas=False)] == expected
    assert [row["a.max"] for row in found.history(samples=3, pandas=False)] == [1.0, 3.0, 50.0]
    curve = found.curve("a")
    assert list(zip(curve.x.tolist(), curve.last.tolist(), strict=True)) == expected
    (series,) = found.series()
    assert (series.count, series.step_min, series.step_max, series.last) == (6, 0, 5, 50.0)
    assert (found.last_step, found.state, found.summary["a"]) == (5, "finished", 50.0)


def test_what_a_rewind_hides_can_still_be_read():
    """`keep="all"` shows every row that was logged; any other word is refused."""
    train(4, id="abc")
    train(1, resume_from="abc?_step=1")
    found = stored("p/abc")

    assert values(found, keep="all") == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0), (2, 2.0)]
    assert [row["a"] for row in found.history(pandas=False, keep="all")] == [0.0, 1.0, 2.0, 2.0, 3.0]
    assert found.curve("a", keep="all").last.tolist() == [0.0, 1.0, 2.0, 2.0, 3.0]
    with pytest.raises(runhaven.UsageError, match="'latest' or 'all'"):
        found.curve("a", keep="some")  # pyright: ignore[reportArgumentType]


def test_a_series_that_begins_behind_the_step_is_gone():
    """A key that was first logged behind the step is no series and no summary any more; its rows are still there."""
    run = runhaven.init(project="p", id="abc")
    run.log({"a": 1})
    run.log({"late": 2, "b": "word"})
    run.finish()
    runhaven.init(project="p", resume_from="abc?_step=0").finish()
    found = stored("p/abc")

    assert [series.key for series in found.series()] == ["a"]
    assert found.summary == {"a": 1}
    assert list(found.scan_history(["late"])) == []
    assert found.history(keys=["late"], pandas=False) == []
    assert values(found, "late", keep="all") == [(1, 2)]


def test_the_summary_is_what_the_rows_come_to():
    """Newest values and aggregates are made anew of the rows in sight, in the live run and in the store alike."""
    run = runhaven.init(project="p", id="abc")
    run.define_metric("a", summary="min,max,mean,first,last")
    run.define_metric("b", summary="best", goal="maximize")
    run.define_metric("c", summary="last")
    for step in range(10):
        run.log({"a": float(step), "b": step % 4, "c": step, "d": "x" * step})
    run.finish()
    run = runhaven.init(project="p", resume_from="abc?_step=2")
    expected = {"a.min": 0, "a.max": 2, "a.mean": 1, "a.first": 0, "a.last": 2, "b.best": 2, "c.last": 2, "d": "xx"}

    assert run.summary.as_dict() == expected
    assert stored(run).summary == expected
    run.log({"a": -3.0, "b": 1})
    assert run.summary.as_dict() == expected | {"a.min": -3, "a.mean": 0, "a.last": -3}
    assert stored(run).summary == expected | {"a.min": -3, "a.mean": 0, "a.last": -3}
    run.finish()
    assert stored(run).summary == expected | {"a.min": -3, "a.mean": 0, "a.last": -3}


def test_words_about_the_summary_stand_if_they_came_before_the_step_was_passed():
    """What the user wrote into the summary, or took out, goes back with the rows."""
    run = runhaven.init(project="p", id="abc")
    run.log({"a": 1, "b": 1})
    run.summary["best"] = "early"
    del run.summary["b"]
    run.log({"a": 2})
    run.summary["best"] = "late"
    run.summary["more"] = 1
    run.finish()
    run = runhaven.init(project="p", id="abc", resume="must")
    run.summary["at the start of a later session"] = 1
    run.finish()
    run = runhaven.init(project="p", resume_from="abc?_step=0")
    run.log({"a": 3})
    run.finish()

    assert stored(run).summary == {"a": 3, "best": "early"}


def test_rewinds_follow_each_other():
    """Each rewind goes back from what was in sight, to a step of any session, also after a resume."""
    train(4, id="abc")
    train(4, id="abc", resume="must")
    train(2, resume_from="abc?_step=5")
    assert [step for step, _ in values(stored("p/abc"))] == [0, 1, 2, 3, 4, 5, 6, 7]
    train(1, resume_from="abc?_step=6")
    train(1, resume_from="abc?_step=1")
    found = stored("p/abc")

    assert [step for step, _ in values(found)] == [0, 1, 2]
    assert len(values(found, keep="all")) == 12
    assert (found.last_step, found.summary["a"]) == (2, 2.0)
    assert train(1, id="abc", resume="must").starting_step == 3
    assert [step for step, _ in values(stored("p/abc"))] == [0, 1, 2, 3]


def test_a_reader_notices_a_rewind():
    """A run that is being read shows the rewind with the next refresh, rows and summary."""
    train(6, id="abc")
    found, light = stored("p/abc"), stored("p/abc")
    assert (len(values(found)), light.summary["a"]) == (6, 5.0)
    train(1, resume_from="abc?_step=2")
    assert found.refresh()
    assert light.refresh()

    assert values(found) == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0)]
    assert (found.summary, found.last_step) == (light.summary, light.last_step) == ({"a": 3.0}, 3)


def test_a_step_that_was_never_reached_is_accepted_with_a_word(capfd, monkeypatch):
    """The counter goes on behind the step that was named, and it is said that the run had not come so far."""
    train(3, id="abc")
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    run = train(1, resume_from="abc?_step=100")

    assert (run.starting_step, values(stored(run))[-1]) == (101, (101, 101.0))
    assert "had reached step 2, not 100" in capfd.readouterr().err


# Forking


def test_a_fork_has_the_history_up_to_the_step():
    """Rows, configuration and rules are the parent's, the run is another one, and the parent stays as it was."""
    run = runhaven.init(project="p", id="abc", config={"lr": 1, "seed": 2})
    run.define_metric("a", summary="max")
    for step in range(6):
        run.log({"a": float(step)})
    run.finish()
    fork = runhaven.init(project="p", id="fork", fork_from="abc?_step=3", config={"lr": 9})
    assert (fork.id, fork.resumed, fork.step, dict(fork.config.items())) == ("fork", False, 4, {"lr": 9, "seed": 2})
    fork.log({"a": 1.0})
    fork.finish()
    found, parent = stored(fork), stored(run)

    assert values(found) == [(0, 0.0), (1, 1.0), (2, 2.0), (3, 3.0), (4, 1.0)]
    assert list(found.scan_history())[:4] == list(parent.scan_history())[:4]
    assert (found.summary, found.metrics["a"].summary, found.last_step) == ({"a.max": 3.0}, ("max",), 4)
    assert found.parent is not None
    assert (found.parent.path, found.parent.step, found.parent.run) == (parent.path, 3, parent.ulid)
    assert (found.damage, found.incomplete, found.config) == ([], None, {"lr": 9, "seed": 2})
    assert values(parent) == [(step, float(step)) for step in range(6)]
    assert (parent.parent, parent.config["lr"], parent.summary) == (None, 1, {"a.max": 5.0})


def test_a_fork_takes_nothing_over_that_tells_of_its_parents_processes(tmp_path):
    """Name, notes, tags, group, state, alerts, exceptions, console, environment and files are the fork's own."""
    (tmp_path / "kept.txt").write_text("x")
    said: dict[str, Any] = {"name": "parent", "notes": "n", "tags": ["t"], "group": "g", "job_type": "j"}
    run = runhaven.init(project="p", id="abc", **said)
    run.log({"a": 1})
    run.alert("trouble")
    run.write_logs("printed")
    run.save(str(tmp_path / "kept.txt"))
    with pytest.raises(RuntimeError), run:
        raise RuntimeError
    parent = stored(run)
    assert (parent.state, parent.log_count, len(parent.alerts), parent.exception is None) == ("failed", 1, 1, False)
    fork = runhaven.init(project="p", fork_from="abc?_step=0", settings={"code": False, "console": "off"})
    found = stored(fork)

    assert found.name == fork.name != "parent"
    assert (found.notes, found.tags, found.group, found.job_type) == ("", [], "", "")
    assert (found.state, found.alerts, found.exception, found.logs(), found.metadata) == ("running", [], None, [], {})
    assert list(found.directory.files.iterdir()) == []
    assert found.summary == {"a": 1}
    fork.finish()
    assert stored(fork).state == "finished"


def test_a_fork_can_be_resumed_rewound_and_forked():
    """A fork is a run like any other, also for going back in what it took over."""
    train(6, id="abc")
    train(3, id="one", fork_from="abc?_step=3")
    train(2, id="two", fork_from="one?_step=5")
    train(1, id="two", resume="must")
    two = stored("p/two")
    assert values(two) == [(step, float(step)) for step in range(9)]
    assert two.parent is not None
    assert two.parent.id == "one"
    train(1, resume_from="two?_step=1")
    train(1, id="three", fork_from="two?_step=0")

    assert [step for step, _ in values(stored("p/two"))] == [0, 1, 2]
    assert [step for step, _ in values(stored("p/three"))] == [0, 1]
    assert [len(values(stored(f"p/{run}"))) for run in ("abc", "one")] == [6, 7]
    first, last = (next(iter(stored(f"p/{run}").scan_history())) for run in ("abc", "three"))
    assert first == last


def test_a_fork_outlives_its_parent():
    """What a fork took over lies in its own directory."""
    train(3, id="abc")
    train(1, id="fork", fork_from="abc?_step=1")
    api = runhaven.Api()
    api.store.remove(api.run("p/abc").directory)

    assert [step for step, _ in values(stored("p/fork"))] == [0, 1, 2]


def test_a_fork_may_go_to_another_project():
    """The parent is named with its project; the fork goes where `project` says, else to its parent's."""
    train(2, id="abc")

    assert train(0, id="same", fork_from="p/abc?_step=0").project == "p"
    with runhaven.init(fork_from="p/abc?_step=0") as fork:
        assert fork.project == "p"
    with runhaven.init(project="q", fork_from=f"{fork.entity}/p/abc?_step=0") as fork:
        assert (fork.project, stored(fork).summary) == ("q", {"a": 0.0})
    with runhaven.init(project="q", resume_from="p/abc?_step=0") as run:
        assert (run.project, run.step) == ("p", 1)


def test_sealed_rows_go_with_a_fork():
    """What was sealed of the parent is copied with the journals, and nothing else of its directory."""
    run = train(2, id="abc")
    place = Path(run.sync_dir)
    (place / "sealed" / "deep").mkdir(parents=True)
    (place / "sealed" / "deep" / "points.parquet").write_bytes(b"x")
    (place / "other").mkdir()
    fork = Path(train(0, id="fork", fork_from="abc?_step=0").sync_dir)

    assert (fork / "sealed" / "deep" / "points.parquet").read_bytes() == b"x"
    assert not (fork / "other").exists()


# Parents that live, and that died


ENDLESS = """
    import sys, time, runhaven

    run = runhaven.init(project="p", id="abc", name="parent")
    run.define_metric("a", summary="max")
    for step in range(10**9):
        run.log({"a": step, "b": float(step)})
        if step == 5000:
            print("ready", flush=True)
        if step > 5000:
            time.sleep(0.00002)
"""


@pytest.fixture
def endless() -> Iterator[subprocess.Popen[str]]:
    """A process that logs without end, 5000 rows ahead."""
    command = [sys.executable, "-c", textwrap.dedent(ENDLESS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child
        child.kill()


def test_a_running_run_is_forked_from_another_process(endless):
    """A fork of a run that goes on being written is whole up to its step, at any moment; the parent notices nothing."""
    for moment in range(12):
        step = (moment % 2 and 5000) or stored("p/abc").last_step or 0
        with runhaven.init(project="p", fork_from=f"abc?_step={step}") as fork:
            fork.log({"a": -1})
        found = stored(fork)

        assert values(found) == [*((at, at) for at in range(step + 1)), (step + 1, -1)]
        assert (found.summary, found.damage, found.state) == ({"a.max": step, "b": float(step)}, [], "finished")
    parent = stored("p/abc")
    rows = values(parent)
    assert rows == [(at, at) for at in range(len(rows))]
    assert (parent.state, parent.damage) == ("running", [])


def test_a_killed_run_is_rewound_and_forked(endless):
    """Rows that lie in the tail of a killed process alone are there for a fork, and for a rewind."""
    endless.kill()
    endless.wait()
    last = stored("p/abc").last_step
    assert last is not None
    fork, run = (train(1, **asked) for asked in ({"fork_from": f"abc?_step={last}"}, {"resume_from": "abc?_step=4990"}))

    assert [step for step, _ in values(stored(fork))] == list(range(last + 2))
    assert [step for step, _ in values(stored(run))] == list(range(4992))
    assert (stored(fork).state, stored(run).state, stored(fork).name != "parent") == ("finished", "finished", True)


@LINUX
def test_a_fork_that_dies_half_way_is_no_run():
    """A process that is killed while it copies leaves nothing that lists, and the id free."""
    journal = Path(train(3, id="abc").sync_dir) / "journal"
    os.mkfifo(journal / "zzz.rhj")
    code = "import runhaven; runhaven.init(project='p', id='fork', fork_from='abc?_step=1')"
    child = subprocess.Popen([sys.executable, "-c", code])
    # The copying process waits here for somebody to write into the FIFO: it is known to be half way.
    with (journal / "zzz.rhj").open("wb"):
        child.kill()
        child.wait()
    (journal / "zzz.rhj").unlink()

    assert [run.id for run in runhaven.Api().runs()] == ["abc"]
    assert values(stored(train(0, id="fork", fork_from="abc?_step=1"))) == [(0, 0.0), (1, 1.0)]


def test_a_fork_whose_process_never_spoke_shows_no_more_than_its_history():
    """Should it die between the copies and its first event, the rows after the step are hidden all the same."""
    train(5, id="abc")
    fork = stored(train(2, id="fork", fork_from="abc?_step=1"))
    assert fork.parent is not None
    for path in fork.directory.journal.iterdir():
        if path.name.split(".")[0] not in fork.parent.writers:
            path.unlink()
    found = stored("p/fork")

    assert [step for step, _ in values(found)] == [0, 1]
    assert (found.state, found.name, found.summary) == ("running", "fork", {})


def test_a_fork_that_cannot_be_made_leaves_nothing(store):
    """When a file cannot be copied, the error says so and the new directory is gone."""
    journal = Path(train(1, id="abc").sync_dir) / "journal"
    (journal / "zzz.rhj").mkdir()
    with pytest.raises(runhaven.Error, match="cannot be written"):
        runhaven.init(project="p", fork_from="abc?_step=0")

    assert len([*store.glob("runs/*/*")]) == 1


# Arguments


@pytest.mark.parametrize("argument", ["resume_from", "fork_from"])
@pytest.mark.parametrize(
    "text",
    [
        *("abc", "?_step=1", "abc?", "abc?_step=", "abc?_step=x", "abc?_step=-1", "abc?_step=1.5", "abc?loss=3"),
        *("a//b?_step=1", "a/b/c/d?_step=1", "abc?_step=1?_step=2", "abc?_step=" + "9" * 30),
    ],
)
def test_text_that_names_no_step_is_refused(argument, text):
    """The error shows the form that is right."""
    train(1, id="abc")

    with pytest.raises(runhaven.UsageError, match=r"<id>\?_step=<n>"):
        runhaven.init(project="p", **{argument: text})


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"resume_from": "abc?_step=0", "fork_from": "abc?_step=0"}, "resume_from and fork_from exclude each other"),
        ({"resume_from": "abc?_step=0", "resume": "allow"}, "resume and resume_from exclude each other"),
        ({"fork_from": "abc?_step=0", "resume": True}, "resume and fork_from exclude each other"),
        ({"resume_from": "abc?_step=0", "id": "other"}, "leave id out"),
        ({"fork_from": "abc?_step=0", "id": "abc"}, "choose another id"),
        ({"fork_from": "abc?_step=0", "id": "taken"}, "exists already"),
        ({"fork_from": "abc?_step=0", "id": "a/b"}, "holds '/'"),
    ],
)
def test_arguments_that_contradict_each_other_are_refused(asked, reason):
    """Only one way of going on can be asked for, and ids must fit it."""
    train(1, id="abc")
    train(0, id="taken")

    with pytest.raises(runhaven.UsageError, match=reason):
        runhaven.init(project="p", **asked)
    assert len(runhaven.Api().runs()) == 2


def test_a_run_that_is_not_there_is_looked_for():
    """The error names runs that could have been meant, written as they must be."""
    train(1, id="baseline", name="calm-reef-1")
    for project, text in (("p", "baselime?_step=7"), ("p", "calm-reef-1?_step=7")):
        with pytest.raises(runhaven.CommError, match=r"Did you mean 'baseline\?_step=7' \(calm-reef-1\)"):
            runhaven.init(project=project, resume_from=text)
    with pytest.raises(runhaven.CommError, match=r"Did you mean '.+/p/baseline\?_step=7'"):
        runhaven.init(project="q", fork_from="baseline?_step=7")

    with pytest.raises(runhaven.CommError, match="runhaven ls"):
        runhaven.init(project="p", fork_from="zzz?_step=7")


def test_settings_say_it_too(monkeypatch):
    """`Settings`, a dict of settings and the environment take the same text as the arguments of `init`."""
    train(3, id="abc")
    with runhaven.init(project="p", settings=runhaven.Settings(fork_from="abc?_step=1")) as run:
        assert (run.step, run.settings.fork_from) == (2, "abc?_step=1")
    with runhaven.init(settings={"resume_from": "p/abc?_step=1"}) as run:
        assert (run.id, run.step) == ("abc", 2)
    monkeypatch.setenv("RUNHAVEN_RESUME_FROM", "p/abc?_step=0")
    with runhaven.init() as run:
        assert (run.id, run.step) == ("abc", 1)
    monkeypatch.delenv("RUNHAVEN_RESUME_FROM")
    monkeypatch.setenv("WANDB_FORK_FROM", "p/abc?_step=0")
    with runhaven.init() as run:
        assert (run.id != "abc", run.step) == (True, 1)


def test_an_active_run_is_not_left_behind_in_silence(capfd, monkeypatch):
    """While a run is active, `init` returns it, and says that it did not fork."""
    train(1, id="abc")
    monkeypatch.setenv("RUNHAVEN_SILENT", "0")
    active = runhaven.init(project="p")

    assert runhaven.init(project="p", fork_from="abc?_step=0") is active
    assert "finish() it first" in capfd.readouterr().err


def test_a_disabled_run_goes_nowhere():
    """A run that keeps nothing needs no parent."""
    with runhaven.init(mode="disabled", fork_from="abc?_step=3") as run:
        assert run.disabled


def test_the_events_say_what_happened():
    """The session's `start` carries the rewind and what the rows up to there come to; a fork's also where it is from."""
    run = runhaven.init(project="p", id="abc")
    run.log({"a": float("nan"), "secret": "api_key=AKIA1234567890123456"})
    run.log({"a": 2.0})
    run.finish()
    fork = train(0, fork_from="abc?_step=0")
    found = stored(fork)
    newest = found._facts.newest
    assert newest is not None
    start = json.loads(json.dumps(newest.start))

    assert (start["role"], start["resumed"], start["rewind"], start["step"]) == ("main", False, 0, 1)
    assert start["fork"] == {"run": stored(run).ulid, "id": "abc", "step": 0}
    assert start["summary"]["a"] == {"_type": "float", "value": "nan"}
    assert (start["last_step"], start["set"], start["delete"]) == (0, {}, [])
