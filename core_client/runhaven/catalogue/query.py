"""Puts filters and orders into SQL, as far as SQL answers them as Python would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import sqlalchemy as sa

from runhaven.catalogue import filters as mongo
from runhaven.catalogue.field import operand, quoted
from runhaven.catalogue.schema import NONE, OTHER, fields, runs, tags
from runhaven.store.liveness import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Expression = sa.ColumnElement[bool]

_NEGATIVE = {"$ne": "$eq", "$nin": "$in"}
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "$eq": lambda column, value: column == value,
    "$gt": lambda column, value: column > value,
    "$gte": lambda column, value: column >= value,
    "$lt": lambda column, value: column < value,
    "$lte": lambda column, value: column <= value,
}
_NUMBERS = {
    "created": sa.cast(runs.c.created, sa.Double) / sa.literal(1e6, sa.Double),
    "updated": sa.cast(runs.c.updated, sa.Double) / sa.literal(1e6, sa.Double),
    "runtime_s": runs.c.runtime_s,
}
_STATES: tuple[str, ...] = get_args(State)


class Query:
    """A filter in SQL: an expression that every matching run passes, and what it takes for only those to pass.

    Attributes:
        where: The expression.
        keys: Numbers of the fields that it names.
        is_exact: False when Python has to look at each run that passes.
        has_texts: Whether it names texts of the runs themselves, which may be odd.
    """

    def __init__(
        self, filters: Mapping[str, Any], *, keys: Mapping[str, int], open_runs: Callable[[str], list[int]]
    ) -> None:
        """Translate a filter.

        Args:
            filters: The filter.
            keys: The number of each field's key.
            open_runs: Returns the runs without an exit code that are in a state now.

        Raises:
            UsageError: If an operator or a field is not known.
        """
        self.keys: set[int] = set()
        self.is_exact = True
        self.has_texts = False
        self._numbers = keys
        self._open_runs = open_runs
        self.where = self._all(filters, is_negated=False)

    def _all(self, filters: Mapping[str, Any], *, is_negated: bool) -> Expression:
        return _join([self._part(*item, is_negated=is_negated) for item in filters.items()], is_any=is_negated)

    def _part(self, name: str, condition: Any, *, is_negated: bool) -> Expression:
        if name in mongo.GROUPS:
            is_negated ^= name == "$nor"
            found = [self._all(part, is_negated=is_negated) for part in mongo.parts(name, condition)]
            return _join(found, is_any=(name != "$and") != is_negated)
        if name == "$not":
            return self._all(condition, is_negated=not is_negated)
        return self._tests(name, mongo.tests(name, condition), is_negated=is_negated)

    def _tests(self, name: str, tests: Mapping[str, Any], *, is_negated: bool) -> Expression:
        found: list[Expression] = []
        for operator, value in tests.items():
            if operator == "$not":
                found.append(self._tests(name, value, is_negated=not is_negated))
            else:
                mongo.check("", operator, value)
                positive = _NEGATIVE.get(operator, operator)
                found.append(self._leaf(name, positive, value, is_negated=is_negated != (operator in _NEGATIVE)))
        return _join(found, is_any=is_negated)

    def _leaf(self, name: str, operator: str, value: Any, *, is_negated: bool) -> Expression:
        place, key = mongo.resolve(name)
        if place in ("config", "summary"):
            return self._field(f"{place}.{key}", operator, value, is_negated=is_negated)
        if place == "state":
            found = self._state(operator, value)
            return sa.not_(found) if is_negated else found
        if operator == "$exists":
            return sa.literal(bool(value) != is_negated, sa.Boolean)
        if place == "tags" or name == "name":
            has = _has_tag if place == "tags" else _has_name
            return self._any_of(has, operator, value, is_negated=is_negated)
        if place in _NUMBERS:
            return self._number(_NUMBERS[place], operator, value, is_negated=is_negated)
        return self._column(runs.c[place], operator, value, is_negated=is_negated)

    def _unclear(self) -> Expression:
        """Let every run pass, for Python to look at."""
        self.is_exact = False
        return sa.true()

    def _field(self, name: str, operator: str, value: Any, *, is_negated: bool) -> Expression:
        key = self._numbers.get(quoted(name))
        if operator == "$exists":
            found = sa.false() if key is None else runs.c.run.in_(sa.select(fields.c.run).where(fields.c.key == key))
            return sa.not_(found) if bool(value) == is_negated else found
        if key is None:
            return sa.true() if is_negated else sa.false()
        test = _test(fields.c.num, fields.c.txt, operator, value, none=fields.c.kind == NONE)
        if test is None:
            return self._unclear()
        self.keys.add(key)
        # What is odd may pass, whichever way the question is put.
        chosen = test if is_negated else sa.or_(test, fields.c.kind == OTHER)
        found = runs.c.run.in_(sa.select(fields.c.run).where(fields.c.key == key, chosen))
        return sa.not_(found) if is_negated else found

    def _column(self, column: Any, operator: str, value: Any, *, is_negated: bool) -> Expression:
        test = _test(None, column, operator, value)
        if test is None:
            return self._unclear()
        self.has_texts = True
        found = sa.and_(column.is_not(None), test)
        return sa.not_(found) if is_negated else sa.or_(found, column.is_(None))

    def _number(self, column: Any, operator: str, value: Any, *, is_negated: bool) -> Expression:
        test = _test(column, None, operator, value)
        if test is None:
            return self._unclear()
        return sa.not_(test) if is_negated else test

    def _any_of(self, has: Callable[[str], Expression], operator: str, value: Any, *, is_negated: bool) -> Expression:
        """Translate a condition on a list of texts."""
        wanted = [operand(item) for item in (value if operator == "$in" else [value])]
        if operator == "$regex" or None in wanted:
            return self._unclear()
        self.has_texts = True
        # A list is neither greater nor less than a text or a number.
        words = [one.value for one in wanted if one and one.column == "txt"] if operator in ("$eq", "$in") else []
        found = _join([has(str(word)) for word in words], is_any=True)
        return sa.not_(found) if is_negated else sa.or_(found, runs.c.is_odd)

    def _state(self, operator: str, value: Any) -> Expression:
        """Translate a condition on the state: which of the few states pass, and which runs are in those."""
        found: list[Expression] = []
        for name in _STATES:
            if not mongo.check(mongo.state_candidates(name), operator, value):
                continue
            if name == "finished":
                found.append(runs.c.exit_code == 0)
            elif name == "failed":
                found.append(runs.c.exit_code != 0)
            else:
                found.append(
                    runs.c.run.in_(sa.bindparam(None, self._open_runs(name), expanding=True, literal_execute=True))
                )
        return sa.func.coalesce(_join(found, is_any=True), sa.false())


def _has_name(word: str) -> Expression:
    return sa.and_(sa.func.coalesce(runs.c.id == word, sa.false()) | sa.func.coalesce(runs.c.name == word, sa.false()))


def _has_tag(word: str) -> Expression:
    return runs.c.run.in_(sa.select(tags.c.run).where(tags.c.tag == word))


def _join(found: list[Expression], *, is_any: bool) -> Expression:
    return sa.or_(sa.false(), *found) if is_any else sa.and_(sa.true(), *found)


def _test(num: Any, txt: Any, operator: str, value: Any, *, none: Expression | None = None) -> Expression | None:
    """Return a condition on scalars; None if SQL cannot answer it as Python does.

    Args:
        num: The column that holds numbers; None without one.
        txt: The column that holds texts; None without one.
        operator: A positive one.
        value: What to compare with.
        none: Whether the value is None.
    """
    if operator == "$in":
        found = [_test(num, txt, "$eq", item, none=none) for item in value]
        known = [test for test in found if test is not None]
        return _join(known, is_any=True) if len(known) == len(found) else None
    wanted = operand(value) if operator in _COMPARE else None
    if wanted is None:
        return None
    if wanted.column is None:
        return none if operator == "$eq" and none is not None else sa.false()
    column = num if wanted.column == "num" else txt
    return sa.false() if column is None else _COMPARE[operator](column, wanted.value)


class Order(NamedTuple):
    """An order in SQL.

    Attributes:
        by: What to order by.
        key: The field that has to be joined as `FIELD`; None without one.
        has_texts: Whether it goes by texts of the runs themselves, which may be odd.
    """

    by: list[Any]
    key: int | None = None
    has_texts: bool = False


FIELD = fields.alias("ordered_by")
_NEWEST = runs.c.ulid.desc()


def sql_order(order: str | None, *, keys: Mapping[str, int]) -> Order | None:
    """Return an order in SQL; None if it takes Python.

    Raises:
        UsageError: If no run can have the field.
    """
    if order is None:
        return Order([_NEWEST])
    is_down = order.startswith("-")
    place, key = mongo.resolve(order.lstrip("+-"))
    if place in ("config", "summary"):
        number = keys.get(quoted(f"{place}.{key}"))
        if number is None:
            return Order([_NEWEST])
        num, txt = FIELD.c.num, FIELD.c.txt
        is_absent, is_text = sa.and_(num.is_(None), txt.is_(None)), num.is_(None)
        by = [_flag(is_absent).asc(), *(_directed(column, is_down) for column in (_flag(is_text), num, txt))]
        return Order([*by, _NEWEST], key=number)
    if place in ("state", "tags"):
        return None
    column: Any = _NUMBERS.get(place)
    if column is None:
        return Order([_directed(runs.c[place], is_down), _NEWEST], has_texts=True)
    return Order([_directed(column, is_down), _NEWEST])


def _flag(test: Expression) -> Any:
    return sa.case((test, 1), else_=0)


def _directed(column: Any, is_down: bool) -> Any:
    return column.desc() if is_down else column.asc()
