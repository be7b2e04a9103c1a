from __future__ import annotations

import os
import re

import pytest

from runhaven.errors import UsageError
from runhaven.store import ids
from runhaven.store.ids import is_ulid, new_run_id, new_ulid, ulid_time_ms, validate_id
from runhaven.store.names import new_name


def test_ulids_sort_in_the_order_they_were_made():
    """Ten thousand ids made in a row differ and ascend, many of them within one millisecond."""
    made = [new_ulid() for _ in range(10_000)]

    assert made == sorted(set(made))
    assert all(map(is_ulid, made))


def test_a_ulid_says_when_it_was_made(monkeypatch):
    """The time of an id is the time of its making, to the millisecond."""
    monkeypatch.setattr(ids, "_clock", ids._UlidClock())
    monkeypatch.setattr("time.time_ns", lambda: 4_000_000_000_123_456_789)

    assert ulid_time_ms(new_ulid()) == 4_000_000_000_123


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_other_ids():
    """Parent and child do not count on from the same id."""
    new_ulid()
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(outlet, new_ulid().encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = os.read(inlet, 26).decode()
    os.close(inlet)
    os.close(outlet)

    assert is_ulid(theirs)
    assert theirs[10:] != new_ulid()[10:]


@pytest.mark.parametrize("text", ["", "0" * 25, "0" * 27, "8" + "0" * 25, "0" * 25 + "u", "0" * 25 + "A"])
def test_what_is_no_ulid(text):
    """A wrong length, a letter outside the alphabet or a time beyond the range is no ulid."""
    assert not is_ulid(text)


def test_ids_and_names_have_their_form():
    """An id is eight lowercase letters and digits; a name is two words and a number."""
    assert re.fullmatch(r"[0-9a-z]{8}", new_run_id())
    assert re.fullmatch(r"[a-z]+-[a-z]+-[1-9][0-9]?", new_name())


@pytest.mark.parametrize("text", ["run-1", "Größe", "a b", "x" * 128, "v1.2_final"])
def test_ids_that_users_may_choose(text):
    """Letters of any language, blanks within, dots and dashes are fine."""
    assert validate_id(text) == text


@pytest.mark.parametrize("text", ["", "  ", ".", "..", "a/b", "a\\b", "a?b", "a#b", "50%", "a:b", "a\nb", "x" * 129])
def test_ids_that_users_may_not_choose(text):
    """What a path or an address gives a meaning is turned down with a message."""
    with pytest.raises(UsageError, match="project"):
        validate_id(text, kind="project")
