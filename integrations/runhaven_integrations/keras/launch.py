"""Gives each `fit` of a program below `runhaven run` a callback."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from runhaven.adapter import call_before


def set_up() -> None:
    """Have trainings of models log into the run too."""
    call_before(import_module("keras").Model, "fit", _with_callback)


def _with_callback(model: Any, *args: Any, **kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """Return the arguments of `fit` with a callback of ours behind the others, unless one logs metrics already."""
    # What the program does not need until now.
    from runhaven_integrations.keras.metrics import RunhavenMetricsLogger
    from runhaven_integrations.keras.whole import RunhavenCallback

    keras: Any = import_module("keras")
    call = inspect.signature(keras.Model.fit).bind(model, *args, **kwargs)
    given: Any = call.arguments.get("callbacks")
    is_made = isinstance(given, keras.callbacks.CallbackList)
    callbacks: list[Any] = given.callbacks if is_made else keras.tree.flatten(given or [])
    if any(isinstance(each, RunhavenMetricsLogger) for each in callbacks):
        return None
    ours = RunhavenCallback()
    if is_made:
        # Such a list has told its callbacks of the model when it was made.
        callbacks.append(ours)
        given.set_params(given.params)
        given.set_model(model)
        return None
    call.arguments["callbacks"] = [*callbacks, ours]
    return call.args, call.kwargs
