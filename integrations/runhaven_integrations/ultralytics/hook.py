# Types are checked without Ultralytics too, whose licence asks for a choice.
# pyright: basic, reportMissingImports=false, reportAttributeAccessIssue=false, reportCallIssue=false
"""Lets trainings be logged that nobody attached anything to."""

from __future__ import annotations

from typing import Any, cast

from runhaven import session
from runhaven.adapter import call_before
from runhaven_integrations.ultralytics.callbacks import RunhavenCallbacks

_WORDS = ("runhaven", "wandb")
_REFUSED = "runhaven_refused"
"""Stands among the callbacks of a training that is not to be logged."""

_are_all_logged = False
_said: dict[str, bool] = {}
"""What the arguments of the training that is about to begin say about being logged."""


def activate() -> None:
    """Have trainings logged inside `runhaven.init()`, and where `runhaven=True` or `wandb=True` is among the arguments.

    Three functions of Ultralytics are wrapped: the one that checks the names of arguments, the one in which its own
    loggers join a training, and the one that hands a training over to several processes.
    """
    from ultralytics import cfg
    from ultralytics.utils import callbacks, dist

    call_before(cfg, "check_dict_alignment", _understand)
    call_before(callbacks, "add_integration_callbacks", _join)
    call_before(dist, "generate_ddp_file", _join)


def log_all() -> None:
    """Have trainings logged that no `init()` surrounds, too; `runhaven run` calls it."""
    global _are_all_logged  # noqa: PLW0603 - the process has one Ultralytics
    activate()
    _are_all_logged = True


def _understand(_: Any, custom: dict[str, Any], *__: Any, **___: Any) -> None:
    """Take our words out of arguments before Ultralytics, which does not know them, looks at them."""
    words = {word: custom.pop(word) for word in _WORDS if word in custom}
    is_bare = not custom and "" in words.values()
    if words and (is_bare or custom.get("mode") == "train"):
        _said["logged"] = any(value is True or value == "" for value in words.values())


def _join(worker: Any) -> None:
    """Put callbacks into a trainer or a validator that has none of ours, if it is to be logged."""
    from ultralytics.engine.trainer import BaseTrainer
    from ultralytics.engine.validator import BaseValidator

    if not isinstance(worker, BaseTrainer | BaseValidator):
        return
    run = session.current()
    is_wanted = _are_all_logged or (run is not None and not run.is_left_over)
    if isinstance(worker, BaseTrainer):
        is_wanted = _said.pop("logged", is_wanted)
    known = cast("dict[str, list[Any]]", worker.callbacks)
    if not is_wanted:
        # A trainer shares its callbacks with its validator, which asks for itself later.
        known[_REFUSED] = []
    elif _REFUSED not in known and not _has_ours(known):
        RunhavenCallbacks().attach(worker)


def _has_ours(known: dict[str, list[Any]]) -> bool:
    every = (callback for callbacks in known.values() for callback in callbacks)
    return any(isinstance(getattr(callback, "__self__", None), RunhavenCallbacks) for callback in every)
