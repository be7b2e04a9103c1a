"""Filters in the style of MongoDB, as `Api.runs(filters=)` takes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

from runhaven.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class Readable(Protocol):
    """What has a run's attributes: `api.Run`, and what the catalogue keeps of one."""

    @property
    def id(self) -> str:
        """Unique in the project."""
        ...

    @property
    def name(self) -> str:
        """Name for people."""
        ...

    @property
    def config(self) -> dict[str, Any]:
        """The configuration."""
        ...

    @property
    def summary(self) -> dict[str, Any]:
        """The summary, keys flat."""
        ...


ReadableT = TypeVar("ReadableT", bound=Readable)
ABSENT = object()
"""Equals nothing: the value of a field that a run does not have."""
GROUPS = frozenset({"$and", "$or", "$nor"})


def _compare(test: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def check(value: Any, operand: Any) -> bool:
        try:
            return value is not ABSENT and test(value, operand)
        except TypeError:
            return False

    return check


def _equals(value: Any, operand: Any) -> bool:
    return value == operand or (isinstance(value, list) and operand in value)


def _is_in(value: Any, operand: Any) -> bool:
    return any(_equals(value, item) for item in operand)


def _has_match(value: Any, pattern: Any) -> bool:
    words = cast("list[Any]", value) if isinstance(value, list) else [value]
    try:
        return any(re.search(pattern, str(word)) for word in words)
    except re.error as error:
        message = f"The filter {{'$regex': {pattern!r}}} is no regular expression: {error}."
        raise UsageError(message) from error


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "$eq": _compare(_equals),
    "$ne": lambda value, operand: value is ABSENT or not _equals(value, operand),
    "$gt": _compare(lambda value, operand: value > operand),
    "$gte": _compare(lambda value, operand: value >= operand),
    "$lt": _compare(lambda value, operand: value < operand),
    "$lte": _compare(lambda value, operand: value <= operand),
    "$in": _compare(_is_in),
    "$nin": lambda value, operand: value is ABSENT or not _is_in(value, operand),
    "$exists": lambda value, operand: (value is not ABSENT) == bool(operand),
    "$regex": _compare(_has_match),
}
TIMES = frozenset({"createdAt", "created_at", "heartbeatAt", "heartbeat_at"})
FIELDS = {
    "state": "state",
    "name": "name",
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
    "createdAt": "created",
    "created_at": "created",
    "heartbeatAt": "updated",
    "heartbeat_at": "updated",
    "duration": "runtime_s",
    "runtime": "runtime_s",
    "project": "project",
    "entity": "entity",
}


def matches(run: Readable, filters: Mapping[str, Any]) -> bool:
    """Tell whether a run passes a filter.

    Raises:
        UsageError: If an operator or a field is not known.
    """
    return all(_passes(run, name, condition) for name, condition in filters.items())


def _passes(run: Readable, name: str, condition: Any) -> bool:
    if name in GROUPS:
        found = (matches(run, part) for part in parts(name, condition))
        return all(found) if name == "$and" else any(found) != (name == "$nor")
    if name == "$not":
        return not matches(run, condition)
    value = _candidates(run, name)
    return all(check(value, operator, operand) for operator, operand in tests(name, condition).items())


def tests(name: str, condition: Any) -> dict[str, Any]:
    """Return the operators of a condition on a field, each with its operand; times as seconds since the epoch."""
    is_test = isinstance(condition, dict) and any(str(key).startswith("$") for key in cast("dict[str, Any]", condition))
    found: dict[str, Any] = cast("dict[str, Any]", condition) if is_test else {"$eq": condition}
    if name in TIMES:
        return {operator: _to_seconds(operand) for operator, operand in found.items()}
    return found


def parts(name: str, condition: Any) -> list[Mapping[str, Any]]:
    """Return the filters that "$and", "$or" or "$nor" joins.

    Raises:
        UsageError: If it is no list.
    """
    if not isinstance(condition, list | tuple):
        message = f"The filter {name!r} takes a list of filters, not {condition!r}."
        raise UsageError(message)
    return list(cast("list[Mapping[str, Any]]", condition))


def _candidates(run: Readable, name: str) -> Any:
    """Return what a condition on a field is held against; a list where any of several will do."""
    value = read_field(run, name)
    if name == "name":
        # To W&B the id is the name; to a person it is the display name.
        return [run.id, run.name]
    return state_candidates(value) if name == "state" else value


def state_candidates(state: str) -> Any:
    """Return what a condition on a state is held against: to W&B, a run that was lost has crashed."""
    return ["lost", "crashed"] if state == "lost" else state


def _to_seconds(operand: Any) -> Any:
    if isinstance(operand, dict):
        tests = cast("dict[str, Any]", operand)
        return {operator: _to_seconds(inner) for operator, inner in tests.items()}
    if isinstance(operand, list | tuple):
        return [_to_seconds(item) for item in cast("list[Any]", operand)]
    if isinstance(operand, str):
        try:
            operand = datetime.fromisoformat(operand)
        except ValueError as error:
            message = f"{operand!r} is no time; write it like '2026-01-31T12:00:00Z', or as seconds since the epoch."
            raise UsageError(message) from error
    if isinstance(operand, datetime):
        return (operand if operand.tzinfo else operand.replace(tzinfo=UTC)).timestamp()
    return operand


def check(value: Any, operator: str, operand: Any) -> bool:
    """Hold a value against an operator.

    Raises:
        UsageError: If the operator is not known, or cannot have such an operand.
    """
    if operator == "$not":
        return not all(check(value, inner, item) for inner, item in operand.items())
    if operator not in _OPERATORS:
        message = (
            f"The filter operator {operator!r} is not known; use one of {', '.join(_OPERATORS)}, $not, $and, $or, $nor."
        )
        raise UsageError(message)
    if operator in ("$in", "$nin") and not isinstance(operand, list | tuple | set | frozenset):
        message = f"The filter operator {operator!r} takes a list, not {operand!r}."
        raise UsageError(message)
    return _OPERATORS[operator](value, operand)


def read_field(run: Readable, name: str) -> Any:
    """Return what a filter or an order calls `name`; a marker that equals nothing if the run has no such value.

    Raises:
        UsageError: If no run can have it.
    """
    place, key = resolve(name)
    if place == "config":
        return _descend(run.config, key)
    if place == "summary":
        return run.summary.get(key, ABSENT)
    value = getattr(run, place)
    return value / 1e6 if name in TIMES else value


def resolve(name: str) -> tuple[str, str]:
    """Return the attribute of a run that a field's name means, and the key within it or "".

    Raises:
        UsageError: If no run can have it.
    """
    head, _, rest = name.partition(".")
    if head == "config" and rest:
        return "config", rest.removesuffix(".value")
    if head in ("summary", "summary_metrics", "summaryMetrics") and rest:
        return "summary", rest
    if name in FIELDS:
        return FIELDS[name], ""
    message = f"Runs have no field {name!r}; use one of {', '.join(sorted(FIELDS))}, config.<key> or summary.<key>."
    raise UsageError(message)


def _descend(tree: Any, path: str) -> Any:
    if isinstance(tree, dict):
        branch = cast("dict[str, Any]", tree)
        if path in branch:
            return branch[path]
        head, _, rest = path.partition(".")
        if rest and head in branch:
            return _descend(branch[head], rest)
    return ABSENT


def ordered(runs: Iterable[ReadableT], order: str) -> list[ReadableT]:
    """Return runs in the order of a field, with "-" before it the greatest first; runs without it come last.

    Raises:
        UsageError: If no run can have the field.
    """
    known: list[tuple[int, Any, ReadableT]] = []
    unknown: list[ReadableT] = []
    for run in runs:
        value = read_field(run, order.lstrip("+-"))
        is_number = isinstance(value, int | float)
        if value is ABSENT or value is None or value != value:  # noqa: PLR0124 - NaN
            unknown.append(run)
        else:
            known.append((0 if is_number else 1, value if is_number else str(value), run))
    known.sort(key=lambda item: item[:2], reverse=order.startswith("-"))
    return [run for _, _, run in known] + unknown
