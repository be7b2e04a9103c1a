"""Every reading of an NVIDIA GPU, through the real pynvml, over a C library that stands in for the driver's."""

from __future__ import annotations

import ctypes

import pynvml
import pytest

from runhaven_gpu_monitor.nvml import layout
from runhaven_gpu_monitor.nvml.metric import ACTIVITY, ENGINES, OFTEN, SELDOM
from runhaven_gpu_monitor.nvml.quantity import Field, Gpm

MOVE_ON = """
start()
clock.pass_by(10)
fake.field(83, 6_500_000)                        # 6500 J in mJ
fake.field(74, 2_400_000_000)                    # 2.4 s in ns
fake.field(270, 1_000_000_000)
fake.field(138, 20 * 1024); fake.field(139, 40 * 1024)   # KiB
fake.set("gpm.clock", 2)
fake.process(os.getpid(), 7 << 30); fake.process(1, 9 << 30)
"""


def test_every_reading_of_an_h100_in_the_unit_of_its_key(play):
    """All metrics of a GPU with all sensors; each number differs, so that a wrong unit or a wrong source is seen."""
    (values,) = play(
        MOVE_ON + "answer({k.removeprefix('gpu/0/'): v for k, v in source.sample().items() if '/0/' in k})"
    )

    assert values == pytest.approx(
        {
            "utilization_percent": 87, "memory_utilization_percent": 41,
            "memory_used_bytes": 60 << 30, "memory_used_percent": 75.0, "memory_reserved_bytes": 1 << 29,
            "power_watts": 650.0, "energy_joules": 6500.0, "power_limit_watts": 700.0,
            "temperature_celsius": 64, "memory_temperature_celsius": 78,
            "sm_clock_mhz": 1980, "memory_clock_mhz": 2619, "graphics_clock_mhz": 1755,
            "throttled_power_percent": 24.0, "throttled_thermal_percent": 0.0, "throttled_sync_boost_percent": 0.0,
            "throttled_board_limit_percent": 0.0, "throttled_reliability_percent": 0.0,
            "throttled_software_thermal_percent": 0.0, "throttled_hardware_thermal_percent": 10.0,
            "throttled_power_brake_percent": 0.0,
            "pcie_sent_bytes_per_second": 40 * 1024**2, "pcie_received_bytes_per_second": 42 * 1024**2,
            "nvlink_sent_bytes_per_second": 2 * 1024**2, "nvlink_received_bytes_per_second": 4 * 1024**2,
            "graphics_active_percent": 2.0, "sm_active_percent": 4.0, "sm_occupancy_percent": 6.0,
            "integer_active_percent": 8.0, "tensor_active_percent": 10.0, "dram_active_percent": 20.0,
            "fp64_active_percent": 22.0, "fp32_active_percent": 24.0, "fp16_active_percent": 26.0,
            "performance_state": 0, "fan_percent": 33, "pcie_generation": 5, "pcie_width_lanes": 16, "pcie_replays": 5,
            "ecc_corrected_errors": 0, "ecc_uncorrected_errors": 0, "remapped_rows_corrected": 1,
            "remapped_rows_uncorrected": 2, "row_remap_pending": 0, "row_remap_failed": 0, "recovery_action": 0,
            "nvlink_crc_errors": 11, "nvlink_replay_errors": 12, "nvlink_recovery_errors": 13,
            "process_memory_bytes": 7 << 30,
        }
    )  # fmt: skip
    assert set(values) == {metric.name for metric in (*OFTEN, *ACTIVITY, *SELDOM)}


def test_the_engines_are_read_on_request(play):
    """Encoder, decoder, JPEG and optical flow cost a call each, so they are off unless wanted."""
    asleep, awake = play(
        """
        start(); source.sample(); asleep = fake.calls("nvmlDeviceGetEncoderUtilization")
        wide = NvmlSource(reads_engines=True); wide.open(told.append)
        answer(asleep, {k: v for k, v in wide.sample().items() if k.startswith("gpu/1/") and "utilization" in k})
        """
    )

    assert asleep == 0
    assert {metric.name: awake[f"gpu/1/{metric.name}"] for metric in ENGINES} == {
        "encoder_utilization_percent": 1,
        "decoder_utilization_percent": 2,
        "jpeg_utilization_percent": 3,
        "optical_flow_utilization_percent": 4,
    }


@pytest.mark.parametrize(
    ("refusals", "name", "expected"),
    [
        pytest.param("fake.fail('nvmlDeviceGetMemoryInfo_v2', 13)", "memory_used_bytes", (60 << 30) + (1 << 29), id="v1"),
        pytest.param("fake.fail('nvmlDeviceGetTemperatureV', 13); fake.set('nvmlDeviceGetTemperature.0', 63)",
                     "temperature_celsius", 63, id="old temperature"),
        pytest.param("fake.field(83, 0, code=3)", "power_watts", 640.123, id="mean power"),
        pytest.param("fake.field(83, 0, code=3); fake.field(185, 0, code=3)", "power_watts", 655.001, id="instant power"),
        pytest.param("[fake.field(f, 0, code=3) for f in (83, 185, 186)]", "power_watts", 652.345, id="old power"),
        pytest.param("fake.fail('nvmlDeviceGetFieldValues', 13)", "power_watts", 652.345, id="no field values"),
        pytest.param("fake.field(74, 0, code=3); fake.set('nvmlDeviceGetCurrentClocksEventReasons', 0x84)",
                     "throttled_power_percent", 100.0, id="reason by its bit"),
        pytest.param("fake.field(271, 0, code=3); fake.set('nvmlDeviceGetCurrentClocksThrottleReasons', 0x4)",
                     "throttled_power_brake_percent", 0.0, id="bit that is not set, under the old name"),
        pytest.param("fake.field(190, 0, code=3)", "power_limit_watts", 700.0, id="old limit"),
    ],
)  # fmt: skip
def test_an_older_way_stands_in(play, refusals, name, expected):
    """What a driver or a GPU does not know is read another way, in the same unit, from the first row on."""
    (values,) = play(f"{refusals}; start(); clock.pass_by(10); answer(source.sample())")

    assert values[f"gpu/0/{name}"] == pytest.approx(expected)


def test_older_counters_stand_in(play):
    """Energy by its own call; PCIe and NVLink by their byte counters where there is no performance monitor."""
    (values,) = play(
        """
        fake.set("gpm", 0)
        fake.field(83, 0, code=3); fake.set("nvmlDeviceGetTotalEnergyConsumption", 1000)
        fake.field(197, 0); fake.field(198, 0)
        for number in (138, 139): fake.field(number, 0, code=3)
        fake.field(202, 0); fake.field(204, 0)
        start()
        clock.pass_by(10)
        fake.set("nvmlDeviceGetTotalEnergyConsumption", 5_001_000)
        fake.field(197, 1000); fake.field(198, 2000); fake.field(202, 3000); fake.field(204, 4000)
        answer(source.sample())
        """
    )

    assert values["gpu/0/power_watts"] == pytest.approx(500.0)
    assert values["gpu/0/energy_joules"] == pytest.approx(5000.0)
    names = ("pcie_sent", "pcie_received", "nvlink_sent", "nvlink_received")
    assert [values[f"gpu/0/{name}_bytes_per_second"] for name in names] == [100.0, 200.0, 300.0, 400.0]
    assert "gpu/0/sm_active_percent" not in values


def test_a_counter_too_narrow_to_be_true_is_left_out(play):
    """A byte counter of 32 bits wraps within seconds: no number is better than a wrong one."""
    (values,) = play(
        """
        fake.set("gpm", 0); fake.field(197, 0, kind=UINT); fake.field(198, 0, kind=UINT)
        start(); clock.pass_by(10); answer(source.sample())
        """
    )

    assert "gpu/0/pcie_sent_bytes_per_second" not in values


def test_numbers_of_every_type_are_read(play):
    """The eight bytes of a field value are read by its type, whatever the driver left in the others."""
    (found,) = play(
        """
        for kind, number in ((DOUBLE, 2.5), (UINT, 4e9), (ULONGLONG, 2**40), (LONGLONG, -5), (INT, -7), (USHORT, 65000)):
            fake.field(100 + kind, number, kind=kind)
        from runhaven_gpu_monitor.nvml.driver import Driver
        from runhaven_gpu_monitor.nvml.fields import FieldBatch
        from runhaven_gpu_monitor.nvml.quantity import Field
        driver = Driver(); driver.start()
        fields = [Field(100 + kind) for kind in (DOUBLE, UINT, ULONGLONG, LONGLONG, INT, USHORT)]
        answers = {}
        failed = FieldBatch(driver, fields).read(driver.ask("nvmlDeviceGetHandleByIndex", 0), answers)
        answer([answers[field] for field in fields], )
        """
    )

    assert found == [2.5, 4e9, 2**40, -5, -7, 65000]


def test_activity_is_the_mean_of_the_whole_interval(play):
    """Each reading lies between the sample of this beat and the one kept from the beat before; nobody waits for it."""
    first, second, third, allocated = play(
        """
        start()
        pick = lambda: source.sample().get("gpu/0/sm_occupancy_percent")
        clock.pass_by(0.05); first = pick()      # NVML wants more than 100 ms between samples
        clock.pass_by(10); fake.set("gpm.clock", 5); second = pick()
        clock.pass_by(10); fake.set("gpm.clock", 12); third = pick()
        answer(first, second, third, fake.calls("nvmlGpmSampleAlloc"))
        """
    )

    assert (first, second, third) == (None, 3 * 5.0, 3 * 7.0)
    assert allocated == 2 * 2


def test_instances_are_read_beside_their_gpu(play):
    """On a GPU that is divided, memory and activity of each instance; what the whole no longer tells is left out."""
    facts, values = play(
        """
        fake.set("mig", 2, gpu=0); fake.fail("nvmlDeviceGetUtilizationRates", 3, gpu=0)
        for name, size in (("total", 20 << 30), ("used", 5 << 30), ("reserved", 0)): fake.set("instance_" + name, size)
        facts = start(); clock.pass_by(10); fake.set("gpm.clock", 1)
        answer(facts, source.sample())
        """
    )

    assert [one["uuid"] for one in facts["gpus"][0]["mig"]] == ["MIG-0-0-0000", "MIG-0-1-0000"]
    assert facts["gpus"][0]["mig"][1] == {
        "index": 1, "uuid": "MIG-0-1-0000", "gpu_instance": 8, "compute_instance": 0, "memory_bytes": 20 << 30,
        "multiprocessors": 16,
    }  # fmt: skip
    assert values["gpu/0/mig/1/memory_used_bytes"] == 5 << 30
    assert values["gpu/0/mig/1/memory_used_percent"] == 25.0
    # The stand-in adds the number of the instance, 7 and 8, to what it counts.
    assert [values[f"gpu/0/mig/{i}/tensor_active_percent"] for i in (0, 1)] == [5.0 + 7, 5.0 + 8]
    assert "gpu/0/utilization_percent" not in values
    assert values["gpu/1/utilization_percent"] == 87
    assert values["gpu/0/power_watts"] >= 0


def test_eight_gpus_take_few_calls(play):
    """A beat asks each GPU six times, twice more for its activity, and nothing that is slow."""
    beat, fields, slow, keys = play(
        """
        fake.set("gpus", 8); start(); source.sample(); clock.pass_by(10)
        before = fake.calls(); values = source.sample()
        slow = [fake.calls(name) for name in ("nvmlDeviceGetPcieThroughput", "nvmlDeviceGetComputeRunningProcesses_v3")]
        answer(fake.calls() - before, fake.calls("nvmlDeviceGetFieldValues"), slow, len(values))
        """
    )

    # At the beginning it tries what works, then comes a first row with all that is read seldom.
    assert beat == 8 * (6 + 2)
    assert fields == 8 * 3
    assert slow == [0, 8 * 2]
    assert keys == 8 * len(OFTEN + ACTIVITY)


def test_what_is_read_seldom_comes_twice_a_minute(play):
    """Limits, faults and processes are read at the first beat and every 30 seconds from then on."""
    (beats,) = play(
        """
        start(); seen = []
        for _ in range(7):
            clock.pass_by(10); seen.append("gpu/0/pcie_generation" in source.sample())
        answer(seen)
        """
    )

    assert beats == [True, False, False, True, False, False, True]


def test_the_facts_say_who_a_gpu_is(play):
    """Identity, memory, driver, place on the bus, and which number CUDA gives it."""
    (facts,) = play("answer(start())", CUDA_VISIBLE_DEVICES="1")

    assert facts["gpus"][1] == {
        "index": 1, "vendor": "NVIDIA", "name": "Fake GPU A", "uuid": "GPU-1-0000", "memory_bytes": 80 << 30,
        "pci": "00000000:11:00.0", "compute_capability": "9.0", "cores": 16896, "power_limit_watts": 700.0,
        "driver": "600.1", "cuda": "13.1", "virtualization": None, "mig": [], "cuda_index": 0, "is_visible": True,
    }  # fmt: skip
    assert (facts["gpus"][0]["cuda_index"], facts["gpus"][0]["is_visible"]) == (None, False)


def test_own_memory_is_that_of_the_whole_tree(play):
    """Memory that child processes hold counts, that of others does not; more processes than expected are no trouble."""
    (values,) = play(
        """
        import subprocess
        child = subprocess.Popen(["sleep", "600"])
        for pid in range(100_000, 100_100): fake.process(pid, 1 << 20)
        fake.process(os.getpid(), 1 << 30); fake.process(child.pid, 2 << 30)
        start(); values = source.sample(); child.kill(); child.wait()
        answer(values)
        """
    )

    assert values["gpu/0/process_memory_bytes"] == 3 << 30


def test_ranks_of_one_launcher_count_as_one_run(play):
    """Where torchrun started a process for each GPU, the memory of all of them is the run's."""
    (values,) = play(
        "fake.process(os.getppid(), 5 << 30); start(); answer(source.sample())", TORCHELASTIC_RUN_ID="none"
    )

    assert values["gpu/0/process_memory_bytes"] == 5 << 30


def test_layouts_are_those_of_pynvml(library):
    """Our structures, the stand-in's and pynvml's have the same sizes, and our fields lie where pynvml's do."""
    fake = ctypes.CDLL(str(library))
    ours = {
        "utilization": layout.Utilization, "memory_v1": layout.MemoryV1, "memory_v2": layout.MemoryV2,
        "temperature": layout.Temperature, "process": layout.ProcessInfo, "gpm_support": layout.GpmSupport,
    }  # fmt: skip
    theirs = {
        "utilization": pynvml.c_nvmlUtilization_t, "memory_v1": pynvml.c_nvmlMemory_t, "memory_v2": pynvml.c_nvmlMemory_v2_t,
        "temperature": pynvml.c_nvmlTemperature_v1_t, "process": pynvml.c_nvmlProcessInfo_v2_t,
        "gpm_support": pynvml.c_nvmlGpmSupport_t, "field": pynvml.c_nvmlFieldValue_t, "pci": pynvml.nvmlPciInfo_t,
        "attributes": pynvml.c_nvmlDeviceAttributes, "gpm_metric": pynvml.c_nvmlGpmMetric_t,
    }  # fmt: skip
    offsets = {
        name: ([getattr(one, field[0]).offset for field in one._fields_] for one in (found, theirs[name]))
        for name, found in ours.items()
    }

    for name, their in theirs.items():
        assert fake.fakeNvmlSize(name.encode()) == ctypes.sizeof(their), name
    for name, (own, their) in offsets.items():
        assert own == their, name
    assert ctypes.sizeof(pynvml.c_nvmlFieldValue_t) == layout.FIELD_VALUE.size
    assert ctypes.sizeof(pynvml.c_nvmlGpmMetric_t) == layout.GPM_METRIC.size
    assert pynvml.c_nvmlGpmMetricsGet_t.metrics.offset == layout.GPM_HEAD.size == fake.fakeNvmlSize(b"gpm_head")
    assert layout.versioned(layout.MemoryV2, 2) == pynvml.nvmlMemory_v2
    assert layout.versioned(layout.Temperature, 1) == pynvml.nvmlTemperature_v1


def test_the_numbers_are_those_of_pynvml():
    """The numbers of fields and metrics in our table are those that NVIDIA gives these names."""
    fields = {
        83: "TOTAL_ENERGY_CONSUMPTION", 185: "POWER_AVERAGE", 186: "POWER_INSTANT", 190: "POWER_CURRENT_LIMIT",
        82: "MEMORY_TEMP", 74: "PERF_POLICY_POWER", 75: "PERF_POLICY_THERMAL", 76: "PERF_POLICY_SYNC_BOOST",
        77: "PERF_POLICY_BOARD_LIMIT", 79: "PERF_POLICY_RELIABILITY", 269: "CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN",
        270: "CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN", 271: "CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN",
        197: "PCIE_COUNT_TX_BYTES", 198: "PCIE_COUNT_RX_BYTES", 138: "NVLINK_THROUGHPUT_DATA_TX",
        139: "NVLINK_THROUGHPUT_DATA_RX", 202: "NVLINK_COUNT_XMIT_BYTES", 204: "NVLINK_COUNT_RCV_BYTES",
        94: "PCIE_REPLAY_COUNTER", 3: "ECC_SBE_VOL_TOTAL", 4: "ECC_DBE_VOL_TOTAL", 142: "REMAPPED_COR",
        143: "REMAPPED_UNC", 144: "REMAPPED_PENDING", 145: "REMAPPED_FAILURE", 230: "GET_GPU_RECOVERY_ACTION",
        45: "NVLINK_CRC_DATA_ERROR_COUNT_TOTAL", 163: "NVLINK_ERROR_DL_CRC", 52: "NVLINK_REPLAY_ERROR_COUNT_TOTAL",
        161: "NVLINK_ERROR_DL_REPLAY", 59: "NVLINK_RECOVERY_ERROR_COUNT_TOTAL", 162: "NVLINK_ERROR_DL_RECOVERY",
    }  # fmt: skip
    gpm = {
        1: "GRAPHICS_UTIL", 2: "SM_UTIL", 3: "SM_OCCUPANCY", 4: "INTEGER_UTIL", 5: "ANY_TENSOR_UTIL", 10: "DRAM_BW_UTIL",
        11: "FP64_UTIL", 12: "FP32_UTIL", 13: "FP16_UTIL", 20: "PCIE_TX_PER_SEC", 21: "PCIE_RX_PER_SEC",
        60: "NVLINK_TOTAL_RX_PER_SEC", 61: "NVLINK_TOTAL_TX_PER_SEC",
    }  # fmt: skip
    used = [way.quantity for metric in (*OFTEN, *ACTIVITY, *SELDOM) for way in metric.ways]

    assert {one.id for one in used if isinstance(one, Field)} == set(fields)
    assert {one.id for one in used if isinstance(one, Gpm)} == set(gpm)
    assert {number: getattr(pynvml, f"NVML_FI_DEV_{name}") for number, name in fields.items()} == {n: n for n in fields}
    assert {number: getattr(pynvml, f"NVML_GPM_METRIC_{name}") for number, name in gpm.items()} == {n: n for n in gpm}
