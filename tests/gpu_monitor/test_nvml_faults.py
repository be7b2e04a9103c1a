"""What goes wrong with GPUs and drivers, live: each class of error, lost GPUs, a driver that goes, comes back or hangs."""

from __future__ import annotations

import pytest

SOME = "pick = lambda name='power_limit_watts': [source.sample().get(f'gpu/{i}/{name}') for i in (0, 1)]\n"


@pytest.mark.parametrize("code", [2, 3, 4, 13, 25, 26])
def test_what_is_refused_is_asked_once(play, code):
    """A code that will be the same for ever costs that reading of that GPU alone, and no further call."""
    values, calls = play(
        f"""
        fake.fail("nvmlDeviceGetUtilizationRates", {code}, gpu=0); start()
        values = source.sample(); before = fake.calls("nvmlDeviceGetUtilizationRates"); source.sample()
        answer(values, fake.calls("nvmlDeviceGetUtilizationRates") - before)
        """
    )

    assert "gpu/0/utilization_percent" not in values
    assert values["gpu/0/temperature_celsius"] == 64
    assert values["gpu/1/utilization_percent"] == 87
    assert calls == 1


@pytest.mark.parametrize("code", [999, 10, 21, 19, 27, 11, 12345])
def test_what_passes_leaves_a_gap(play, code):
    """Any other code leaves one row without the reading; the next has it again."""
    gap, back = play(
        f"""
        start(); pick = lambda: source.sample().get("gpu/0/utilization_percent")
        fake.fail("nvmlDeviceGetUtilizationRates", {code}); gap = pick()
        fake.fail("nvmlDeviceGetUtilizationRates", 0); answer(gap, pick())
        """
    )

    assert (gap, back) == (None, 87)


def test_a_field_that_fails_leaves_the_others(play):
    """Each value of a common call has a code of its own; a counter that paused describes all the time since."""
    gap, back = play(
        """
        start(); clock.pass_by(10); fake.field(83, 1_000_000, code=999); gap = source.sample()
        clock.pass_by(10); fake.field(83, 4_000_000); answer(gap, source.sample())
        """
    )

    assert "gpu/0/power_watts" not in gap
    assert gap["gpu/0/memory_temperature_celsius"] == 78
    assert back["gpu/0/power_watts"] == pytest.approx(4000 / 20)


def test_a_field_that_spoils_the_call_is_found_out(play):
    """An old driver that refuses a whole call for one field it never heard of loses that field, not the others."""
    values, calls = play(
        """
        fake.set("unknown_field", 271); start(); clock.pass_by(10); fake.field(83, 5_000_000); values = source.sample()
        before = fake.calls("nvmlDeviceGetFieldValues"); source.sample()
        answer(values, fake.calls("nvmlDeviceGetFieldValues") - before)
        """
    )

    assert values["gpu/0/power_watts"] == pytest.approx(500.0)
    assert values["gpu/0/memory_temperature_celsius"] == 78
    assert "gpu/0/throttled_power_brake_percent" not in values
    assert calls == 2


@pytest.mark.parametrize("code", [15, 16])
def test_a_lost_gpu_is_reported_and_the_others_go_on(play, code):
    """It has `lost` alone, people are told once, it is left in peace for a minute, and read again when it is back."""
    lost, calls, still, back, again, told = play(
        f"""
        start(); fake.fail("*", {code}, gpu=0); lost = source.sample()
        before = fake.calls("nvmlDeviceGetHandleByUUID"); clock.pass_by(10); source.sample()
        calls = fake.calls("nvmlDeviceGetHandleByUUID") - before
        clock.pass_by(60); still = source.sample()["gpu/0/lost"]
        fake.fail("*", 0, gpu=0); clock.pass_by(60); back = source.sample()
        clock.pass_by(10); answer(lost, calls, still, back, source.sample(), told)
        """
    )

    assert {key: value for key, value in lost.items() if key.startswith("gpu/0/")} == {"gpu/0/lost": 1}
    assert lost["gpu/1/utilization_percent"] == 87
    assert calls == 0
    assert still == 1
    assert back["gpu/0/lost"] == 0
    assert again["gpu/0/utilization_percent"] == 87
    assert [(title, level) for title, _, level in told] == [("GPU 0 is lost", "ERROR"), ("GPU 0 is back", "INFO")]
    assert "GPU-0-0000" in told[0][1]


def test_a_gpu_that_is_lost_from_the_start_is_reported(play):
    """A GPU that was broken before the run began is told of, whether or not it can still be named."""
    facts, values, told = play(
        """
        fake.set("gpus", 3); fake.fail("nvmlDeviceGetUtilizationRates", 15, gpu=1); fake.fail("*", 15, gpu=2)
        answer(start(), source.sample(), told)
        """
    )

    assert [gpu["index"] for gpu in facts["gpus"]] == [0, 1]
    assert values["gpu/1/lost"] == 1
    assert [title for title, _, _ in told] == ["GPU 1 is lost", "GPU 2 is lost"]


@pytest.mark.parametrize("code", [1, 9])
def test_a_driver_that_comes_back_is_picked_up_again(play, code):
    """Unloaded, it is let go of and tried again after 1, 2, 4 ... seconds; reloaded, GPUs are found by UUID; totals go on."""
    before, gone, tries, shutdowns, after, told = play(
        f"""
        start(); clock.pass_by(10); fake.field(83, 5_000_000); before = source.sample()
        fake.fail("nvmlDeviceGetFieldValues", {code}); gone = source.sample()
        shutdowns = fake.calls("nvmlShutdown")
        fake.fail("*", {code}); first = fake.calls("nvmlInitWithFlags")
        for _ in range(60): clock.pass_by(1); source.sample()
        tries = fake.calls("nvmlInitWithFlags") - first
        fake.fail("*", 0); fake.fail("nvmlDeviceGetFieldValues", 0); fake.field(83, 2_000_000)
        clock.pass_by(64); source.sample(); clock.pass_by(10); fake.field(83, 3_000_000)
        answer(before, gone, tries, shutdowns, source.sample(), told)
        """
    )

    assert before["gpu/0/energy_joules"] == pytest.approx(5000.0)
    assert gone == {}
    assert tries == 5  # after 1, 3, 7, 15 and 31 seconds
    assert shutdowns == 1
    assert after["gpu/0/energy_joules"] == pytest.approx(5000 + 2000 + 1000)
    assert after["gpu/0/power_watts"] == pytest.approx(100.0)
    assert [title for title, _, _ in told] == ["NVIDIA driver is gone", "NVIDIA driver is back"]


def test_what_was_refused_is_tried_again_after_a_reload(play):
    """Another driver may know what the last one did not."""
    before, after = play(
        SOME
        + """
        fake.fail("nvmlDeviceGetUtilizationRates", 3); start(); before = pick("utilization_percent")
        fake.fail("*", 9); source.sample(); fake.fail("*", 0); fake.fail("nvmlDeviceGetUtilizationRates", 0)
        clock.pass_by(2); answer(before, pick("utilization_percent"))
        """.replace("\n        ", "\n")
    )

    assert (before, after) == ([None, None], [87, 87])


def test_a_gpu_that_did_not_come_back_with_its_driver_is_lost(play):
    """After a reload one of two GPUs is missing: the other is read, the missing one reported."""
    values, told = play(
        """
        start(); fake.fail("*", 9); source.sample(); fake.fail("*", 0); fake.fail("nvmlDeviceGetHandleByUUID", 6, gpu=1)
        clock.pass_by(2); answer(source.sample(), [incident.title for incident in told])
        """
    )

    assert values["gpu/0/utilization_percent"] == 87
    assert values["gpu/1/lost"] == 1
    assert told == ["NVIDIA driver is gone", "NVIDIA driver is back", "GPU 1 is lost"]


def test_an_updated_driver_ends_the_readings(play):
    """A process keeps the old library; no wait helps, so it is said once and nothing is tried any more."""
    values, tries, told = play(
        """
        start(); fake.fail("*", 18); source.sample(); first = fake.calls("nvmlInitWithFlags")
        for _ in range(100): clock.pass_by(60); values = source.sample()
        answer(values, fake.calls("nvmlInitWithFlags") - first, [incident.title for incident in told])
        """
    )

    assert (values, tries) == ({}, 0)
    assert told == ["NVIDIA driver was updated"]


def test_faults_of_the_memory_are_told_once(play):
    """Rows that wait for a remap, rows that could not be, a wanted reset: one word each, however often they are read."""
    (told,) = play(
        """
        start(); fake.field(144, 1, kind=UINT, gpu=1); fake.field(230, 1, kind=UINT, gpu=1)
        for _ in range(5): clock.pass_by(40); source.sample()
        answer(told)
        """
    )

    assert [(title, level) for title, _, level in told] == [("GPU 1 needs care", "WARN")] * 2
    assert "remapped" in told[0][1]
    assert "recovery action" in told[1][1]


def test_a_refused_gpu_is_passed_over(play):
    """In a container that may open one GPU of two, that one is read under its own number, and is CUDA's first."""
    (facts,) = play("fake.fail('nvmlDeviceGetHandleByIndex_v2', 4, gpu=0); answer(start())")

    assert [(gpu["index"], gpu["cuda_index"]) for gpu in facts["gpus"]] == [(1, 0)]


@pytest.mark.parametrize("code", [9, 12, 18])
def test_without_a_driver_there_is_one_debug_line(play, code):
    """A library without a driver, or none at all: said once, at debug level, and nothing is held on to."""
    facts, lines = play(
        f"""
        import logging
        lines = []
        handler = logging.Handler(); handler.emit = lambda record: lines.append(record.levelname)
        logger = logging.getLogger("runhaven_gpu_monitor"); logger.addHandler(handler); logger.setLevel("DEBUG")
        fake.fail("nvmlInitWithFlags", {code}); facts = start(); source.close(); answer(facts, lines)
        """
    )

    assert (facts, lines) == (None, ["DEBUG"])


def test_a_driver_that_goes_while_it_is_opened_is_absent(play):
    """What vanishes before the first row is not waited for, and nothing is raised."""
    facts, shutdowns = play(
        "fake.fail('nvmlDeviceGetFieldValues', 9); facts = start(); answer(facts, fake.calls('nvmlShutdown'))"
    )

    assert (facts, shutdowns) == (None, 1)


def test_closing_disconnects_and_gives_samples_back(play):
    """An open connection would keep an administrator from unloading the driver."""
    shutdowns, freed = play(
        "start(); source.sample(); source.close(); answer(fake.calls('nvmlShutdown'), fake.calls('nvmlGpmSampleFree'))"
    )

    assert (shutdowns, freed) == (1, 4)


def test_a_forked_child_connects_for_itself(play):
    """What the parent holds means nothing in a child, which can read and close, and leaves the parent's connection."""
    child, parent, told = play(
        SOME
        + """
        start(); source.sample()
        read, write = os.pipe()
        if os.fork() == 0:
            clock.pass_by(40); found = pick("utilization_percent"); source.close()
            os.write(write, json.dumps(found).encode()); os._exit(0)
        os.wait(); answer(json.loads(os.read(read, 100)), pick("utilization_percent"), told)
        """.replace("\n        ", "\n")
    )

    assert child == parent == [87, 87]
    assert told == []


def test_a_child_that_only_inherits_the_source_leaves_the_driver_alone(play):
    """A data loader that is forked and ends calls nothing of NVML."""
    (calls,) = play(
        """
        start(); before = fake.calls()
        if os.fork() == 0:
            source.close(); os._exit(fake.calls() - before)
        answer(os.waitstatus_to_exitcode(os.wait()[1]))
        """
    )

    assert calls == 0


def test_a_driver_that_hangs_hurts_nobody(play):
    """While a call hangs the main thread goes on and `stop` returns; the late row reaches nobody."""
    rows, late = play(
        """
        from runhaven_gpu_monitor.sampler import Sampler
        time.monotonic = time.perf_counter
        rows = []
        sampler = Sampler(rows.append, interval_s=0.05, sources=lambda: [source])
        sampler.start()
        while not rows: time.sleep(0.01)
        fake.hang("nvmlDeviceGetUtilizationRates")
        calls = fake.calls("nvmlDeviceGetUtilizationRates")
        while fake.calls("nvmlDeviceGetUtilizationRates") == calls: time.sleep(0.01)
        before = len(rows)
        # The call ends only below: whatever waited for it would wait for ever.
        sampler.stop()
        fake.hang("nvmlDeviceGetUtilizationRates", False); sampler._thread.join()
        answer(before, len(rows))
        """
    )

    assert late == rows
