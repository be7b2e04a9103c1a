"""The directory in which the processes of one use of `runhaven run` leave each other notes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from runhaven.platform.files import replace_atomically
from runhaven.platform.process import ProcessIdentity, identity, is_alive

if TYPE_CHECKING:
    from collections.abc import Generator

_PREFIX = "runhaven-run-"
_LAUNCHER = "launcher.json"


@contextlib.contextmanager
def own_folder() -> Generator[str]:
    """Make a directory that is gone afterwards; those of launchers that were killed are removed before."""
    _remove_abandoned(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        # A program is started on a full disk too.
        with contextlib.suppress(OSError):
            replace_atomically(Path(folder) / _LAUNCHER, json.dumps(asdict(identity())).encode())
        yield folder


def _remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{_PREFIX}*"):
        # What does not say whose it is, or is somebody else's, is none of our business.
        with contextlib.suppress(OSError, ValueError, TypeError):
            launcher = ProcessIdentity(**json.loads((folder / _LAUNCHER).read_text("utf-8")))
            if folder.lstat().st_uid == os.getuid() and is_alive(launcher) is False:
                shutil.rmtree(folder)
