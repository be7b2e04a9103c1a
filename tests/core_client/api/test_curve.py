from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runhaven.api.curve import reduce_points

MANY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
VALUES = st.one_of(
    st.floats(-1e6, 1e6),
    st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -1e300, 0.0, -0.0]),
)
STEPS = st.one_of(st.integers(-50, 200), st.sampled_from([2**62, -(2**62), 2**63 - 1, -(2**63)]))


def check(xs, values, curve, buckets):
    """Hold a curve against its points, which are in the order of x."""
    assert len(curve) <= max(1, buckets)
    assert int(curve.count.sum()) == len(xs)
    assert list(curve.x) == sorted(curve.x)
    end = 0
    for index in range(len(curve)):
        begin, end = end, end + int(curve.count[index])
        finite = [value for value in values[begin:end] if math.isfinite(value)]
        assert curve.x[index] == float(xs[end - 1])
        assert int(curve.nonfinite[index]) == end - begin - len(finite)
        if not finite:
            assert np.isnan([curve.min[index], curve.max[index], curve.last[index]]).all()
        else:
            assert (curve.min[index], curve.max[index], curve.last[index]) == (min(finite), max(finite), finite[-1])
    if len(xs) > buckets:
        begin = 0
        width = (float(xs[-1]) - float(xs[0])) / buckets
        for count in curve.count:
            assert float(xs[begin + int(count) - 1]) - float(xs[begin]) <= width * (1 + 1e-9)
            begin += int(count)


@MANY
@given(st.lists(st.tuples(STEPS, VALUES), min_size=1, max_size=300), st.integers(1, 40))
def test_buckets_hold_their_points_exactly(points, buckets):
    """Every bucket has the exact extremes of its points, is no wider than a share of the range, and none is missing."""
    points.sort(key=lambda point: point[0])
    xs = np.array([x for x, _ in points], np.int64)
    values = np.array([value for _, value in points])

    check([x for x, _ in points], list(values), reduce_points(xs, values, buckets), buckets)


@MANY
@given(
    st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), VALUES), min_size=1, max_size=300),
    st.integers(1, 40),
)
def test_buckets_of_any_float_axis(points, buckets):
    """Counts and extremes are right on an axis of any finite floats, up to the largest."""
    points.sort(key=lambda point: point[0])
    curve = reduce_points(np.array([x for x, _ in points]), np.array([value for _, value in points]), buckets)
    finite = [value for _, value in points if math.isfinite(value)]

    assert int(curve.count.sum()) == len(points)
    assert len(curve) <= max(1, buckets)
    if finite:
        assert (np.nanmin(curve.min), np.nanmax(curve.max)) == (min(finite), max(finite))


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(STEPS, st.one_of(VALUES, st.integers(-(2**40), 2**40), st.booleans()), st.booleans()),
        min_size=1,
        max_size=120,
    ),
    st.integers(1, 30),
)
def test_curves_of_written_runs(write_run, points, buckets):
    """What was logged, with steps going back, equal steps and changing types and schemas, is in the curve."""
    written = write_run()
    written.session()
    for step, value, has_more in points:
        written.log({"a": value, "b": 1.0} if has_more else {"a": value}, step)
    run = written.close()
    points = sorted(((step, float(value)) for step, value, _ in points), key=lambda point: point[0])

    curve = run.curve("a", buckets=buckets)

    check([step for step, _ in points], [value for _, value in points], curve, buckets)


def test_a_window_holds_the_points_within_its_bounds(written):
    """Both bounds belong to the window, on every axis, also when they are an x that a curve gave."""
    for step in range(100):
        written.log({"a": float(step)}, step)
    run = written.close()

    for x in ("step", "wall", "relative", "a"):
        whole = run.curve("a", x=x)
        part = run.curve("a", x=x, start=whole.x[10], stop=whole.x[20])
        assert list(part.last) == [float(step) for step in range(10, 21)]
    assert len(run.curve("a", start=-math.inf, stop=math.inf)) == 100
    assert len(run.curve("a", start=10.5, stop=10.9)) == 0
    assert len(run.curve("a", start=1e300)) == 0


def test_times_are_seconds(written):
    """`wall` counts from the epoch, `relative` from the creation of the run."""
    for step in range(3):
        written.log({"a": 1.0}, step)
    times = [written.time_us - 2000, written.time_us - 1000, written.time_us]
    run = written.close()

    assert list(run.curve("a", x="wall").x) == [time_us / 1e6 for time_us in times]
    assert list(run.curve("a", x="relative").x) == pytest.approx([(time_us - run.created) / 1e6 for time_us in times])


def test_another_metric_as_x(written):
    """Points take the other metric of their row, or of another row at their step; those without one are left out."""
    written.log({"loss": 1.0, "epoch": 0.1}, 0)
    written.log({"loss": 2.0}, 1)
    written.log({"epoch": 0.2}, 1)
    written.log({"loss": 3.0}, 2)
    written.log({"loss": 4.0, "epoch": math.nan}, 3)
    written.log({"loss": 5.0, "epoch": 0.15}, 4)
    curve = written.close().curve("loss", x="epoch")

    assert list(curve.x) == [0.1, 0.15, 0.2]
    assert list(curve.last) == [1.0, 5.0, 2.0]


def test_a_resumed_session_hides_what_it_repeats(written):
    """Where a resumed run goes over the same steps again, the later session is drawn."""
    for step in range(10):
        written.log({"a": 1.0, "b": 1.0}, step)
    written.session(resumed=True)
    for step in range(6, 12):
        written.log({"a": 2.0}, step)
    run = written.close()

    assert list(run.curve("a").x) == list(range(12))
    assert list(run.curve("a").last) == [1.0] * 6 + [2.0] * 6
    assert list(run.curve("b").last) == [1.0] * 10


def test_processes_at_the_same_time_hide_nothing(written):
    """Two processes of one run that log the same steps are both drawn."""
    first = written.writers[0]
    second = written.session(role="child")
    for step in range(5):
        written.log({"a": 1.0}, step, writer=first)
        written.log({"a": 2.0}, step, writer=second)
    curve = written.close().curve("a")

    assert list(curve.last) == [1.0, 2.0] * 5


def test_what_holds_no_numbers_has_no_points(written):
    """A series of strings, or one that was never logged, is an empty curve."""
    written.log({"text": "hello"}, 0)
    run = written.close()

    assert len(run.curve("text")) == 0
    assert len(run.curve("never")) == 0


def test_a_run_can_grow_while_its_curves_are_in_use(written):
    """A curve is the caller's own: the run takes in more rows, and earlier curves stay as they were."""
    written.log({"a": 0.0, "b": 0.5}, 0)
    run = written.read()
    curves = [run.curve("a", x=x) for x in ("step", "wall", "relative", "b")]
    for step in range(1, 5000):
        written.log({"a": float(step), "b": 0.5}, step)
        if step % 500 == 0:
            run.refresh()
            curves.append(run.curve("a"))
    run.refresh()

    assert [len(curve) for curve in curves[:4]] == [1] * 4
    assert [int(curve.count.sum()) for curve in curves[4:]] == [500 * index + 1 for index in range(1, 10)]
    assert int(run.curve("a").count.sum()) == 5000
    written.close()


def test_a_million_points_are_reduced():
    """A million points become a thousand buckets of equal counts, which keep the lowest and the highest value."""
    xs = np.arange(1_000_000)
    values = np.sin(xs * 0.001)
    curve = reduce_points(xs, values, 1000)

    assert len(curve) == 1000
    assert set(np.abs(curve.count - 1000)) <= {0, 1}
    assert (curve.min.min(), curve.max.max()) == (values.min(), values.max())
