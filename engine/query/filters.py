"""A filter of a dataset as an SQL condition, with its values as literals of the column's type."""

import json
import re
from datetime import UTC, datetime, timedelta

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.models import Filter, Value
from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.query.columns import FormedColumn
from engine.query.types import Dialect

DAY_MICROSECONDS = 86_400_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DATE_LENGTH = len("2024-12-31")


def condition(filter_: Filter, column: FormedColumn, newest: int | None, dialect: Dialect) -> Expr:
    """Return the condition that a filter sets on its column.

    Args:
        filter_: what is asked for.
        column: the filter's column; a time where the filter is on dates.
        newest: the newest time of the data in epoch microseconds, for `last_days`.
        dialect: of the query.

    Raises:
        InvalidInput: a value doesn't fit the column's type.
    """
    if column.form == "time":
        return _on_time(filter_, column.expression(dialect), newest)
    if filter_.equals is not None:
        return _one_of(column, (filter_.equals,), dialect)
    if filter_.one_of is not None:
        return _one_of(column, filter_.one_of, dialect)
    parts: list[Expr] = []
    for key, compare, value in (("min", exp.GTE, filter_.min), ("max", exp.LTE, filter_.max)):
        if value is not None:
            left, right = _comparable(column, value, key, dialect)
            parts.append(compare(this=left, expression=right))
    return exp.and_(*parts)


def _one_of(column: FormedColumn, values: tuple[Value, ...], dialect: Dialect) -> Expr:
    """Numbers are compared as numbers, texts as texts, so "007" and 7 may both be meant."""
    key = "in" if len(values) > 1 else "equals"
    pairs = [_comparable(column, value, key, dialect) for value in values]
    by_side: dict[str, tuple[Expr, list[Expr]]] = {}
    for left, right in pairs:
        by_side.setdefault(left.sql(dialect), (left, []))[1].append(right)
    return exp.or_(*(exp.In(this=left, expressions=rights) for left, rights in by_side.values()))


def _comparable(
    column: FormedColumn, value: Value, key: str, dialect: Dialect
) -> tuple[Expr, Expr]:
    """Return what to compare: the column in the type of the value, and the value."""
    source, kind = column.source.expression(), column.source.kind
    if isinstance(value, bool):
        if kind == "boolean":
            return source, exp.convert(value)
    elif isinstance(value, int | float):
        if kind in {"integer", "float"}:
            return exp.cast(source, "DOUBLE" if kind == "float" else "BIGINT"), exp.convert(value)
        if kind == "text" and key in {"equals", "in"}:
            return exp.cast(source, "TEXT"), exp.Literal.string(str(value))
    elif "\0" not in value and (
        kind == "text"
        or (kind == "integer" and key in {"equals", "in"} and _WHOLE.fullmatch(value))
    ):
        text = column.expression(dialect) if column.sql_type == "STRING" else source
        return exp.cast(text, "TEXT"), exp.Literal.string(value)
    nouns = {"integer": "whole numbers", "float": "numbers", "boolean": "true or false"}
    raise InvalidInput(
        f"The filter on {quoted(column.alias)}: {key} = {_written(value)} doesn't fit a column of "
        f"{nouns.get(kind, 'text')}.",
        hint="Write numbers without quotes, text in quotes."
        if kind != "boolean"
        else "Write true or false without quotes.",
    )


def _written(value: Value) -> str:
    """Return a value as it stands in TOML."""
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def _on_time(filter_: Filter, time: Expr, newest: int | None) -> Expr:
    if filter_.last_days is not None:
        if newest is None:
            raise InvalidInput(f"Column {quoted(filter_.column)} holds no times.")
        return exp.GT(this=time, expression=_number(newest - filter_.last_days * DAY_MICROSECONDS))
    values = filter_.one_of or ((filter_.equals,) if filter_.equals is not None else ())
    if values:
        return exp.or_(*(_within(time, value, value, filter_) for value in values))
    return _within(time, filter_.start or filter_.min, filter_.end or filter_.max, filter_)


def _within(time: Expr, start: Value | None, end: Value | None, filter_: Filter) -> Expr:
    parts: list[Expr] = []
    if start is not None:
        first, _ = _period(start, filter_)
        parts.append(exp.GTE(this=time.copy(), expression=_number(first)))
    if end is not None:
        _, last = _period(end, filter_)
        parts.append(exp.LTE(this=time.copy(), expression=_number(last)))
    return exp.and_(*parts)


def _period(value: Value, filter_: Filter) -> tuple[int, int]:
    """Return the first and the last microsecond of a day, or twice that of a point in time."""
    try:
        time = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise InvalidInput(
            f"The filter on {quoted(filter_.column)}: {quoted(value)} is no date and no time.",
            hint="Write it as 2024-12-31.",
        ) from error
    time = time if time.tzinfo else time.replace(tzinfo=UTC)
    first = (time - _EPOCH) // timedelta(microseconds=1)
    whole_day = len(str(value)) <= _DATE_LENGTH and time == datetime.combine(
        time.date(), datetime.min.time(), tzinfo=UTC
    )
    return first, first + DAY_MICROSECONDS - 1 if whole_day else first


def _number(value: int) -> Expr:
    return exp.Literal.number(value)
