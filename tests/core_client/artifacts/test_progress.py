"""The line that says how far something long is, on a real terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

WORK = """
import os, sys, runhaven
from pathlib import Path
from runhaven.artifacts import progress
progress._PATIENCE_S = progress._BEAT_S = float(sys.argv[2])
folder = Path(sys.argv[1])
(folder / "large.bin").write_bytes(os.urandom(21_000_000))
with runhaven.init(project="p", dir=folder / "store", settings=runhaven.Settings(silent=sys.argv[3] == "silent")) as run:
    artifact = runhaven.Artifact("data", "dataset")
    artifact.add_file(folder / "large.bin")
    run.log_artifact(artifact).wait()
    artifact.download(folder / "out")
    artifact.verify(folder / "out")
    runhaven.Artifact("other", "dataset").add_reference((folder / "large.bin").as_uri())
"""


def told(folder, patience_s: float, *, silent: bool = False) -> str:
    """What a person sees in the terminal while artifacts are logged, brought, verified and referred to."""
    ours, theirs = pty.openpty()
    words = [sys.executable, "-c", WORK, str(folder), str(patience_s), "silent" if silent else "loud"]
    environment = os.environ | {"RUNHAVEN_SILENT": str(silent), "RUNHAVEN_DIR": str(folder / "store")}
    process = subprocess.Popen(words, stderr=theirs, env=environment)
    os.close(theirs)
    seen = b""
    try:
        while part := os.read(ours, 1 << 16):
            seen += part
    except OSError:
        # The terminal is gone with its last writer.
        pass
    os.close(ours)

    assert process.wait() == 0, seen.decode()
    return seen.decode()


@pytest.mark.parametrize(
    "what", ["storing data", "downloading data", "reading the store", "reading {0}/out", "reading {0}/large.bin"]
)
def test_what_takes_long_says_how_far_it_is(tmp_path, what):
    """Storing, downloading, verifying and reading for a checksum count up to all of it, and take their line away."""
    seen = told(tmp_path, 0.0)
    steps = [part for part in seen.split("\r") if what.format(tmp_path) in part]

    assert len(steps) > 3
    assert " 100% of 21 MB" in steps[-1]
    assert any("%" in step and "100%" not in step for step in steps)
    assert not any("%" in part for part in seen.split("\r")[-1:])


@pytest.mark.parametrize(("patience_s", "silent"), [(3600.0, False), (0.0, True)])
def test_what_is_quick_or_silent_says_nothing(tmp_path, patience_s, silent):
    """What ends at once shows no line, nor does anything where the settings ask for silence."""
    assert "%" not in told(tmp_path, patience_s, silent=silent)
