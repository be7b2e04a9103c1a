"""Sealing changes nothing of what a run says: before and after, in parts, and without the journals."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import shutil
import stat

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import runhaven
from runhaven.api import Run
from runhaven.sealed import parquet, pyramid, write
from runhaven.sealed.manifest import newest, place_to_read
from runhaven.sealed.seal import _seal_piece, seal
from runhaven.sealed.view import read_view
from runhaven.value import to_json

FEW = settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
VALUES = st.one_of(
    st.floats(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-5, 5),
    st.text(max_size=5),
    st.none(),
    st.lists(st.integers(), max_size=2),
    st.just("\ud800"),
)
KEYS = st.sampled_from(["a", "b", "c/ä", "", "\udfff"])
ROW = st.tuples(
    st.integers(-3, 30),
    st.dictionaries(KEYS, VALUES, max_size=4),
    st.sampled_from(["", "", "", "rank=1", "node=x"]),
)
ACTS = st.lists(
    st.one_of(
        ROW,
        st.sampled_from(
            ["session", "snapshot", "rule", "seal", "fold", "line", "config", "rename", "correct", "remove"]
        ),
    ),
    max_size=40,
)


@pytest.fixture(autouse=True, scope="module")
def _small_pages():
    """Let a few points have many pages, groups and levels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyramid, "BASE", 2)
        patch.setattr(pyramid, "FACTOR", 2)
        patch.setattr(pyramid, "_FEW", 2)
        patch.setattr(pyramid, "_LEAST", 4)
        patch.setattr(write, "POINT_PAGE", 3)
        patch.setattr(write, "CELL_PAGE", 3)
        patch.setattr(parquet, "ROW_GROUP", 7)
        yield


def perform(written, acts):
    """Write a run; return it, and the run as it was followed meanwhile."""
    written.session()
    for act in acts:
        if isinstance(act, tuple):
            step, values, stream = act
            written.log(values, step, stream=stream)
        elif act == "session":
            written.session(resumed=True)
        elif act == "snapshot":
            sum_up(written)
        elif act == "rule":
            written.event("metric", name="a", step_metric="b", summary=["max"])
        elif act == "fold":
            written.writers[-1]._fold(everything=True)
        elif act == "line":
            written.event("console", stream="stdout", lines=[[written.time_us, f"line {written.time_us}"]])
        elif act in ("rename", "correct", "remove"):
            with contextlib.suppress(runhaven.RunhavenError):
                change(Run(written.directory), act)
        elif act == "config":
            written.event("config", set={"lr": written.time_us}, step=1)
        else:
            seal(written.directory)


def sum_up(written):
    """Write what a process knows of its series, by the names that it logs, whatever they were called since."""
    view = read_view(written.directory)
    counts = {key: one.count for key, one in view.aggregates.items()}
    summary = {key: to_json(value) for key, value in view.plain_values.items() if key not in counts}
    for key, one in view.aggregates.items():
        summary |= {f"{key}.{word}": to_json(value) for word, value in one.result().items()}
    written.event("snapshot", summary=summary, counts=counts, last_step=view.last_step)


def change(run: Run, act: str) -> None:
    """Rename or correct what there is under a name that a series has or had."""
    key = next((series.key for series in run.series("")), "a")
    if act == "rename":
        run.rename_metric(key, "z" if key == "a" else "a")
    else:
        for row in itertools.islice(run.scan_history([key]), 1):
            run.correct(key, row["_step"], 7 if act == "correct" else None)


def told(run: Run) -> str:
    """All that a run says."""
    streams = ["default", "rank=1", "node=x"]
    return repr(
        [
            [sorted(row.items()) for stream in streams for row in run.scan_history(stream=stream)],
            [sorted(row.items()) for stream in streams for row in run.history(3, stream=stream, pandas=False)],
            run.series(),
            sorted(run.summary.items()),
            run.config,
            run.config_history,
            run.last_step,
            run.updated,
            run.state,
            [(line.time, line.stream, line.text) for line in run.logs()],
            [curve(run, series.key, series.stream, x) for series in run.series() for x in ("step", "wall", "b")],
        ]
    )


def curve(run: Run, key: str, stream: str, x: str):
    """Return all points of a series."""
    found = run.curve(key, stream=stream, x=x, buckets=1000)
    return [column.tolist() for column in (found.x, found.last, found.min, found.max, found.count, found.nonfinite)]


@FEW
@given(ACTS, st.booleans(), st.sampled_from([1, 300, 1 << 20]))
@example(
    [(0, {"b": None, "c": None}, ""), "session", "rename", (0, {}, ""), "session", (0, {"a": False, "b": 0.0}, "")],
    False,
    1 << 20,
)
@example([(7, {"b": None, "": None}, ""), "rename", (5, {"a": 1.0, "b": "\ud800", "": 0.0}, "")], False, 1 << 20)
@example([(0, {"b": 0.0, "c": 0.0}, ""), "remove"], False, 1 << 20)
@example([(0, {"a": 0.0}, ""), "session", "seal", "rule"], False, 1 << 20)
@example([(0, {"a": 1.0}, ""), "fold", "snapshot", (1, {"a": 3.0}, ""), "fold", "rule", (2, {"a": 2.0}, "")], True, 1)
@example([(0, {"a": None, "b": None}, ""), "snapshot", "rename", "rename", "snapshot"], True, 1 << 20)
@example([(0, {"a": None}, ""), "line", "rename"], False, 1)
def test_a_sealed_run_says_what_it_said(write_run, acts, is_open, piece):
    """Rows, histories, series, summary, configuration, lines and curves are the same before sealing, in pieces too, and after."""
    written = write_run()
    perform(written, acts)
    if not is_open:
        written.close()
    before = told(Run(written.directory))
    followed = Run(written.directory)
    told(followed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("runhaven.sealed.seal.PIECE", piece)
        seal(written.directory)
    after = told(Run(written.directory))

    assert after == before
    assert told(followed) == before
    if not is_open:
        for path in written.directory.journal.iterdir():
            path.unlink()
        assert told(Run(written.directory)) == before
    for writer in written.writers:
        writer.close()


def test_a_long_run_is_sealed_piece_by_piece(written, monkeypatch):
    """A run that is longer than a piece becomes several segments, each of a few frames, and none of it is left out."""
    monkeypatch.setattr("runhaven.sealed.seal.PIECE", 1000)
    for step in range(200):
        written.log({"a": step / 7}, step)
        if step % 10 == 9:
            written.writers[-1]._fold(everything=True)
    run = written.close()
    before = told(run)
    first, has_more = _seal_piece(written.directory)
    between = told(Run(written.directory))
    rest = seal(written.directory)

    assert first is not None
    assert rest is not None
    assert has_more
    assert between == before
    assert (first.points, rest.points) == (40, 160)
    assert len(newest(place_to_read(written.directory)).segments) == 5
    assert told(Run(written.directory)) == before
    assert seal(written.directory) is None


@FEW
@given(st.lists(ROW, min_size=1, max_size=30), st.lists(ROW, max_size=10))
def test_sealing_is_a_pure_function_of_the_journals(write_run, rows, more):
    """The same ranges give the same bytes; sealed again without news, nothing is written."""
    written = write_run()
    perform(written, rows)
    seal(written.directory)
    first = {path.name: path.read_bytes() for path in place_to_read(written.directory).iterdir()}
    assert seal(written.directory) is None
    shutil.rmtree(place_to_read(written.directory))
    seal(written.directory)

    assert {path.name: path.read_bytes() for path in place_to_read(written.directory).iterdir()} == first
    perform(written, more)
    written.close()


def is_within(values, low, high):
    return all(low <= value <= high for value in values if math.isfinite(value))


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.integers(-2, 3), st.floats(-1e9, 1e9) | st.sampled_from([math.nan, math.inf])), max_size=120),
    st.sets(st.integers(0, 120), max_size=3),
    st.integers(0, 120),
    st.integers(1, 12),
    st.data(),
)
def test_every_zoom_tells_the_truth(write_run, points, seals, spike, buckets, data):
    """Promise three: each raw extreme shows within a bucket of its x, and nothing shows beyond the extremes around it."""
    written = write_run()
    written.session()
    step, logged = 0, []
    for place, (stride, value) in enumerate(points):
        # Mostly forward, now and then back or in place.
        step += stride
        shown = 1e12 if place == spike else value
        written.log({"a": shown, "m": float(step * 2)}, step)
        logged.append((step, shown))
        if place in seals:
            seal(written.directory)
    run = written.close()
    axis = data.draw(st.sampled_from(["step", "m"]))
    factor = 1 if axis == "step" else 2
    logged = sorted(((x * factor, value) for x, value in logged), key=lambda point: point[0])
    xs = [x for x, _ in logged] or [0]
    start = data.draw(st.none() | st.integers(min(xs) - 1, max(xs) + 1))
    stop = data.draw(st.none() | st.integers(min(xs) - 1, max(xs) + 1))
    found = run.curve("a", x=axis, buckets=buckets, start=start, stop=stop)
    low, high = min(xs) if start is None else start, max(xs) if stop is None else stop
    visible = [(x, value) for x, value in logged if low <= x <= high]
    width = (visible[-1][0] - visible[0][0]) / buckets if visible else 0

    ends = found.x.tolist()
    assert ends == sorted(ends)
    for x, value in visible:
        if math.isfinite(value):
            near = [place for place, end in enumerate(ends) if abs(end - x) <= 2 * width + 1e-9 or end >= x]
            assert any(found.min[place] <= value <= found.max[place] for place in near)
    begin = -math.inf
    for place, end in enumerate(ends):
        around = [value for x, value in logged if begin <= x <= end and math.isfinite(value)]
        if not math.isnan(found.min[place]):
            assert is_within([found.min[place], found.max[place]], min(around), max(around))
        begin = ends[place - 1] if place else -math.inf
    assert int(found.count.sum()) >= len(visible)
    if start is None and stop is None:
        assert int(found.count.sum()) == len(logged)
        assert int(found.nonfinite.sum()) == sum(not math.isfinite(value) for _, value in logged)


def test_the_files_are_open_to_any_tool(written):
    """Another reader finds the points, the texts and the events in the sealed files."""
    pq = pytest.importorskip("pyarrow.parquet")
    for step in range(20):
        written.log({"loss": step / 2, "note": f"n{step}"}, step)
    written.log({"gpu": 1.0}, 0, stream="node=x")
    written.close()
    seal(written.directory)
    place = place_to_read(written.directory)
    (name,) = newest(place).segments
    points = pq.read_table(place / f"{name}.points.parquet").to_pydict()
    texts = pq.read_table(place / f"{name}.values.parquet").to_pydict()
    events = pq.read_table(place / f"{name}.events.parquet").to_pydict()

    assert points["key"] == ["loss"] * 20 + ["gpu"]
    assert points["stream"] == ["default"] * 20 + ["node=x"]
    assert points["value"][:20] == [step / 2 for step in range(20)]
    assert points["step"][:20] == list(range(20))
    assert texts["value"] == [f"n{step}" for step in range(20)]
    assert events["event"] == ["start", "rows", "rows"]
    assert json.loads(events["data"][0])["role"] == "main"
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in place.glob("*.parquet"))


def test_a_run_that_cannot_be_written_is_sealed_into_the_cache(written, monkeypatch, tmp_path):
    """Someone else's run is sealed on this machine, and read from there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("runhaven.sealed.manifest.os.access", lambda *_: False)
    for step in range(50):
        written.log({"a": float(step)}, step)
    run = written.close()
    before = told(run)
    seal(written.directory)

    assert not (written.directory.path / "sealed").exists()
    assert list((tmp_path / "cache").rglob("*.points.parquet"))
    assert told(Run(written.directory)) == before


def test_a_run_goes_on_after_its_journals_are_gone(store):
    """A run whose journals were removed once sealed is resumed with its steps, configuration and aggregates."""
    first = runhaven.init(project="p", id="abc", config={"lr": 1})
    first.define_metric("a", summary="max")
    for step in range(10):
        first.log({"a": step})
    first.finish()
    (run,) = runhaven.Api().runs()
    seal(run.directory)
    for path in run.directory.journal.iterdir():
        path.unlink()
    second = runhaven.init(project="p", id="abc", resume="must")
    assert (second.step, second.config.lr) == (10, 1)
    second.log({"a": 3})
    second.finish()
    found = runhaven.Api().run("p/abc")

    assert [row["a"] for row in found.scan_history()] == [*range(10), 3]
    assert found.summary["a.max"] == 9


def test_damaged_sealed_files_are_passed_over_or_told(written):
    """With the journals there, an unreadable index costs nothing; a damaged file is an error that says what to do."""
    for step in range(100):
        written.log({"a": float(step), "note": "x"}, step)
    run = written.close()
    before = told(run)
    seal(written.directory)
    (values,) = place_to_read(written.directory).glob("*.values.parquet")
    values.write_bytes(b"nothing of the kind")
    with pytest.raises(runhaven.StoreError, match="seal --again"):
        told(Run(written.directory))
    (index,) = place_to_read(written.directory).glob("*.index.json")
    index.write_bytes(b"{}")

    assert told(Run(written.directory)) == before
    for path in written.directory.journal.iterdir():
        path.unlink()
    with pytest.raises(runhaven.StoreError, match="no journals any more"):
        told(Run(written.directory))


def test_a_run_is_sealed_by_its_reader(written):
    """`Run.seal()` seals once, and the same object goes on reading, also what is logged afterwards."""
    for step in range(30):
        written.log({"a": float(step)}, step)
    run = written.read()
    before = told(run)
    assert (run.seal(), run.seal()) == (True, False)
    assert told(run) == before
    written.log({"a": 99.0}, 30)
    run.refresh()

    assert [row["a"] for row in run.scan_history()][-1] == 99.0
    assert run.curve("a").last.tolist()[-1] == 99.0
    written.close()


def test_big_integers_and_odd_words_survive(written):
    """Integers beyond float64, lone surrogates, empty rows and empty names come back as they were."""
    rows = [{"a": 2**62 + 1}, {"a": -(2**53) - 1}, {"a": 5}, {}, {"": "\ud800"}, {"\udfff": 1.0}, {"j": [1, None]}]
    for step, row in enumerate(rows):
        written.log(row, step)
    run = written.close()
    before = told(run)
    seal(written.directory)

    assert told(Run(written.directory)) == before
    assert {series.key: series.last for series in Run(written.directory).series()}["a"] == 5


def test_the_pyramid_is_exact():
    """Cells of every level hold the extremes, the last value and the count of exactly their points."""
    rng = np.random.default_rng(3)
    values = rng.normal(size=1001)
    values[[7, 500, 501]] = math.nan
    steps = np.arange(1001)
    levels = pyramid.build(pyramid.Points(steps, steps, steps.astype(float), values))

    assert [level.size for level in levels][:3] == [2, 4, 8]
    for level in levels:
        for place in range(len(level.steps)):
            part = values[place * level.size : (place + 1) * level.size]
            finite = part[np.isfinite(part)]
            assert level.counts[place] == len(part)
            assert level.nonfinite[place] == len(part) - len(finite)
            if len(finite):
                assert (level.lows[place], level.highs[place]) == (finite.min(), finite.max())
                assert level.lasts[place] == finite[-1]
