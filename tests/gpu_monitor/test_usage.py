"""What rows of readings come to: hours, energy, load, idleness and throttling, against sums made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from runhaven_gpu_monitor.usage import Usage, describe, summarise

GPUS = [{"index": i, "uuid": f"GPU-{i}", "name": "A", "is_visible": True} for i in (0, 1)]
HOST = {"cpu/utilization_percent": 50.0, "memory/process_bytes": 2 << 30, "memory/used_percent": 40.0}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def sums(rows: Sequence[tuple[float, Mapping[str, float]]], gpus: Sequence[Mapping[str, Any]] = GPUS) -> dict[str, Any]:
    """Feed rows, each so many seconds after the one before, and bring the sums through JSON as a journal does."""
    clock = Clock()
    usage = Usage(gpus, clock=clock)
    for seconds, row in rows:
        clock.now += seconds
        usage.add(row)
    return json.loads(json.dumps(usage.record()))


def gpu(index: int, **values: float) -> dict[str, float]:
    return {f"gpu/{index}/{name}": value for name, value in values.items()}


def test_hours_and_energy_are_those_of_all_gpus():
    """Two GPUs for half an hour are one GPU-hour; energy is what the counters counted, or else watts over time."""
    rows = [
        (900, gpu(0, utilization_percent=100.0, energy_joules=90_000.0) | gpu(1, power_watts=200.0)),
        (900, gpu(0, utilization_percent=50.0, energy_joules=270_000.0) | gpu(1, power_watts=400.0)),
    ]
    facts = summarise({("n", "w"): sums(rows)})

    assert facts["gpu_hours"] == pytest.approx(1.0)
    assert facts["gpu_energy_kwh"] == pytest.approx((270_000 + 200 * 900 + 400 * 900) / 3.6e6)
    assert [one["hours"] for one in facts["gpus"]] == [0.5, 0.5]
    assert facts["gpu_utilization_percent"] == {"mean": 75.0, "max": 100.0}


def test_means_weigh_each_row_with_its_time():
    """A row that stands for nine seconds counts nine times as much as one of a second; a gap counts for nothing."""
    rows = [(1, gpu(0, utilization_percent=0.0)), (9, gpu(0, utilization_percent=100.0)), (50, HOST)]
    facts = summarise({("n", "w"): sums(rows)})

    assert facts["gpu_utilization_percent"]["mean"] == pytest.approx(90.0)
    assert facts["gpu_hours"] == pytest.approx(10 / 3600)
    assert facts["seconds"] == 60
    assert facts["cpu_utilization_percent"] == {"mean": 50.0, "max": 50.0}


def test_the_mean_of_the_interval_wins_over_the_driver_s_last_moments():
    """Where the GPU tells the mean over the whole interval, that is its utilisation."""
    facts = summarise({("n", "w"): sums([(10, gpu(0, utilization_percent=100.0, graphics_active_percent=20.0))])})

    assert facts["gpu_utilization_percent"]["mean"] == pytest.approx(20.0)
    assert facts["gpu_idle_percent"] == pytest.approx(80.0)


@pytest.mark.parametrize(
    ("own", "children", "loading", "busy"),
    [
        pytest.param(10.0, 400.0, 60.0, 0.0, id="waits for its loaders"),
        pytest.param(10.0, 5.0, 0.0, 0.0, id="waits for something else"),
        pytest.param(100.0, 400.0, 0.0, 60.0, id="computes by itself"),
        pytest.param(70.0, 400.0, 30.0, 30.0, id="both in turn"),
    ],
)
def test_idleness_is_laid_at_the_right_door(own: float, children: float, loading: float, busy: float):
    """Of 60 % without a kernel, as much is the loaders' as the training process slept while they worked."""
    processes = {"cpu/process_percent": own + children, "cpu/children_percent": children}
    facts = summarise({("n", "w"): sums([(10, gpu(0, utilization_percent=40.0) | processes)])})

    assert facts["gpu_idle_percent"] == pytest.approx(60.0)
    assert facts["gpu_idle_while_loading_percent"] == pytest.approx(loading)
    assert facts["gpu_idle_while_busy_percent"] == pytest.approx(busy)


def test_throttling_is_told_by_its_reason():
    """Shares of the intervals add up to a share of the run, also for a reason that comes up late."""
    rows = [
        (10, gpu(0, power_watts=1.0, throttled_power_percent=24.0)),
        (10, gpu(0, power_watts=1.0, throttled_power_percent=0.0, throttled_thermal_percent=50.0)),
    ]
    facts = summarise({("n", "w"): sums(rows)})

    assert facts["gpu_throttled_percent"] == pytest.approx({"power": 12.0, "thermal": 25.0})
    assert "throttled 12 % of the time by power" in describe(facts)


def test_gpus_that_the_run_never_touched_cost_nothing():
    """Where processes of the run are seen on a GPU the others do not count; where none are seen, the visible ones do."""
    busy = gpu(0, power_watts=100.0, process_memory_bytes=1000) | gpu(1, power_watts=50.0)
    seen = summarise({("n", "w"): sums([(3600, busy)])})
    hidden = [GPUS[0], GPUS[1] | {"is_visible": False}]
    unseen = summarise({("n", "w"): sums([(3600, gpu(0, power_watts=1.0) | gpu(1, power_watts=1.0))], hidden)})

    assert [one["index"] for one in seen["gpus"]] == [0]
    assert seen["gpu_energy_kwh"] == pytest.approx(0.1)
    assert [one["index"] for one in unseen["gpus"]] == [0]


def test_sessions_and_nodes_add_up():
    """A run that was resumed, on two machines, has the hours of all; one GPU of two sessions is listed once."""
    hour = sums([(3600, gpu(0, utilization_percent=80.0) | HOST)])
    facts = summarise({("a", "1"): hour, ("a", "2"): hour, ("b", "1"): hour})

    assert facts["gpu_hours"] == pytest.approx(3.0)
    assert (facts["nodes"], facts["gpu_count"]) == (2, 2)
    assert [(one["node"], one["hours"]) for one in facts["gpus"]] == [("a", 2.0), ("b", 1.0)]


def test_a_counter_that_starts_again_takes_nothing_back():
    """After a driver was loaded anew its energy counter begins at zero; what was counted before stays."""
    rows = [(1, gpu(0, energy_joules=500.0)), (1, gpu(0, energy_joules=20.0)), (1, gpu(0, energy_joules=50.0))]
    facts = summarise({("n", "w"): sums(rows)})

    assert facts["gpu_energy_kwh"] * 3.6e6 == pytest.approx(530.0)


def test_without_gpus_there_are_only_facts_about_the_host():
    """A run on processors alone has their load and memory, and no word about GPUs."""
    facts = summarise({("n", "w"): sums([(10, HOST)], [])})

    assert facts["process_memory_bytes"]["max"] == 2 << 30
    assert not [name for name in facts if name.startswith("gpu")]
    assert describe(facts) == ["processors 50 % busy, processes up to 2.0 GiB of memory"]
    assert summarise({}) == {}
    assert describe({}) == []


@pytest.mark.parametrize(
    ("hours", "watts", "expected"),
    [
        (0.01, 500.0, "1 x A for 0.6 GPU-minutes, 5.0 Wh"),
        (2.0, 500.0, "1 x A for 2 GPU-hours, 1 kWh"),
        (12345.0, 700.0, "1 x A for 12,345 GPU-hours, 8,642 kWh"),
        (2.0, None, "1 x A for 2 GPU-hours"),
    ],
)
def test_small_and_large_amounts_are_readable(hours: float, watts: float | None, expected: str):
    """Minutes and watt-hours for a short run, thousands set apart for a long one, no energy where none was read."""
    row = gpu(0, utilization_percent=50.0) | ({} if watts is None else gpu(0, power_watts=watts))

    assert expected in describe(summarise({("n", "w"): sums([(hours * 3600, row)])}))
