from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhaven.api.history import bucketed
from runhaven.errors import NotFoundError

FEW = settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
OTHERS = st.one_of(st.floats(), st.booleans(), st.text(max_size=8), st.none(), st.lists(st.integers(), max_size=2))
KEYS = st.sampled_from(["a", "b", "c/ä", ""])


def rows_of(integers):
    return st.lists(
        st.tuples(st.integers(-3, 12), st.dictionaries(KEYS, st.one_of(OTHERS, integers), max_size=4)), max_size=40
    )


ROWS = rows_of(st.integers(-(2**63), 2**63 - 1))
# Beyond this, a column of integers and floats has no order of its own.
SMALLER = rows_of(st.integers(-(2**53), 2**53))


def same(one, other):
    return repr(one) == repr(other)


def plain(row):
    """Order a bucket's keys, and forget whether an extreme of integers and floats was an integer."""
    return [(key, float(row[key]) if key.endswith((".min", ".max")) else row[key]) for key in sorted(row)]


def merged(rows):
    """What a scan of one session must yield of (step, values)."""
    found = {}
    for step, values in rows:
        found.setdefault(step, {}).update(values)
    return [(step, dict(sorted(values.items()))) for step, values in found.items()]


def bare(rows):
    own = ("_step", "_timestamp", "_runtime")
    return [(row["_step"], {key: row[key] for key in sorted(row) if key not in own}) for row in rows]


@FEW
@given(ROWS, st.booleans())
def test_rows_come_back_as_they_were_logged(write_run, rows, is_open):
    """Every value of every type comes back exactly, rows of one step merged with the last value of a key."""
    written = write_run()
    written.session()
    for step, values in rows:
        written.log(values, step)
    run = written.read() if is_open else written.close()

    assert same(bare(run.scan_history()), merged(rows))
    written.close()


@FEW
@given(ROWS, ROWS)
def test_a_growing_run_reads_like_a_whole_one(write_run, first, second):
    """A run that was followed while it was written shows what a fresh reader finds."""
    written = write_run()
    written.session()
    run = written.read()
    for rows in (first, second):
        for step, values in rows:
            written.log(values, step)
        list(run.scan_history())
        run.refresh()
    fresh = written.close()

    assert same(list(run.scan_history()), list(fresh.scan_history()))
    assert same(run.series(), fresh.series())
    assert same(sorted(run.summary.items()), sorted(fresh.summary.items()))


def test_sessions_come_one_after_the_other(written):
    """Rows are ordered by session, then by when they were logged; times count from the creation of the run."""
    written.log({"a": 1}, 5)
    written.log({"a": 2}, 3)
    written.session(resumed=True)
    written.log({"a": 3}, 4)
    run = written.close()
    rows = list(run.scan_history())

    assert [row["a"] for row in rows] == [2, 3]
    assert rows[-1]["_timestamp"] == written.time_us / 1e6
    assert rows[-1]["_runtime"] == (written.time_us - run.created) / 1e6


def test_keys_and_steps_narrow_a_scan(written):
    """`keys` keeps the rows that have them all; `min_step` counts, `max_step` does not."""
    for step in range(6):
        written.log({"a": step} | ({"b": step} if step % 2 else {}), step)
    run = written.close()

    assert list(run.scan_history(["b"])) == [{"_step": step, "b": step} for step in (1, 3, 5)]
    assert [row["_step"] for row in run.scan_history(min_step=2, max_step=4)] == [2, 3]
    assert list(run.scan_history(["never"])) == []


def test_the_load_of_a_machine_is_never_hidden(written):
    """Later sessions count their samples from 0 again: neither they nor a rewind hide those of earlier ones."""
    for step in range(3):
        written.log({"a": step}, step)
        written.log({"cpu": step}, step, stream="node=host")
    written.session(resumed=True, rewind=0, summary={"a": 0}, last_step=0)
    written.log({"cpu": 9}, 0, stream="node=host")
    run = written.close()

    assert [row["a"] for row in run.scan_history()] == [0]
    assert [row["cpu"] for row in run.scan_history(stream="node=host")] == [0, 1, 2, 9]
    assert len(run.curve("cpu", stream="node=host")) == 4
    assert [(series.key, series.count) for series in run.series()] == [("a", 1), ("cpu", 4)]


def test_a_row_without_keys_is_hidden_too(written):
    """A rewind hides rows that hold nothing but their step."""
    written.log({}, 0)
    written.log({}, 1)
    written.session(resumed=True, rewind=0, summary={}, last_step=0)
    run = written.close()

    assert [row["_step"] for row in run.scan_history()] == [0]
    assert [row["_step"] for row in run.history(pandas=False)] == [0]


def test_streams_are_apart(written):
    """A machine's load is no part of the run's own rows, and is read by the name of its stream."""
    written.log({"a": 1}, 0)
    written.log({"cpu": 2.0}, 0, stream="node=host")
    run = written.close()

    assert bare(run.scan_history()) == [(0, {"a": 1})]
    assert bare(run.scan_history(stream="node=host")) == [(0, {"cpu": 2.0})]
    assert [series.key for series in run.series("node=host")] == ["cpu"]
    assert "cpu" not in run.summary


def test_a_short_history_is_the_rows(written):
    """With fewer rows than samples nothing is summed up."""
    for step in range(5):
        written.log({"a": step}, step)
    run = written.close()

    assert bare(run.history(pandas=False)) == [(step, {"a": step}) for step in range(5)]


def test_a_long_history_keeps_every_extreme(written):
    """Buckets hold the last value and the exact extremes of theirs, and no spike is lost."""
    for step in range(1000):
        written.log({"a": 1e9 if step == 333 else float(step), "text": f"t{step}"}, step)
    rows = written.close().history(samples=10, pandas=False)

    assert len(rows) == 10
    assert [row["a"] for row in rows] == [float(step) for step in range(99, 1000, 100)]
    assert [row["a.min"] for row in rows] == [float(step) for step in range(0, 1000, 100)]
    assert rows[3]["a.max"] == 1e9
    assert rows[9]["text"] == "t999"


def test_a_history_is_a_data_frame(written):
    """With pandas, the rows come as a data frame."""
    pandas = pytest.importorskip("pandas")
    written.log({"a": 1.0}, 0)
    written.log({"b": 2.0}, 1)
    frame = written.close().history()

    assert isinstance(frame, pandas.DataFrame)
    assert frame["a"].tolist()[0] == 1.0
    assert frame["_step"].tolist() == [0, 1]


@FEW
@given(
    SMALLER,
    st.tuples(SMALLER, st.just({}) | st.fixed_dictionaries({"rewind": st.integers(-1, 5), "summary": st.just({})})),
    st.integers(1, 8),
    st.sampled_from([None, ["a"], ["a", "b"]]),
    st.sampled_from(["_step", "_timestamp", "a"]),
)
def test_columns_and_rows_are_sampled_alike(write_run, rows, resumed, samples, keys, x_axis):
    """With numpy and without, with a resumed or rewound session and any axis, a history is the same."""
    written = write_run()
    written.session()
    written.log(dict.fromkeys("ab", 0.5), 0)
    for step, values in rows:
        written.log(values, step)
    later, rewind = resumed
    written.session(resumed=True, **rewind)
    for step, values in later:
        written.log(values, step)
    run = written.close()
    wanted = keys if keys is None or x_axis.startswith("_") else list(dict.fromkeys([*keys, x_axis]))
    asked: dict[str, Any] = {
        "stream": "",
        "origin_us": run.created,
        "samples": samples,
        "keys": wanted,
        "x_axis": x_axis,
    }
    data = run._data
    quick = bucketed(data, **asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runhaven.api.history.find_spec", lambda _: None)
        slow = bucketed(data, **asked)

    assert same(*([plain(row) for row in found] for found in (quick, slow)))


def test_reading_needs_no_numpy(written, monkeypatch):
    """Without numpy rows, history, summary and logs work; a curve says what to install."""
    for step in range(20):
        written.log({"a": float(step)}, step)
    run = written.close()
    for name in ("runhaven.api.curve", "runhaven.api.points", "runhaven.api.sampling"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.setattr("runhaven.api.history.find_spec", lambda _: None)

    assert len(list(run.scan_history())) == 20
    assert len(run.history(samples=5, pandas=False)) == 5
    with pytest.raises(ImportError, match=r"pip install .*runhaven\[ui\]"):
        run.curve("a")


def test_an_unknown_key_is_named_with_its_neighbours(written):
    """A misspelt key is answered with the key that was meant."""
    written.log({"train/loss": 1.0}, 0)
    run = written.close()

    with pytest.raises(NotFoundError, match="Did you mean 'train/loss'"):
        run.history(keys=["train/los"])


def test_a_scan_goes_on_while_the_run_grows(written):
    """Rows that are logged during a scan do not disturb it."""
    for step in range(10):
        written.log({"a": step}, step)
    run = written.read()
    rows = run.scan_history()
    first = next(rows)
    for step in range(10, 3000):
        written.log({"a": step}, step)
    run.refresh()
    rest = list(rows)
    written.close()

    assert [row["a"] for row in (first, *rest)] == list(range(10))
