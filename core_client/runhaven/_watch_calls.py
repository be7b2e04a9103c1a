"""The part of `Run` that is about watching models; the adapter of PyTorch does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from runhaven import integration

if TYPE_CHECKING:
    from collections.abc import Sequence


class WatchOptions(NamedTuple):
    """How models are watched; `Run.watch` says what each means."""

    log: Literal["gradients", "parameters", "all"] | None
    log_freq: int
    idx: int | None
    log_graph: bool
    include: str | Sequence[str]
    exclude: str | Sequence[str]
    when: Literal["step", "backward"]
    exact: bool | None
    max_tensors: int


class WatchCalls:
    """Watches models."""

    def watch(  # noqa: PLR0913 - W&B's signature, and more
        self,
        models: Any,
        criterion: Any = None,  # noqa: ARG002 - W&B's argument
        log: Literal["gradients", "parameters", "all"] | None = "gradients",
        log_freq: int = 1000,
        idx: int | None = None,
        log_graph: bool = False,
        *,
        include: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        when: Literal["step", "backward"] = "step",
        exact: bool | None = None,
        max_tensors: int = 512,
    ) -> None:
        """Keep histograms and norms of a PyTorch model's gradients, as its optimizer sees them.

        Watching a model again replaces what was asked for before. `docs/watch.md` says what the numbers mean.

        Args:
            models: A `torch.nn.Module`, or several.
            criterion: Accepted for old code.
            log: What to keep histograms of; None keeps nothing but the graph.
            log_freq: The first step of an optimizer and every so many are looked at.
            idx: The number of the (first) model: from 1 on, `graph_<idx>` stands before its parameters' names.
            log_graph: Keep the tree of modules, with shapes and FLOPs as the first forward pass shows them.
            include: Patterns, such as "encoder.*", of the names of parameters to look at; by default all.
            exclude: Patterns of names to leave out.
            when: "step" looks when an optimizer steps, "backward" when a gradient is accumulated: for an
                optimizer that steps within the backward pass, or one that is no `torch.optim.Optimizer`.
            exact: True counts every element, False a sample of each tensor of more than 262,144 elements unless it
                is an embedding; by default, a model is sampled from 33.5 M trained elements on. Norms are always of
                every element.
            max_tensors: Of how many tensors histograms are kept; norms are kept of all.

        Raises:
            ImportError: If PyTorch or the adapter is missing.
            UsageError: If an argument means nothing.
            TypeError: If a model is no `torch.nn.Module`.
        """
        options = WatchOptions(log, log_freq, idx, log_graph, include, exclude, when, exact, max_tensors)
        integration.adapter("torch", feature="watch()").start(self, models, options)

    def unwatch(self, models: Any = None) -> None:
        """Stop watching some models, or all; nothing is left of it."""
        integration.adapter("torch", feature="unwatch()").unwatch(self, models)
