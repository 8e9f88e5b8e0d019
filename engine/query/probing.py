"""What only the data can tell about a column: what its times are, whether its ids are whole."""

from collections.abc import Callable
from typing import Any

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.query.columns import SourceColumn, TimeSource

Ask = Callable[[SourceColumn, list[Expr]], tuple[Any, ...]]
"""Answers aggregates over the table of a column; raises `InvalidInput` where it cannot be read."""

_MAGNITUDES: tuple[tuple[float, TimeSource], ...] = (
    (1e11, "seconds"),
    (1e14, "milliseconds"),
    (1e17, "microseconds"),
)
"""Numbers below 1e11 are seconds (until the year 5138), below 1e14 milliseconds, and so on."""
_LEAST_TIME = 1e8
"""Fewer seconds than this are a rating, a day or a count: they end in 1973."""
_ZONE = r"\d{2}:\d{2}.*([zZ]|[+-]\d{2}(:?\d{2})?)$"


def time_source(column: SourceColumn, ask: Ask) -> TimeSource:
    """Return what the times of a column are stored as.

    Raises:
        InvalidInput: its values are not times.
    """
    if column.kind == "time":
        return "time"
    if column.kind in {"integer", "float"}:
        return _number_source(column, ask)
    if column.kind == "text":
        return _text_source(column, ask)
    raise InvalidInput(
        f"Column {quoted(column.alias)} holds {column.holds}, no times.",
        hint="Times are dates, timestamps, or seconds since 1970.",
    )


def _number_source(column: SourceColumn, ask: Ask) -> TimeSource:
    number = exp.cast(column.expression(), "DOUBLE")
    endless = exp.or_(exp.IsNan(this=number), exp.IsInf(this=number))
    value = exp.Case().when(exp.not_(endless), number.copy())  # NaN is above all other numbers
    (largest,) = ask(column, [exp.Max(this=exp.Abs(this=value))])
    if largest is None:
        raise _no_values(column)
    if largest < _LEAST_TIME:
        raise InvalidInput(
            f"Column {quoted(column.alias)} holds no times: its largest number is {largest:g}.",
            hint="Numbers are times in seconds, or parts of one, since 1970.",
        )
    for below, unit in _MAGNITUDES:
        if largest < below:
            return unit
    return "nanoseconds"


def _text_source(column: SourceColumn, ask: Ask) -> TimeSource:
    value = column.expression()
    has_zone = exp.RegexpLike(this=value, expression=exp.Literal.string(_ZONE))
    zoned = exp.and_(
        has_zone, _is_set(exp.TryCast(this=value, to=exp.DataType.build("TIMESTAMPTZ")))
    )
    naive = exp.and_(
        exp.not_(has_zone), _is_set(exp.TryCast(this=value, to=exp.DataType.build("TIMESTAMP")))
    )
    neither = exp.and_(_is_set(value), exp.not_(zoned), exp.not_(naive))
    total, zoned_count, naive_count, example = ask(
        column,
        [
            exp.Count(this=value),
            exp.CountIf(this=zoned),
            exp.CountIf(this=naive),
            exp.Min(this=exp.Case().when(neither, value)),
        ],
    )
    if total == 0:
        raise _no_values(column)
    if zoned_count == total:
        return "zoned text"
    if naive_count == total:
        return "text"
    if zoned_count + naive_count == total:
        raise InvalidInput(
            f"Column {quoted(column.alias)} mixes times with and without a time zone.",
            hint="Write all of them one way.",
        )
    raise InvalidInput(
        f"Column {quoted(column.alias)} is no timestamp: {quoted(example)} is neither a date nor "
        "a time.",
        hint='Times look like "2024-12-31 18:00:00", or are seconds since 1970.',
    )


def _no_values(column: SourceColumn) -> InvalidInput:
    return InvalidInput(
        f"Column {quoted(column.alias)} holds no values.", hint="Name another column of times."
    )


def check_whole_ids(column: SourceColumn, ask: Ask) -> None:
    """Accept an id column of floating point numbers only if all are whole.

    Raises:
        InvalidInput: one has a fraction.
    """
    value = exp.cast(column.expression(), "DOUBLE")
    (example,) = ask(
        column,
        [
            exp.Min(
                this=exp.Case().when(exp.NEQ(this=value, expression=exp.Floor(this=value)), value)
            )
        ],
    )
    if example is not None:
        raise InvalidInput(
            f"Column {quoted(column.alias)} holds ids, but {example} is not a whole number.",
            hint="Ids are text or whole numbers.",
        )


def _is_set(value: Expr) -> Expr:
    return exp.not_(exp.Is(this=value, expression=exp.null()))
