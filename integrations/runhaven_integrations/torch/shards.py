"""Where shards meet: processes exchange what they counted through the store of their process group.

Nothing here is a collective operation, and nothing waits on a training's thread: each process puts down what it has, and
the first one picks it up in the background. A process that takes no part is missed, not waited for.
"""

from __future__ import annotations

import io
import itertools
import logging
import queue
import threading
import time
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist

from runhaven_integrations.torch.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runhaven_integrations.torch.capture import Capture

logger = logging.getLogger("runhaven")

PATIENCE_S = 30.0
PATIENCE_AT_END_S = 10.0
_POLL_S = 0.02
_numbers = itertools.count()


class Place:
    """Where the processes that watch one model meet.

    Attributes:
        rank: The number of this process.
    """

    def __init__(self) -> None:
        """Find the place that the same call of `watch()` has on every process.

        Raises:
            RuntimeError: If the process group has no store.
        """
        from torch.distributed import distributed_c10d as c10d

        shared: Any = c10d._get_default_store()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        self.rank = dist.get_rank()
        self.store: Any = c10d.PrefixStore(f"runhaven/watch/{next(_numbers)}", shared)
        self._is_open = False

    def open(self) -> None:
        """Say, on the first process, that shards are welcome."""
        self.store.set("open", b"1")

    def is_open(self, *, patience_s: float) -> bool:
        """Tell whether the first process watches too, waiting a while for it."""
        until = time.monotonic() + patience_s
        while not self._is_open:
            self._is_open = bool(self.store.check(["open"]))
            if not self._is_open and time.monotonic() > until:
                return False
            time.sleep(0.0 if self._is_open else _POLL_S)
        return True


def find_place() -> Place | None:
    """Return where shards meet; None unless this is one of several processes that train together."""
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return None
    try:
        return Place()
    except Exception:
        logger.debug("the process group has no store", exc_info=True)
        return None


class Meeting:
    """What the other processes hold of one capture; on the first process."""

    def __init__(
        self, place: Place, number: int, ranks: Sequence[int], on_absent: Callable[[Sequence[int]], None]
    ) -> None:
        """Wait, without blocking, for the shards of one capture.

        Args:
            place: Where they arrive.
            number: The number of the capture, the same on all processes.
            ranks: The processes that hold shards, this one among them.
            on_absent: Called with the processes that did not come.
        """
        self._place = place
        self._keys = {rank: f"{number}/{rank}" for rank in ranks if rank != place.rank}
        self._on_absent = on_absent
        self._deadline = time.monotonic() + PATIENCE_S

    def is_over(self) -> bool:
        """Tell whether all have come, or it has been too long."""
        return time.monotonic() > self._deadline or self._have_come(self._keys.values())

    def _have_come(self, keys: Any) -> bool:
        try:
            return bool(self._place.store.check(list(keys)))
        except Exception:  # noqa: BLE001 - the store goes down with the process group
            self._deadline = 0.0
            return False

    def gather(self, found: dict[str, Totals]) -> None:
        """Add what the others hold, waiting a little for those that are late."""
        until = min(self._deadline, time.monotonic() + PATIENCE_AT_END_S)
        while not self.is_over() and time.monotonic() < until:
            time.sleep(_POLL_S)
        absent = [rank for rank, key in self._keys.items() if not self._take(key, found)]
        if absent:
            self._on_absent(absent)
            return
        for totals in found.values():
            totals.partial.clear()

    def _take(self, key: str, found: dict[str, Totals]) -> bool:
        if not self._have_come([key]):
            return False
        store = self._place.store
        for kind, totals in unpack(store.get(key)).items():
            found.setdefault(kind, Totals()).add(totals)
        store.delete_key(key)
        return True


class Sender:
    """Puts down this process's shards, on a thread of its own."""

    def __init__(self, place: Place) -> None:
        """Start the thread."""
        self._place = place
        self._captures: queue.SimpleQueue[tuple[int, Capture] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="runhaven-shards", daemon=True)
        self._thread.start()

    def send(self, number: int, capture: Capture) -> None:
        """Put down a capture, soon."""
        self._captures.put((number, capture))

    def stop(self) -> None:
        """Send what is left, and end."""
        self._captures.put(None)
        self._thread.join(PATIENCE_AT_END_S)

    def _run(self) -> None:
        patience_s = PATIENCE_AT_END_S / 2
        while (item := self._captures.get()) is not None:
            number, capture = item
            try:
                is_open = self._place.is_open(patience_s=patience_s)
                patience_s = 0.0
                if is_open:
                    self._place.store.set(f"{number}/{self._place.rank}", pack(capture.totals()))
            except Exception:
                logger.debug("a shard could not be sent", exc_info=True)


def pack(found: dict[str, Totals]) -> bytes:
    """Return totals as bytes, their counts without the zeros."""
    plain = {
        kind: {
            "squares": totals.squares,
            "places": {name: totals.places.get(name, 0) for name in totals.squares},
            "zeros": {name: totals.zeros.get(name, 0) for name in totals.squares},
            "sizes": {name: totals.sizes.get(name, 0) for name in totals.counts},
            "counted": list(totals.counts),
            "counts": torch.stack(list(totals.counts.values())).to_sparse() if totals.counts else None,
        }
        for kind, totals in ((kind, totals.shards()) for kind, totals in found.items())
    }
    file = io.BytesIO()
    torch.save(plain, file)
    return file.getvalue()


def unpack(data: bytes) -> dict[str, Totals]:
    """Return what `pack` made bytes of."""
    plain: dict[str, dict[str, Any]] = torch.load(io.BytesIO(data), weights_only=True)
    return {
        kind: Totals(
            squares=of_kind["squares"],
            places=of_kind["places"],
            zeros=of_kind["zeros"],
            sizes=of_kind["sizes"],
            counts=dict(zip(of_kind["counted"], of_kind["counts"].to_dense(), strict=True))
            if of_kind["counted"]
            else {},
        )
        for kind, of_kind in plain.items()
    }
