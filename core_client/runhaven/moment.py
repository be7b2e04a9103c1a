"""A step of a run, as `init(resume_from=)` and `init(fork_from=)` name it."""

from __future__ import annotations

from typing import NamedTuple

from runhaven.errors import UsageError

_MAX_PLACES = 3
_MAX_DIGITS = 18


class RunMoment(NamedTuple):
    """A run as it was when it had reached a step.

    Attributes:
        id: The run's id.
        step: The last step that belongs to it.
        project: The run's project; None where it was not said.
        entity: User or team; None where it was not said.
    """

    id: str
    step: int
    project: str | None = None
    entity: str | None = None


def parse_moment(text: str, *, argument: str) -> RunMoment:
    """Read "<id>?_step=<n>", with or without "project/" or "entity/project/" before it.

    Args:
        text: What the user gave.
        argument: Where it was given, for the message.

    Raises:
        UsageError: If it has another form.
    """
    path, _, query = text.strip().partition("?")
    metric, _, number = query.partition("=")
    places = path.split("/")
    is_step = metric == "_step" and number.isascii() and number.isdecimal() and len(number) <= _MAX_DIGITS
    if not is_step or not all(place.strip() for place in places) or len(places) > _MAX_PLACES:
        message = (
            f"{argument}={text!r} names no step of a run; write '<id>?_step=<n>', such as '4k2f9x1a?_step=200', or "
            "'<project>/<id>?_step=<n>'. A step is all that can be named."
        )
        raise UsageError(message)
    entity, project, run_id = ([None, None, *places])[-3:]
    return RunMoment(str(run_id), int(number), project, entity)
