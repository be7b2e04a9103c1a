"""GPUs for machines without one: builds `fake_nvml.c`, puts it in the driver's place, and says what it answers."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

ALL = -1
DOUBLE, UINT, ULONGLONG, LONGLONG, INT, USHORT = 0, 1, 3, 4, 5, 6


def build(directory: Path) -> Path:
    """Compile the library and return where it lies."""
    path = directory / "libnvidia-ml.so.1"
    command = ["gcc", "-shared", "-fPIC", "-O1", "-Wl,-soname,libnvidia-ml.so.1", "-o", str(path)]
    subprocess.run([*command, str(Path(__file__).with_name("fake_nvml.c"))], check=True)
    return path


class FakeDriver:
    """The library, loaded before pynvml looks for it: by its name it is the driver's from then on."""

    def __init__(self, path: Path | str, *, gpus: int = 2) -> None:
        self.library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        self.set("gpus", gpus)

    def set(self, name: str, *numbers: float, gpu: int = ALL) -> None:
        """Answer with these numbers, one after the other, the last for ever."""
        self.library.fakeNvmlSet(name.encode(), gpu, (ctypes.c_double * len(numbers))(*numbers), len(numbers))

    def field(self, number: int, *numbers: float, kind: int = ULONGLONG, code: int = 0, gpu: int = ALL) -> None:
        """Answer a field value with numbers of a type, or with a code."""
        array = (ctypes.c_double * len(numbers))(*numbers)
        self.library.fakeNvmlField(gpu, number, kind, code, array, len(numbers))

    def fail(self, function: str, code: int, gpu: int = ALL) -> None:
        """Let a function, or all of them ("*"), return a code; 0 ends that."""
        self.library.fakeNvmlFail(function.encode(), gpu, code)

    def hang(self, function: str, hangs: bool = True) -> None:
        """Let no call of a function return until it may."""
        self.library.fakeNvmlHang(function.encode(), int(hangs))

    def process(self, pid: int, used: int) -> None:
        """Let a process hold memory."""
        self.library.fakeNvmlProcess(pid, ctypes.c_double(used))

    def calls(self, function: str = "") -> int:
        """Return how often a function was called, or all of them."""
        return self.library.fakeNvmlCalls(function.encode())

    def size(self, layout: str) -> int:
        """Return how many bytes the library takes a structure to have."""
        return self.library.fakeNvmlSize(layout.encode())

    def be_h100(self) -> None:
        """Answer as a busy H100 would, with all its sensors; counters are where the test sets them next."""
        for name, number in {
            "utilization": 87, "memory_utilization": 41, "total": 80 << 30, "used": 60 << 30, "reserved": 1 << 29,
            "temperature": 64, "nvmlDeviceGetClockInfo.0": 1755, "nvmlDeviceGetClockInfo.1": 1980,
            "nvmlDeviceGetClockInfo.2": 2619, "nvmlDeviceGetPowerUsage": 652_345, "nvmlDeviceGetPerformanceState": 0,
            "nvmlDeviceGetFanSpeed": 33, "nvmlDeviceGetCurrPcieLinkGeneration": 5, "nvmlDeviceGetCurrPcieLinkWidth": 16,
            "nvmlDeviceGetEncoderUtilization": 1, "nvmlDeviceGetDecoderUtilization": 2, "nvmlDeviceGetJpgUtilization": 3,
            "nvmlDeviceGetOfaUtilization": 4, "gpm": 1, "gpm.clock": 0, "nvmlDeviceGetEnforcedPowerLimit": 700_000,
        }.items():  # fmt: skip
            self.set(name, number)
        for number in (1, 2, 3, 4, 5, 10, 11, 12, 13, 20, 21, 60, 61):
            self.set(f"gpm.{number}", number)
        for number in (83, 74, 75, 76, 77, 79, 269, 270, 271, 138, 139, 3, 4):
            self.field(number, 0)
        for number, answer in {
            82: 78, 185: 640_123, 186: 655_001, 190: 700_000, 94: 5, 142: 1, 143: 2, 144: 0, 145: 0, 230: 0, 45: 11,
            52: 12, 59: 13,
        }.items():  # fmt: skip
            self.field(number, answer, kind=UINT)
