"""What the return codes of NVML mean for whoever goes on asking."""

from __future__ import annotations

from enum import Enum, auto


class Verdict(Enum):
    """What to do after a call."""

    OK = auto()
    GAP = auto()
    """Leave the reading out of this row and ask again."""
    DROP = auto()
    """Never ask again: the answer will be the same until the driver is loaded anew."""
    LOST = auto()
    """Leave the GPU alone, it is gone; the others go on."""
    GONE = auto()
    """Connect again: the driver or the library's state is gone."""


INVALID_ARGUMENT = 2
NOT_SUPPORTED = 3
FUNCTION_NOT_FOUND = 13
INSUFFICIENT_SIZE = 7
LIBRARY_MISMATCH = 18
"""The driver was replaced by another version under this process, which keeps the old library: nothing helps."""

_VERDICTS = {
    0: Verdict.OK,
    1: Verdict.GONE,  # UNINITIALIZED, as in a forked child
    INVALID_ARGUMENT: Verdict.DROP,  # this driver does not know what is asked for
    NOT_SUPPORTED: Verdict.DROP,
    4: Verdict.DROP,  # NO_PERMISSION
    9: Verdict.GONE,  # DRIVER_NOT_LOADED
    FUNCTION_NOT_FOUND: Verdict.DROP,
    15: Verdict.LOST,  # GPU_IS_LOST
    16: Verdict.LOST,  # RESET_REQUIRED
    LIBRARY_MISMATCH: Verdict.GONE,
    25: Verdict.DROP,  # ARGUMENT_VERSION_MISMATCH
    26: Verdict.DROP,  # DEPRECATED
}


def judge(code: int) -> Verdict:
    """Return what to do after a call that returned `code`; what is not known may pass."""
    return _VERDICTS.get(code, Verdict.GAP)


class NvmlError(Exception):
    """A call failed in a way that concerns more than one reading.

    Attributes:
        code: What NVML returned.
        verdict: `LOST` or `GONE`.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"NVML code {code}")
        self.code = code
        self.verdict = judge(code)
