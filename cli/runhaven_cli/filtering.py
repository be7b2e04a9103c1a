"""What `--filter` takes: `key op value`, or JSON in the style of MongoDB."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from runhaven import UsageError

_CONDITION = re.compile(r"\s*(?P<key>[^=!<>~]+?)\s*(?P<operator>!=|<=|>=|==?|<|>|~)\s*(?P<value>.*?)\s*", re.DOTALL)
_OPERATORS = {"<": "$lt", "<=": "$lte", ">": "$gt", ">=": "$gte"}


def parse_filter(text: str) -> dict[str, Any]:
    """Return a filter as `Api.runs` takes it.

    Raises:
        UsageError: If the text is none.
    """
    if text.lstrip().startswith("{"):
        return _parse_json(text)
    found = _CONDITION.fullmatch(text)
    if found is None:
        message = f"{text!r} is no filter; write key, operator and value, such as 'config.lr<0.1' or 'state=finished'."
        raise UsageError(message)
    key, operator, word = found["key"], found["operator"], found["value"]
    if operator == "~":
        return {key: {"$regex": word}}
    if operator in _OPERATORS:
        return {key: {_OPERATORS[operator]: _value(word)}}
    # Whether 12 is a number or a name only the field knows.
    wanted = list({repr(value): value for value in (_value(word), word)}.values())
    return {key: {"$nin" if operator == "!=" else "$in": wanted}}


def _parse_json(text: str) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", json.loads(text))
    except ValueError as error:
        message = f"{text!r} is no filter in JSON: {error}."
        raise UsageError(message) from error


def _value(word: str) -> Any:
    """Return a number, true, false, null or a quoted text as what it is, anything else as text."""
    try:
        value = json.loads(word)
    except ValueError:
        return word
    return word if isinstance(value, dict | list) else value
