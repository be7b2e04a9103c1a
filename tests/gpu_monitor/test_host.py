"""The machine itself: as it is here, and as control groups of both versions let a process use it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from runhaven_gpu_monitor.cgroup import cpu_limit, memory_limit
from runhaven_gpu_monitor.host import HostSource
from runhaven_gpu_monitor.kernel_file import read_bytes
from runhaven_gpu_monitor.pressure import Pressure
from runhaven_gpu_monitor.source import Incident

V2 = """
proc/self/cgroup = 0::/kubepods/pod1/main
sys/fs/cgroup/cgroup.controllers = cpu memory io
sys/fs/cgroup/kubepods/pod1/cpu.max = 200000 100000
sys/fs/cgroup/kubepods/pod1/cpu.stat = usage_usec 5000000\\nuser_usec 1
sys/fs/cgroup/kubepods/pod1/memory.max = max
sys/fs/cgroup/kubepods/pod1/main/cpu.max = max 100000
sys/fs/cgroup/kubepods/pod1/main/memory.max = 8589934592
sys/fs/cgroup/kubepods/pod1/main/memory.current = 5368709120
sys/fs/cgroup/kubepods/pod1/main/memory.stat = anon 1\\ninactive_file 1073741824
"""
V1 = """
proc/self/cgroup = 4:memory:/docker/abc\\n3:cpuacct,cpu:/docker/abc\\n1:name=systemd:/
sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us = 150000
sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us = 100000
sys/fs/cgroup/cpu/docker/abc/cpuacct.usage = 7000000000
sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes = 4294967296
sys/fs/cgroup/memory/docker/abc/memory.usage_in_bytes = 3221225472
sys/fs/cgroup/memory/docker/abc/memory.stat = total_inactive_file 1073741824
"""
STALLS = "some avg10=0.00 avg60=0.00 avg300=0.00 total={some}\\nfull avg10=0.00 avg60=0.00 avg300=0.00 total={full}"


def ignore(_: Incident) -> None:
    pass


@pytest.mark.parametrize(
    ("text", "cpus", "cpu_s", "memory", "used"),
    [pytest.param(V2, 2.0, 5.0, 8 << 30, 4 << 30, id="v2"), pytest.param(V1, 1.5, 7.0, 4 << 30, 2 << 30, id="v1")],
)
def test_limits_of_control_groups(tree, text, cpus, cpu_s, memory, used):
    """The tightest limit on the way to the root counts, with what its group uses; page cache that can go is not used."""
    root = str(tree(text))
    processors, room = cpu_limit(root), memory_limit(root)

    assert processors is not None
    assert (processors.amount, processors.used()) == (cpus, cpu_s)
    assert room is not None
    assert (room.amount, room.used()) == (memory, used)


@pytest.mark.parametrize(
    "text",
    [
        "proc/self/cgroup = 0::/a\\n\nsys/fs/cgroup/cgroup.controllers = cpu\nsys/fs/cgroup/a/cpu.max = max 100000",
        "sys/fs/cgroup/memory/memory.limit_in_bytes = 9223372036854771712\nsys/fs/cgroup/cpu/cpu.cfs_quota_us = -1",
        "proc/nothing = 1",
    ],
)
def test_without_a_limit_the_machine_is_the_limit(tree, text):
    """What either version writes for "no limit", and a system without control groups, are no limit."""
    root = str(tree(text))

    assert cpu_limit(root) is None
    assert memory_limit(root) is None


def test_percentages_are_of_what_the_group_may_use(tree):
    """In a group with 8 GiB of which 4 are used, memory is half full however much the machine has; the facts say so."""
    source = HostSource(root=str(tree(V2)))
    facts = source.open(ignore)
    values = source.sample()
    source.close()

    assert facts is not None
    assert facts.get("memory_limit_bytes") == 8 << 30
    assert values["memory/used_percent"] == 50.0


def test_the_host_is_read_in_sensible_ranges():
    """Processor, memory, disk, network, shared memory and process readings are there and make sense."""
    source = HostSource()
    facts = source.open(ignore)
    source.sample()
    sum(index * index for index in range(300_000))
    values = source.sample()
    source.close()

    assert facts is not None
    assert facts["cpu_count"] >= 1
    assert 0 <= values["cpu/utilization_percent"] <= 100
    assert 0 < values["memory/used_percent"] <= 100
    assert 1 << 20 < values["memory/process_bytes"] < facts["memory_bytes"]
    assert values["process/threads"] >= 1
    assert values["disk/written_bytes"] >= 0
    assert values["network/sent_bytes"] >= 0
    if Path("/dev/shm").exists():
        assert 0 <= values["shared_memory/used_percent"] <= 100


def test_children_count_as_the_process_and_by_themselves():
    """Memory and processor time of a real child are part of the tree's, and told apart from the process's own."""
    source = HostSource()
    source.open(ignore)
    began = time.monotonic()
    alone = source.sample()
    code = "import time\ndata = bytearray(80 << 20); end = time.process_time() + 0.5\nwhile time.process_time() < end: pass\nprint('ready', flush=True); input()"
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    together = source.sample()
    elapsed = time.monotonic() - began
    child.communicate(b"\n")
    source.close()

    assert together["memory/process_bytes"] - alone["memory/process_bytes"] > 70 << 20
    assert together["memory/children_bytes"] - alone["memory/children_bytes"] > 70 << 20
    assert together["cpu/children_percent"] > 100 * 0.5 / elapsed * 0.9
    assert together["cpu/process_percent"] >= together["cpu/children_percent"] - 1e-6


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a pipe with a name")
def test_a_long_list_is_read_to_its_end(tmp_path):
    """What is handed out piece by piece, as the kernel does with long lists, is read whole."""
    path, expected = tmp_path / "list", random.Random(0).randbytes(300_000)
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(expected,))
    writer.start()
    found = read_bytes(str(path))
    writer.join()

    assert found == expected


def test_pressure_is_the_part_of_the_time_that_tasks_waited(tree):
    """The kernel counts microseconds; the machine's files serve where the group has none of its own."""
    text = "\n".join(f"proc/pressure/{name} = {STALLS}" for name in ("cpu", "memory", "io"))
    root = tree(text.format(some=0, full=0))
    began = time.monotonic()
    pressure = Pressure(str(root))
    time.sleep(0.3)
    (root / "proc/pressure/io").write_text(STALLS.replace("\\n", "\n").format(some=150_000, full=30_000) + "\n")
    values = pressure.read()
    elapsed = time.monotonic() - began

    assert set(values) == {
        f"pressure/{name}_percent" for name in ("cpu_some", "memory_some", "memory_full", "io_some", "io_full")
    }
    assert 15 / elapsed * 0.95 <= values["pressure/io_some_percent"] <= 50.0
    assert values["pressure/io_full_percent"] == pytest.approx(values["pressure/io_some_percent"] / 5)
    assert values["pressure/cpu_some_percent"] == 0


def test_the_group_s_own_pressure_comes_first(tree):
    """What this process's own group waited for says more than what the whole machine did."""
    lines = [f"proc/pressure/{name} = {STALLS.format(some=5, full=5)}" for name in ("cpu", "memory", "io")]
    lines += [
        f"sys/fs/cgroup/kubepods/pod1/main/{n}.pressure = {STALLS.format(some=0, full=0)}"
        for n in ("cpu", "memory", "io")
    ]
    root = tree(V2 + "\n".join(lines))
    pressure = Pressure(str(root))
    own = root / "sys/fs/cgroup/kubepods/pod1/main/cpu.pressure"
    own.write_text(STALLS.replace("\\n", "\n").format(some=10**9, full=0) + "\n")

    assert pressure.read()["pressure/cpu_some_percent"] == 100.0


def test_shared_memory_that_runs_out_is_told_once(monkeypatch, tree):
    """Before the workers of a data loader die of a bus error, somebody says why they will."""
    full = os.statvfs_result((4096, 4096, 1000, 20, 20, 0, 0, 0, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    told: list[Incident] = []
    source = HostSource(root=str(tree("dev/shm/x = 1")))
    source.open(told.append)
    values = source.sample()
    source.sample()

    assert values["shared_memory/used_bytes"] == 980 * 4096
    assert values["shared_memory/used_percent"] == 98.0
    assert [(incident.title, incident.level) for incident in told] == [("shared memory is nearly full", "WARN")]
