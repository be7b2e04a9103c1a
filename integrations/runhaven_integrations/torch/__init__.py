"""PyTorch: `watch()` keeps histograms and norms of the gradients and parameters that the optimizer sees."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from runhaven import Run
from runhaven.errors import UsageError
from runhaven.missing import missing

try:
    import torch
except ImportError as error:
    raise ImportError(missing("torch", "watch()")) from error

from runhaven_integrations.torch.backward import BackwardTrigger
from runhaven_integrations.torch.graph import GraphTracer, describe
from runhaven_integrations.torch.names import unwrap
from runhaven_integrations.torch.step import StepTrigger
from runhaven_integrations.torch.watcher import KINDS, Watcher

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runhaven._watch_calls import WatchOptions

__all__ = ["keep_graph", "start", "unwatch", "watch"]

_TRIGGERS = {"step": StepTrigger, "backward": BackwardTrigger}


class _Watching:
    """Everything that watches one model; `stop` undoes it all."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.watcher: Watcher | None = None
        self.stops: list[Callable[[], None]] = []

    def stop(self) -> None:
        for stop in self.stops:
            stop()
        self.stops.clear()


_watching: WeakKeyDictionary[Run, dict[int, _Watching]] = WeakKeyDictionary()


watch = Run.watch


def start(run: Run, models: torch.nn.Module | Sequence[torch.nn.Module], options: WatchOptions) -> None:
    """Do what `Run.watch` says.

    Raises:
        UsageError: If an option means nothing.
        TypeError: If a model is no `torch.nn.Module`.
    """
    _check(options)
    several: Sequence[Any] = models if isinstance(models, list | tuple) else [models]
    for model in several:
        if not isinstance(model, torch.nn.Module):
            message = f"watch() takes a torch.nn.Module or several, not {type(model).__name__}."
            raise TypeError(message)
    if run.role == "disabled":
        return
    for place, model in enumerate(map(unwrap, several)):
        watching = _begin(run, model, None if options.idx is None else options.idx + place)
        if options.log is not None:
            watcher = Watcher(run, model, options, f"graph_{watching.number}" if watching.number else "")
            trigger = _TRIGGERS[options.when](watcher)
            watcher.look_again = trigger.look_again
            watching.stops += [trigger.stop, watcher.stop]
            watching.watcher = watcher
        if options.log_graph and run.role == "main":
            on_known = partial(_keep_known, run, watching)
            watching.stops.append(GraphTracer(model, on_known).stop)


def unwatch(run: Run, models: torch.nn.Module | Sequence[torch.nn.Module] | None = None) -> None:
    """Stop watching some models, or all."""
    watched = _watching.get(run, {})
    some: Sequence[Any] = models if isinstance(models, list | tuple) else [models]
    for key in list(watched) if models is None else [id(unwrap(model)) for model in some]:
        if key in watched:
            watched.pop(key).stop()


def keep_graph(run: Run, model: torch.nn.Module, *, idx: int = 0) -> None:
    """Keep a model's modules, and the shapes of their parameters.

    Args:
        run: The run.
        model: The model.
        idx: Which one of the run's models it is.
    """
    run.emit({**describe(model, {}), "idx": idx})


def _keep_known(run: Run, watching: _Watching, graph: dict[str, Any]) -> None:
    """Keep the graph, and let alerts name layers in the order in which they were called."""
    if watching.watcher is not None:
        watching.watcher.called = {each["name"]: each["order"] for each in graph["modules"] if "order" in each}
    run.emit({**graph, "idx": watching.number})


def _begin(run: Run, model: torch.nn.Module, number: int | None) -> _Watching:
    """Return the place of a model among those that are watched, after undoing what watched it before."""
    if run not in _watching:
        run.at_finish(lambda: unwatch(run))
    watched = _watching.setdefault(run, {})
    earlier = watched.pop(id(model), None)
    if earlier is not None:
        earlier.stop()
        number = earlier.number if number is None else number
    watching = watched[id(model)] = _Watching(len(watched) if number is None else number)
    return watching


def _check(options: WatchOptions) -> None:
    if options.log not in KINDS:
        message = f"watch() takes log='gradients', 'parameters', 'all' or None, not {options.log!r}."
        raise UsageError(message)
    if options.when not in _TRIGGERS:
        message = f"watch() takes when='step' or 'backward', not {options.when!r}."
        raise UsageError(message)
    log_freq: Any = options.log_freq
    if not isinstance(log_freq, int) or log_freq < 1:
        message = f"watch() takes a log_freq from 1, not {log_freq!r}."
        raise UsageError(message)
