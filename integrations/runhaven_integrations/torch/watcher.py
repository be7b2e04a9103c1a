"""Watches one model for one run: makes captures of it when a trigger says so, and undoes all that it did."""

from __future__ import annotations

import logging
import weakref
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from runhaven_integrations.torch.capture import Capture
from runhaven_integrations.torch.names import NamedParameters
from runhaven_integrations.torch.part import part_of
from runhaven_integrations.torch.shards import Meeting, Sender, find_place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runhaven import Run
    from runhaven._watch_calls import WatchOptions
    from runhaven.log_histogram import LogHistogram
    from runhaven_integrations.torch.part import Part
    from runhaven_integrations.torch.shards import Place

logger = logging.getLogger("runhaven")

SAMPLED_FROM = 1 << 25
SAMPLE = 1 << 16
KINDS: dict[str | None, tuple[str, ...]] = {
    None: (),
    "gradients": ("gradients",),
    "parameters": ("parameters",),
    "all": ("gradients", "parameters"),
}


class Watched(NamedTuple):
    """A parameter that is looked at.

    Attributes:
        place: Its place in the model.
        name: Its name.
        parameter: The parameter.
        sample: How many of its numbers are counted if it has many more; 0 for all.
    """

    place: int
    name: str
    parameter: torch.nn.Parameter
    sample: int = 0


class Watcher:
    """Makes captures of a model, and hands them to the run, or to the first process of several.

    Attributes:
        options: What to look at, and how often.
        prefix: Stands before each parameter's name.
        kinds: "gradients", "parameters", or both.
        look_again: Called, on the background thread, to have the next step looked at because numbers are not finite.
        called: The place in the forward pass of each module that was called, by its name; empty if that is not known.
    """

    def __init__(self, run: Run, model: torch.nn.Module, options: WatchOptions, prefix: str) -> None:
        """Begin; nothing is put on the model."""
        self.options = options
        self.prefix = prefix
        self.kinds = KINDS[options.log]
        self.look_again: Callable[[], None] = lambda: None
        self.called: dict[str, int] = {}
        self._include = _patterns(options.include)
        self._exclude = _patterns(options.exclude)
        self._run = run
        self._model = weakref.ref(model)
        self._parameters = NamedParameters()
        self._is_kept = run.role in ("main", "child")
        self._place: Place | None = None
        self._sender: Sender | None = None
        self._number = 0
        self._bad: set[str] = set()
        self._find_place()

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to watch."""
        return self._run.is_finished or self._model() is None

    @property
    def step(self) -> int:
        """The run's present step."""
        return self._run.recorder.step

    def stop(self) -> None:
        """Send what is still to be sent."""
        if self._sender is not None:
            self._sender.stop()
            self._sender = None

    def attempt(self, look: Callable[..., None], *arguments: Any) -> None:
        """Look; whatever goes wrong is none of the training's business."""
        try:
            if torch.cuda.is_available() and torch.cuda.is_current_stream_capturing():
                return
            with torch.no_grad():
                look(*arguments)
        except Exception as error:
            self._run.notices.warn(f"watch() could not look at the model: {error!r}.", about="watch")
            logger.debug("watch() failed", exc_info=True)

    # What to look at

    def watched(self) -> list[Watched]:
        """Return the parameters to look at, as the model has them now."""
        model = self._model()
        if model is None:
            return []
        found = [(place, *each) for place, each in enumerate(self._parameters.of(model))]
        if self._include or self._exclude:
            found = [each for each in found if self._is_wanted(each[1])]
        sample = SAMPLE if self._is_sampled(parameter for _, _, parameter, _ in found) else 0
        # Most rows of an embedding's gradient are zero: a sample would tell little of the others.
        return [
            Watched(place, name, parameter, 0 if isinstance(module, torch.nn.Embedding) else sample)
            for place, name, parameter, module in found
        ]

    def _is_sampled(self, parameters: Iterable[torch.nn.Parameter]) -> bool:
        if self.options.exact is not None:
            return not self.options.exact
        return sum(each.numel() for each in parameters if each.requires_grad) >= SAMPLED_FROM

    def _is_wanted(self, name: str) -> bool:
        is_included = not self._include or any(fnmatchcase(name, each) for each in self._include)
        return is_included and not any(fnmatchcase(name, each) for each in self._exclude)

    def parts(self, watched: Iterable[Watched], kind: str) -> list[Part]:
        """Return what of the "gradients" or "parameters" lies here, and is kept or sent."""
        found = [self._part(each, kind) for each in watched]
        return [part for part in found if part is not None and (part.ranks or self._is_kept)]

    def look(
        self, capture: Capture, kind: str, watched: Sequence[Watched], *, scale: torch.Tensor | None = None
    ) -> None:
        """Take the "gradients" or "parameters" into a capture; `scale` is what they are multiplied by."""
        room = self.options.max_tensors
        parts = self.parts(watched, kind)
        if len(parts) > room:
            text = (
                f"watch() keeps histograms of {room} of {len(parts)} tensors; pass include= or max_tensors= for others."
            )
            self._run.notices.warn(text, about="watch max_tensors")
        capture.add(kind, parts, room=room, scale=scale)

    def _part(self, watched: Watched, kind: str) -> Part | None:
        value = watched.parameter.grad if kind == "gradients" else watched.parameter
        try:
            return None if value is None else part_of(watched.place, watched.name, value, sample=watched.sample)
        except Exception as error:
            name = watched.name
            self._run.notices.warn(f"watch() leaves out {name}: {error!r}.", about=f"watch {name}")
            logger.debug("a tensor could not be looked at", exc_info=True)
            return None

    # Captures

    def begin(self, *, is_extra: bool = False, is_skipped: bool = False) -> Capture:
        """Return a new capture at the run's present step.

        Args:
            is_extra: Whether this is a second look at numbers that are not finite: exact, and without shards, for
                the other processes do not look now.
            is_skipped: Whether they are of a step that a GradScaler skipped, where that is nothing unusual.
        """
        capture = Capture(self.step, self.prefix, _ignore if is_skipped else self._on_read, is_extra=is_extra)
        if self._is_kept:
            self._run.recorder.log_later(capture)
        return capture

    def end(self, capture: Capture) -> None:
        """Let a capture be read; if it holds shards, let those of all processes meet."""
        if capture.ranks:
            place = self._find_place()
            self._number += 1
            if place is None:
                pass
            elif place.rank == min(capture.ranks):
                capture.meeting = Meeting(place, self._number, sorted(capture.ranks), self._on_absent)
            else:
                self._sender = self._sender or Sender(place)
                capture.is_sent = True
                self._sender.send(self._number, capture)
        capture.close()

    def log(self, row: dict[str, Any]) -> None:
        """Keep a row at the run's present step."""
        if self._is_kept:
            self._run.recorder.log_later(Known([row]))

    def alert(self, title: str, text: str) -> None:
        """Raise an alert of the run."""
        self._run.alert(title, text, "WARN")

    def _find_place(self) -> Place | None:
        if self._place is None:
            self._place = find_place()
            if self._place is not None and self._is_kept:
                self._place.open()
        return self._place

    def _on_absent(self, ranks: Sequence[int]) -> None:
        listed = ", ".join(map(str, ranks[:8]))
        self._run.notices.warn(
            f"shards of rank {listed}{' and others' if len(ranks) > 8 else ''} did not arrive, and histograms are marked "  # noqa: PLR2004 - enough to see which
            "as partial; call run.watch(model) on every rank.",
            about="absent shards",
        )

    def _on_read(self, kind: str, bad: dict[str, LogHistogram], came: Iterable[str]) -> None:
        """Tell of numbers that are not finite, once until all are finite again; on the background thread."""
        if not bad:
            self._bad.discard(kind)
        elif kind not in self._bad:
            self._bad.add(kind)
            self.look_again()
            self.alert(f"Non-finite {kind}", self._describe(bad, *self._order(kind, bad, came)))

    def _order(self, kind: str, bad: Iterable[str], came: Iterable[str]) -> tuple[list[str], str]:
        """Return the names of some tensors, ordered by what tells most of where numbers went wrong, and that order."""
        if kind == "gradients" and self.options.when == "backward":
            names = set(bad)
            return [name for name in came if name in names], "backward pass"
        places = {name: self.called.get(name.rpartition(".")[0]) for name in bad}
        if None in places.values():
            return list(bad), "model's definition"
        return sorted(places, key=lambda name: places[name] or 0), "forward pass"

    @staticmethod
    def _describe(bad: dict[str, LogHistogram], names: Sequence[str], order: str) -> str:
        """Name the first and the last of some tensors."""
        first = bad[names[0]]
        many = (
            f"{first.nan} NaN and {first.inf + first.neg_inf} infinite"
            if first.nonfinite
            else "a norm that is not finite"
        )
        others = f"; so has {names[-1]}, the last of {len(bad)} tensors" if len(bad) > 1 else ""
        return f"{names[0]} is the first that has, in the order of the {order}: {many}{others}"


def _ignore(kind: str, bad: dict[str, LogHistogram], came: Iterable[str]) -> None:
    """Tell nobody."""


def _patterns(given: str | Sequence[str]) -> Sequence[str]:
    return (given,) if isinstance(given, str) else tuple(given)


class Known(NamedTuple):
    """Rows whose values need not be waited for."""

    rows: list[dict[str, Any]]

    def is_ready(self) -> bool:
        """Tell that they are there."""
        return True

    def read(self) -> list[dict[str, Any]]:
        """Return them."""
        return self.rows
