"""Any sequence of logging, resuming, rewinding and forking reads as a simple model says."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runhaven


@dataclass
class Model:
    """What rows, summary and counter have to be, kept as plainly as can be."""

    sessions: list[list[tuple[int, dict[str, int]]]] = field(default_factory=lambda: [[]])
    rewinds: dict[int, int] = field(default_factory=dict)
    counter: int = 0
    last_step: int | None = None
    newest: dict[str, int] = field(default_factory=dict)
    points: list[int] = field(default_factory=list)

    def log(self, row: dict[str, int], step: int | None) -> None:
        at = self.counter if step is None else step
        self.sessions[-1].append((at, row))
        self.counter = at + 1 if step is None else max(self.counter, at)
        self.last_step = at if self.last_step is None else max(self.last_step, at)
        self._sum_up(row)

    def _sum_up(self, row: dict[str, int]) -> None:
        self.newest |= row
        self.points += [row["a"]] if "a" in row else []

    def resume(self) -> None:
        self.sessions.append([])
        self.counter = 0 if self.last_step is None else self.last_step + 1

    def rewind(self, to: int) -> None:
        self.rewinds[len(self.sessions)] = to
        self.sessions.append([])
        self.counter, self.last_step, self.newest, self.points = to + 1, None, {}, []
        for index, session in enumerate(self.sessions):
            for step, row in session:
                shown = {key: value for key, value in row.items() if not self.is_hidden(index, step, key)}
                if shown or (not row and not self.is_hidden(index, step, None)):
                    self.last_step = step if self.last_step is None else max(self.last_step, step)
                self._sum_up(shown)

    def is_hidden(self, session: int, step: int, key: str | None) -> bool:
        later = range(session + 1, len(self.sessions))
        repeats = any(key in row and at <= step for index in later for at, row in self.sessions[index])
        return repeats or any(step > self.rewinds[index] for index in later if index in self.rewinds)

    def rows(self) -> list[dict[str, int]]:
        found: list[dict[str, int]] = []
        for index, session in enumerate(self.sessions):
            # Even a row that is hidden holds the place of its step.
            merged: dict[int, dict[str, int]] = {step: {} for step, _ in session}
            for step, row in session:
                shown = {key: value for key, value in row.items() if not self.is_hidden(index, step, key)}
                if shown or (not row and not self.is_hidden(index, step, None)):
                    merged[step] |= {"_step": step} | shown
            found += [row for row in merged.values() if row]
        return found

    def summary(self) -> dict[str, Any]:
        plain: dict[str, Any] = {key: value for key, value in self.newest.items() if key != "a"}
        if not self.points:
            return plain
        ends = {"a.first": self.points[0], "a.last": self.points[-1]}
        extremes = {"a.min": min(self.points), "a.max": max(self.points)}
        return plain | ends | extremes | {"a.mean": pytest.approx(sum(self.points) / len(self.points))}


PROJECTS = itertools.count()
STEPS = st.integers(0, 7)
LOGS: st.SearchStrategy[tuple[Any, ...]] = st.tuples(st.just("log"), st.sets(st.sampled_from("abc")), st.none() | STEPS)
TURNS: st.SearchStrategy[tuple[Any, ...]] = st.tuples(st.just("resume")) | st.tuples(
    st.sampled_from(["rewind", "fork"]), STEPS
)


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(LOGS, max_size=12).flatmap(lambda logs: TURNS.map(lambda turn: [*logs, turn])), max_size=4))
def test_any_sequence_reads_as_a_simple_model_says(turns: list[list[Any]]):
    """Whatever is logged, resumed, rewound and forked: rows, summary, counter and the samples are what they must be."""
    runs, model, numbers = (f"r{number}" for number in itertools.count()), Model(), itertools.count(1)
    project = f"q{next(PROJECTS)}"
    name = next(runs)
    run = runhaven.init(project=project, id=name)
    run.define_metric("a", summary="min,max,mean,first,last")
    actions: list[Any] = [action for turn in turns for action in turn]
    actions.append(("log", {"b"}, None))
    for action in actions:
        if action[0] == "log":
            row = {key: next(numbers) for key in sorted(action[1])}
            run.log(row, step=action[2])
            model.log(row, action[2])
            continue
        run.finish()
        if action[0] == "resume":
            run = runhaven.init(project=project, id=name, resume="must")
            model.resume()
        elif action[0] == "rewind":
            run = runhaven.init(project=project, resume_from=f"{name}?_step={action[1]}")
            model.rewind(action[1])
        else:
            parent, name = name, next(runs)
            run = runhaven.init(project=project, id=name, fork_from=f"{parent}?_step={action[1]}")
            model.rewind(action[1])
        assert run.step == model.counter
        assert run.summary.as_dict() == model.summary()
    live = runhaven.Api().run(run.path)
    assert live.summary == model.summary()
    run.finish()
    found = runhaven.Api().run(run.path)

    own = {"_timestamp", "_runtime"}
    rows = model.rows()
    assert [{key: row[key] for key in row if key not in own} for row in found.scan_history()] == rows
    assert (found.summary, found.last_step) == (model.summary(), model.last_step)
    cells = [(step, key) for index, session in enumerate(model.sessions) for step, row in session for key in row
             if not model.is_hidden(index, step, key)]  # fmt: skip
    for series in found.series():
        steps = [step for step, key in cells if key == series.key]
        assert (series.count, series.step_min, series.step_max) == (len(steps), min(steps), max(steps))
        assert found.curve(series.key).x.tolist() == sorted(steps)
    assert {series.key for series in found.series()} == {key for _, key in cells}
