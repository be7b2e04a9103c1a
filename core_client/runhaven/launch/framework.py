"""Sets up adapters once their frameworks are imported, by the entry-point group `runhaven.launch`.

The name of an entry point is the module to wait for, its value the function that is then called, without arguments. Two
entry points may wait for the same module.
"""

from __future__ import annotations

from functools import partial
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from runhaven import session
from runhaven_autoload.import_hook import when_imported

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint
    from types import ModuleType

GROUP = "runhaven.launch"


def await_all() -> None:
    """Wait for the framework of each adapter that is installed; nothing is imported for it."""
    # An installation that lies on two paths is found twice.
    for module, value in {(entry.name, entry.value): entry for entry in entry_points(group=GROUP)}.items():
        when_imported(module[0], partial(_set_up, value))


def _set_up(entry: EntryPoint, _: ModuleType) -> None:
    try:
        entry.load()()
    except Exception as error:  # noqa: BLE001 - a third party's function may fail in any way, and the program must run
        session.notices().warn(
            f"{entry.value} could not set up the logging of {entry.name}: {error!r}. The program goes on; "
            "`runhaven doctor` says more.",
            about=entry.value,
        )
