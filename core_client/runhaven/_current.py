"""What `runhaven.log_artifact()`, `watch()` and their like do: the method of that name, of the current run."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from runhaven import session
from runhaven._run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _of_current(method: Callable[Concatenate[Run, _P], _R]) -> Callable[_P, _R]:
    """Return a function that calls a method of the current run; UsageError if there is none."""

    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> _R:
        return getattr(session.required(), method.__name__)(*args, **kwargs)

    # What `help()` shows: the method's own arguments, without its run.
    signature = inspect.signature(method)
    vars(call)["__signature__"] = signature.replace(parameters=list(signature.parameters.values())[1:])
    return call


finish_artifact = _of_current(Run.finish_artifact)
link_artifact = _of_current(Run.link_artifact)
link_model = _of_current(Run.link_model)
log_artifact = _of_current(Run.log_artifact)
log_code = _of_current(Run.log_code)
log_model = _of_current(Run.log_model)
restore = _of_current(Run.restore)
unwatch = _of_current(Run.unwatch)
upsert_artifact = _of_current(Run.upsert_artifact)
use_artifact = _of_current(Run.use_artifact)
use_model = _of_current(Run.use_model)
watch = _of_current(Run.watch)
