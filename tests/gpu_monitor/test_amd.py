"""AMD GPUs as the kernel shows them, from trees of its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from runhaven_gpu_monitor.amd import AmdSource

TREE = Path(__file__).with_name("trees") / "amd_two_gpus.txt"


def tell(_) -> None:
    pytest.fail("there is nothing to tell")


@pytest.fixture
def root(tree) -> Path:
    return tree(TREE.read_text())


def test_every_reading_in_the_unit_of_its_key(root):
    """Percent, bytes, watts, degrees and megahertz out of the kernel's micro- and milli-units."""
    source = AmdSource(root=str(root))
    source.open(tell)
    values = source.sample()

    assert {key: value for key, value in values.items() if key.startswith("gpu/2/")} == pytest.approx(
        {
            "gpu/2/utilization_percent": 93, "gpu/2/memory_utilization_percent": 41,
            "gpu/2/memory_used_bytes": 2143289344, "gpu/2/memory_used_percent": 25.0,
            "gpu/2/power_watts": 219.0, "gpu/2/power_limit_watts": 264.0,
            "gpu/2/sm_clock_mhz": 1536.0, "gpu/2/memory_clock_mhz": 945.0,
            "gpu/2/temperature_celsius": 71.0, "gpu/2/hotspot_temperature_celsius": 88.0,
            "gpu/2/memory_temperature_celsius": 80.0, "gpu/2/fan_percent": 40.0,
        }
    )  # fmt: skip


def test_what_a_gpu_lacks_is_left_out(root):
    """A GPU with one sensor and no load has what it has; a reading that vanishes later leaves a gap."""
    source = AmdSource(root=str(root))
    source.open(tell)
    values = source.sample()
    (root / "sys/devices/0000:03:00.0/hwmon/hwmon2/power1_input").unlink()

    assert {key: value for key, value in values.items() if key.startswith("gpu/1/")} == {
        "gpu/1/memory_used_bytes": 1 << 30,
        "gpu/1/memory_used_percent": 25.0,
        "gpu/1/power_watts": 18.0,
        "gpu/1/temperature_celsius": 57.0,
    }
    assert "gpu/1/power_watts" not in source.sample()


def test_they_are_numbered_after_nvidia_in_the_order_of_the_bus(root, monkeypatch):
    """NVIDIA's card keeps its number 0; connectors and render nodes are no cards; who they are is told."""
    monkeypatch.setenv("HIP_VISIBLE_DEVICES", "1")
    facts = AmdSource(root=str(root)).open(tell)

    assert facts is not None
    assert facts["gpus"] == [
        {"index": 1, "vendor": "AMD", "name": "AMD GPU 0x67df", "uuid": None, "memory_bytes": 4 << 30,
         "pci": "0000:03:00.0", "is_visible": False},
        {"index": 2, "vendor": "AMD", "name": "Radeon RX Vega", "uuid": "GPU-0215009d8a7c1ac4",
         "memory_bytes": 8573157376, "pci": "0000:0b:00.0", "is_visible": True},
    ]  # fmt: skip


def test_the_slow_file_is_never_opened(root):
    """The kernel measures for a second when `pcie_bw` is read: a pipe in its place would hang whoever opens it."""
    import os

    path = root / "sys/devices/0000:0b:00.0/pcie_bw"
    path.unlink()
    os.mkfifo(path)
    source = AmdSource(root=str(root))
    source.open(tell)

    assert source.sample()["gpu/2/utilization_percent"] == 93


def test_without_one_there_is_nothing(tmp_path):
    """A machine without an AMD GPU, or without `/sys`, is no error."""
    source = AmdSource(root=str(tmp_path))

    assert source.open(tell) is None
    assert source.sample() == {}
