"""PyTorch: `watch()` keeps histograms and norms of the gradients and parameters that the optimizer sees."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal
from weakref import WeakKeyDictionary

from runhaven.errors import UsageError
from runhaven.missing import missing

try:
    import torch
except ImportError as error:
    raise ImportError(missing("torch", "watch()")) from error

from runhaven_integrations.torch.watcher import Options, Watcher

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runhaven import Run

__all__ = ["keep_graph", "unwatch", "watch"]

_KINDS = {None: (), "gradients": ("gradients",), "parameters": ("parameters",), "all": ("gradients", "parameters")}
_watchers: WeakKeyDictionary[Run, dict[int, Watcher]] = WeakKeyDictionary()


def watch(  # noqa: PLR0913, PLR0917 - W&B's signature, and more
    run: Run,
    models: torch.nn.Module | Sequence[torch.nn.Module],
    criterion: Any = None,  # noqa: ARG001 - W&B's argument
    log: Literal["gradients", "parameters", "all"] | None = "gradients",
    log_freq: int = 1000,
    idx: int | None = None,
    log_graph: bool = False,
    *,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    exact: bool | None = None,
    max_tensors: int = 512,
) -> None:
    """Keep histograms and norms at the first and every `log_freq`-th step of an optimizer; see `Run.watch`.

    Raises:
        UsageError: If `log` or `log_freq` mean nothing.
        TypeError: If a model is no `torch.nn.Module`.
    """
    if log not in _KINDS or log_freq < 1:
        message = f"watch() takes log='gradients', 'parameters', 'all' or None and a log_freq from 1, not {log!r} and {log_freq!r}."
        raise UsageError(message)
    if run.role not in ("main", "child"):
        return
    watched = _watchers.setdefault(run, {})
    several: Sequence[Any] = [models] if isinstance(models, torch.nn.Module) else models
    for place, model in enumerate(several):
        if not isinstance(model, torch.nn.Module):
            message = f"watch() takes a torch.nn.Module or several, not {type(model).__name__}."
            raise TypeError(message)
        earlier = watched.pop(id(model), None)
        number = len(watched) if idx is None else idx + place
        prefix = f"graph_{number}" if number else ""
        if earlier is not None:
            prefix = earlier.options.prefix if idx is None else prefix
            earlier.stop()
        options = Options(_KINDS[log], log_freq, prefix, include, exclude, exact, max_tensors)
        watched[id(model)] = Watcher(run, model, options)
        if log_graph:
            keep_graph(run, model, idx=number)


def unwatch(run: Run, models: torch.nn.Module | Sequence[torch.nn.Module] | None = None) -> None:
    """Stop watching some models, or all."""
    watched = _watchers.get(run, {})
    some = [models] if isinstance(models, torch.nn.Module) else models
    for key in list(watched) if some is None else [id(model) for model in some]:
        if key in watched:
            watched.pop(key).stop()


def keep_graph(run: Run, model: torch.nn.Module, *, idx: int = 0) -> None:
    """Keep a model's modules, and the shapes of their parameters.

    Args:
        run: The run.
        model: The model.
        idx: Which one of the run's models it is.
    """
    run.emit({"event": "graph", "idx": idx, **_graph(model)})


def _graph(model: Any) -> dict[str, Any]:
    modules: list[dict[str, Any]] = [
        {
            "name": name,
            "type": type(module).__name__,
            "parameters": [
                {"name": own, "shape": list(each.shape), "dtype": str(each.dtype), "is_trained": each.requires_grad}
                for own, each in module.named_parameters(recurse=False)
            ],
        }
        for name, module in model.named_modules()
    ]
    total = sum(each.numel() for each in model.parameters())
    return {"type": type(model).__name__, "parameters": total, "modules": modules}
