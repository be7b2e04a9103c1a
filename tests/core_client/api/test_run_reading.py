from __future__ import annotations

import time

import pytest

from runhaven.metric import Metric


def snapshot(written, summary, step, **counts):
    written.event("snapshot", summary=summary, counts=counts, step=step)


def both(written):
    """Return the run once without and once with its rows read."""
    light, full = written.read(), written.read()
    full.series()
    return light, full


def test_an_empty_run_is_readable(written):
    """A run that has only started has an id for a name and nothing else."""
    run = written.close()

    assert (run.name, run.tags, run.notes, run.config, run.last_step) == ("abc", [], "", {}, None)
    assert (run.summary, run.alerts, run.exception, run.incomplete) == ({}, [], None, None)
    assert run.path == ["me", "p", "abc"]
    assert run.series() == []
    assert run.logs() == []


def test_a_run_without_a_journal_is_readable(written):
    """A run whose journals are missing still says what its manifest does."""
    written.close()
    for path in written.directory.journal.iterdir():
        path.unlink()
    run = written.read()

    assert (run.id, run.name, run.state) == ("abc", "abc", "running")
    assert list(run.scan_history()) == []


def test_the_last_word_on_config_and_meta_counts(written):
    """Top-level keys of the configuration are replaced whole; a deleted key is gone; the history tells each change."""
    written.event("config", set={"lr": 0.1, "model": {"depth": 2, "width": 8}}, delete=[], step=0)
    written.event("meta", set={"name": "calm-reef-1", "tags": ["a"]})
    written.session(resumed=True)
    written.event("config", set={"model": {"depth": 3}, "bound": {"_type": "float", "value": "inf"}}, delete=["lr"])
    written.event("meta", set={"tags": ["b"], "notes": "again"})
    run = written.close()

    assert run.config == {"model": {"depth": 3}, "bound": float("inf")}
    assert (run.name, run.tags, run.notes) == ("calm-reef-1", ["b"], "again")
    assert [change["set"].keys() for change in run.config_history] == [{"lr", "model"}, {"model", "bound"}]


def test_within_a_process_the_later_record_counts(written):
    """A clock that is set back does not bring an old value back."""
    written.event("config", set={"lr": 0.1}, delete=[])
    written.log({"loss": 0.1}, 0)
    written.time_us -= 10**9
    written.event("config", set={"lr": 0.2}, delete=[])
    written.log({"loss": 0.2}, 1)
    run = written.close()

    assert run.config == {"lr": 0.2}
    assert run.summary["loss"] == 0.2


def test_what_the_user_wrote_into_the_summary_counts(written):
    """A summary value of the user's stands over computed ones; a deleted key is gone."""
    written.log({"acc": 0.5, "loss": 1.0}, 0)
    written.event("summary", set={"acc": 0.9, "best": 3}, delete=["loss"])
    written.log({"acc": 0.6, "loss": 0.5}, 1)

    for run in both(written):
        assert run.summary == {"acc": 0.9, "best": 3}
    written.close()


def test_a_summary_is_the_snapshot_and_the_rows_after_it(written):
    """With or without the rows, aggregates count every value once."""
    written.event("metric", **Metric("loss", summary=("min", "max", "mean")).to_event() | {"event": "metric"})
    written.log({"loss": 4.0, "acc": 0.1}, 0)
    written.log({"loss": 2.0}, 1)
    snapshot(written, {"loss.min": 2.0, "loss.max": 4.0, "loss.mean": 3.0, "acc": 0.1}, 2, loss=2)
    written.log({"loss": 9.0, "acc": 0.2}, 2)
    before = [run.summary for run in both(written)]
    written.session(resumed=True)
    written.log({"loss": 1.0}, 3)
    snapshot(written, {"loss.min": 1.0, "loss.max": 9.0, "loss.mean": 4.0, "acc": 0.2}, 4, loss=4)
    written.log({"loss": 14.0}, 4)
    after = [run.summary for run in both(written)]
    written.close()

    assert before == [{"acc": 0.2, "loss.min": 2.0, "loss.max": 9.0, "loss.mean": 5.0}] * 2
    assert after == [{"acc": 0.2, "loss.min": 1.0, "loss.max": 14.0, "loss.mean": 6.0}] * 2
    assert after[0]["loss"]["mean"] == 6.0


def test_a_follower_repeats_but_does_not_decide(written):
    """What a process that joined sums up does not stand over the owner's newer values."""
    owner = written.writers[0]
    written.log({"loss": 1.0}, 0)
    follower = written.session(role="follower")
    written.log({"loss": 0.5}, 1, writer=owner)
    written.event("snapshot", writer=follower, summary={"loss": 1.0}, counts={}, step=0)

    for run in both(written):
        assert run.summary["loss"] == 0.5
        assert run.last_step == 1
    written.close()


def test_a_misspelt_summary_key_is_answered(written):
    """A key that is not there raises with the keys that are near."""
    written.log({"accuracy": 1.0}, 0)
    run = written.close()

    with pytest.raises(KeyError, match="did you mean 'accuracy'"):
        run.summary["acuracy"]
    assert run.summary.get("acuracy") is None


def test_lines_are_numbered_in_the_order_of_time(written):
    """Lines of several processes are one log; a part of it is asked for by number."""
    first = written.writers[0]
    second = written.session(role="child")
    written.event("console", writer=second, stream="stderr", lines=[[20, "two"], [40, "four"]])
    written.event("console", writer=first, stream="stdout", lines=[[10, "one"], [30, "three"]])
    run = written.close()

    assert [(line.number, line.stream, line.text) for line in run.logs()] == [
        (1, "stdout", "one"),
        (2, "stderr", "two"),
        (3, "stdout", "three"),
        (4, "stderr", "four"),
    ]
    assert [line.text for line in run.logs(after=1, limit=2)] == ["three", "four"]
    assert (run.logs(after=4), run.logs(limit=0), run.log_count) == ([], [], 4)


def test_only_the_newest_lines_are_kept(written, monkeypatch):
    """Memory for lines is bounded; numbers go on counting."""
    monkeypatch.setattr("runhaven.store.console.Console.__init__.__kwdefaults__", {"limit": 3})
    written.event("console", stream="stdout", lines=[[number, str(number)] for number in range(1, 11)])
    run = written.close()

    assert [(line.number, line.text) for line in run.logs()] == [(8, "8"), (9, "9"), (10, "10")]
    assert [line.number for line in run.logs(after=9)] == [10]
    assert run.log_count == 10


def test_the_exception_is_the_one_that_ended_this_session(written):
    """The first fatal exception counts; once the run was resumed, it is history."""
    written.event("exception", type="Warn", message="", traceback="", thread="t", fatal=False)
    written.event("exception", type="ValueError", message="boom", traceback="", thread="t", fatal=True)
    written.event("exception", type="Other", message="", traceback="", thread="t", fatal=True)
    before = written.read().exception
    written.session(resumed=True)
    after = written.close().exception

    assert before is not None
    assert before["type"] == "ValueError"
    assert after is None


def test_what_processes_lost_adds_up(written):
    """Lost rows of all processes are summed."""
    written.event("incomplete", reason="disk full", lost_rows=3)
    written.event("incomplete", reason="disk full", lost_rows=5)
    written.session(resumed=True)
    written.event("incomplete", reason="disk slow", lost_rows=2)

    assert written.close().incomplete == {"reason": "disk slow", "lost_rows": 7}


def test_events_that_make_no_sense_are_damage(written):
    """Unknown events are passed over, broken ones are reported; neither keeps the run from being read."""
    written.event("from the future", shape=7)
    written.event("console", lines=5)
    written.event("config", set=[1])
    written.event("finish", exit_code="many")
    written.event("alert", title="t", text="", level="INFO")
    run = written.close()

    assert len(run.damage) == 3
    assert "console" in run.damage[0].reason
    assert [alert["title"] for alert in run.alerts] == ["t"]


def test_the_facts_of_a_run(written):
    """User, host, environment, devices, metrics and axes are what the journals say."""
    written.session(resumed=True, user="ada", host="reef")
    written.event("environment", set={"python": "3.11"})
    written.event("device", stream="node=reef", attributes={"gpu/0": {"name": "H100"}})
    written.event("metric", **Metric("val/*", step_metric="epoch", hidden=True).to_event() | {"event": "metric"})
    written.log({"val/acc": 0.5, "epoch": 1}, 0)
    run = written.close()
    series = {one.key: one for one in run.series()}

    assert (run.user, run.host) == ("ada", "reef")
    assert run.metadata == {"python": "3.11", "devices": {"node=reef": {"gpu/0": {"name": "H100"}}}}
    assert list(run.metrics) == ["val/*"]
    assert (series["val/acc"].axis, series["val/acc"].is_hidden, series["epoch"].axis) == ("epoch", True, None)
    assert (series["epoch"].type, series["epoch"].last, series["epoch"].count) == ("i", 1, 1)


def test_a_refresh_takes_in_what_is_new(written):
    """`refresh` tells whether anything came, and what was read shows it."""
    run = written.read()
    first = run.refresh()
    idle = run.refresh()
    written.log({"a": 1.0}, 7)
    grown = run.refresh()

    assert (first, idle, grown) == (True, False, True)
    assert run.last_step == 7
    written.close()


def test_signs_of_life_outweigh_a_wrong_clock(written):
    """A run on a host whose clock is late is running as long as its journal grows."""
    written.time_us = time.time_ns() // 1000 - 10**9
    written.event("heartbeat")
    run = written.read()
    before = run.state
    written.event("heartbeat")
    run.refresh()

    assert (before, run.state) == ("lost", "running")
    written.close()
