"""Says what a model is, and how it is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from runhaven_integrations.keras.framework import backend, version

if TYPE_CHECKING:
    from collections.abc import Iterator


def describe(model: Any, params: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration of a training.

    Args:
        model: The model, built and compiled.
        params: What Keras tells callbacks: epochs, steps.
    """
    optimizer: Any = getattr(model, "optimizer", None)
    compiled: dict[str, Any] = getattr(model, "get_compile_config", dict)() or {}
    return {
        "backend": backend(),
        "version": version,
        "epochs": params.get("epochs"),
        "steps_per_epoch": params.get("steps"),
        "optimizer": _plain(optimizer.get_config()) if hasattr(optimizer, "get_config") else None,
        **{key: _plain(value) for key, value in compiled.items() if key != "optimizer"},
        "model": {
            "name": model.name,
            "class": type(model).__name__,
            "parameters": model.count_params(),
            "trainable_parameters": _count(model.trainable_weights),
            "dtype_policy": getattr(getattr(model, "dtype_policy", None), "name", None),
        },
    }


def _plain(value: Any) -> Any:
    """Return a serialised object by its name and settings, without where Keras finds it."""
    if isinstance(value, list | tuple):
        return [_plain(each) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    known = cast("dict[str, Any]", value)
    if "class_name" not in known or "config" not in known:
        return {key: _plain(each) for key, each in known.items()}
    config: Any = known["config"]
    return {"class_name": known["class_name"], **_plain(config)} if isinstance(config, dict) else config


def summary(model: Any) -> str:
    """Return Keras's table of the layers."""
    lines: list[str] = []

    def add(line: str, **_: Any) -> None:
        lines.append(line)

    model.summary(print_fn=add)
    return "\n".join(lines) + "\n"


def graph(model: Any) -> dict[str, Any]:
    """Return the tree of a model's layers, with the shapes of their weights, as the event that the dashboard draws."""
    return {
        "event": "graph",
        "idx": 0,
        "type": type(model).__name__,
        "parameters": model.count_params(),
        "trained": _count(model.trainable_weights),
        "modules": list(_layers(model, "")),
    }


def _layers(layer: Any, name: str) -> Iterator[dict[str, Any]]:
    below: list[Any] = list(getattr(layer, "layers", ()))
    theirs = {id(weight) for each in below for weight in each.weights}
    trained = {id(weight) for weight in layer.trainable_weights}
    own = [weight for weight in layer.weights if id(weight) not in theirs]
    yield {
        "name": name,
        "type": type(layer).__name__,
        "parameters": [
            {
                "name": weight.path.rpartition("/")[2],
                "shape": list(weight.shape),
                "dtype": str(weight.dtype),
                "is_trained": id(weight) in trained,
            }
            for weight in own
        ],
    }
    for each in below:
        yield from _layers(each, f"{name}.{each.name}" if name else each.name)


def _count(weights: list[Any]) -> int:
    total = 0
    for weight in weights:
        size = 1
        for length in weight.shape:
            size *= int(length)
        total += size
    return total


def goal_of(model: Any, monitor: str, mode: str) -> Literal["min", "max"]:
    """Return whether less or more of a quantity is better; "auto" as Keras finds it: by the metric, then by its name."""
    if mode in ("min", "max"):
        return "max" if mode == "max" else "min"
    name = monitor.removeprefix("val_")
    for group in getattr(model, "metrics", ()):
        for metric in getattr(group, "metrics", (group,)):
            if metric.name == name and hasattr(metric, "_direction"):
                return "max" if metric._direction == "up" else "min"  # noqa: SLF001 - Keras has no public name for it
    return "max" if "acc" in name or name.startswith("f1") else "min"
