"""Filters in the style of MongoDB, as `Api.runs(filters=)` takes them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, cast

from runhaven.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from runhaven.api.run import Run

_ABSENT = object()


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(value: Any, operand: Any) -> bool:
        try:
            return value is not _ABSENT and test(value, operand)
        except TypeError:
            return False

    return check


def _equals(value: Any, operand: Any) -> bool:
    return value == operand or (isinstance(value, list) and operand in value)


def _is_in(value: Any, operand: Any) -> bool:
    return any(_equals(value, item) for item in operand)


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _compare(_equals),
    "$ne": lambda value, operand: value is _ABSENT or not _equals(value, operand),
    "$gt": _compare(lambda value, operand: value > operand),
    "$gte": _compare(lambda value, operand: value >= operand),
    "$lt": _compare(lambda value, operand: value < operand),
    "$lte": _compare(lambda value, operand: value <= operand),
    "$in": _compare(_is_in),
    "$nin": lambda value, operand: value is _ABSENT or not _is_in(value, operand),
    "$exists": lambda value, operand: (value is not _ABSENT) == bool(operand),
    "$regex": _compare(lambda value, operand: re.search(operand, str(value)) is not None),
}
_FIELDS = {
    "state": "state",
    "name": "id",
    "id": "id",
    "displayName": "name",
    "display_name": "name",
    "tags": "tags",
    "group": "group",
    "jobType": "job_type",
    "job_type": "job_type",
    "username": "user",
    "user": "user",
    "host": "host",
    "createdAt": "created_at",
    "created_at": "created_at",
    "heartbeatAt": "updated",
    "heartbeat_at": "updated",
    "duration": "runtime_s",
    "runtime": "runtime_s",
    "project": "project",
    "entity": "entity",
}


def matches(run: Run, filters: Mapping[str, Any]) -> bool:
    """Tell whether a run passes a filter.

    Raises:
        UsageError: If an operator or a field is not known.
    """
    return all(_passes(run, name, condition) for name, condition in filters.items())


def _passes(run: Run, name: str, condition: Any) -> bool:
    if name == "$and":
        return all(matches(run, part) for part in condition)
    if name == "$or":
        return any(matches(run, part) for part in condition)
    if name == "$nor":
        return not any(matches(run, part) for part in condition)
    if name == "$not":
        return not matches(run, condition)
    value = read_field(run, name)
    if not isinstance(condition, dict) or not any(
        str(key).startswith("$") for key in cast("dict[str, Any]", condition)
    ):
        return _OPERATORS["$eq"](value, condition)
    return all(_check(value, operator, operand) for operator, operand in cast("dict[str, Any]", condition).items())


def _check(value: Any, operator: str, operand: Any) -> bool:
    if operator == "$not":
        return not all(_check(value, inner, item) for inner, item in operand.items())
    if operator not in _OPERATORS:
        message = (
            f"The filter operator {operator!r} is not known; use one of {', '.join(_OPERATORS)}, $not, $and, $or, $nor."
        )
        raise UsageError(message)
    return _OPERATORS[operator](value, operand)


def read_field(run: Run, name: str) -> Any:
    """Return what a filter or an order calls `name`; a marker that equals nothing if the run has no such value.

    Raises:
        UsageError: If no run can have it.
    """
    head, _, rest = name.partition(".")
    if head == "config" and rest:
        return _descend(run.config, rest.removesuffix(".value"))
    if head in ("summary", "summary_metrics", "summaryMetrics") and rest:
        summary = run.summary
        return summary.get(rest, _ABSENT)
    if name in _FIELDS:
        return getattr(run, _FIELDS[name])
    message = f"Runs have no field {name!r}; use one of {', '.join(sorted(_FIELDS))}, config.<key> or summary.<key>."
    raise UsageError(message)


def _descend(tree: Any, path: str) -> Any:
    if isinstance(tree, dict):
        branch = cast("dict[str, Any]", tree)
        if path in branch:
            return branch[path]
        head, _, rest = path.partition(".")
        if rest and head in branch:
            return _descend(branch[head], rest)
    return _ABSENT


def ordered(runs: Iterable[Run], order: str) -> list[Run]:
    """Return runs in the order of a field, with "-" before it the greatest first; runs without it come last.

    Raises:
        UsageError: If no run can have the field.
    """
    known: list[tuple[int, Any, Run]] = []
    unknown: list[Run] = []
    for run in runs:
        value = read_field(run, order.lstrip("+-"))
        is_number = isinstance(value, int | float)
        if value is _ABSENT or value is None or value != value:  # noqa: PLR0124 - NaN
            unknown.append(run)
        else:
            known.append((0 if is_number else 1, value if is_number else str(value), run))
    known.sort(key=lambda item: item[:2], reverse=order.startswith("-"))
    return [run for _, _, run in known] + unknown
