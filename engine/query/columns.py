"""What each column of the examples is: where it comes from, and which form it takes.

A column has one form wherever it is used: ids are text, times are integer microseconds, everything
else is INT64, FLOAT or STRING, which is all that examples hold.
"""

from dataclasses import dataclass
from typing import Literal

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.query.types import NOUNS, Dialect, Kind, is_whole
from engine.spec import SqlType

Form = Literal["id", "text", "integer", "float", "time", "ids"]
"""`ids` is a list of ids, which examples hold as a repeated column."""
TimeSource = Literal[
    "time", "seconds", "milliseconds", "microseconds", "nanoseconds", "text", "zoned text"
]
"""What a time is stored as: an SQL time, a number since 1970, or ISO 8601 text."""

SQL_TYPES: dict[Form, SqlType] = {
    "id": "STRING",
    "text": "STRING",
    "integer": "INT64",
    "float": "FLOAT",
    "time": "INT64",
    "ids": "STRING",
}
_PER_MICROSECOND: dict[TimeSource, tuple[int, int]] = {
    "seconds": (1_000_000, 1),
    "milliseconds": (1_000, 1),
    "microseconds": (1, 1),
    "nanoseconds": (1, 1_000),
}
"""Factor and divisor that turn a number into microseconds."""


@dataclass(frozen=True)
class SourceColumn:
    """A column of a dataset, found in its source.

    Attributes:
        alias: its name in the dataset.
        table: name of its table in the dataset.
        name: its name in the table.
        sql_type: as the source tells it.
        kind: of the SQL type.
        as_text: whether it is read as the text that stands in a CSV file.
    """

    alias: str
    table: str
    name: str
    sql_type: str
    kind: Kind
    as_text: bool = False

    @property
    def holds(self) -> str:
        """What its values are, in words."""
        return NOUNS[self.kind]

    @property
    def may_have_fractions(self) -> bool:
        """Whether its values may be no whole numbers."""
        return self.kind == "float" and not self.as_text and not is_whole(self.sql_type)

    def expression(self) -> Expr:
        """Return the column as it is in the source."""
        return exp.column(self.name, table=self.table, quoted=True)


@dataclass(frozen=True)
class FormedColumn:
    """A column and the form that it takes in the examples.

    Attributes:
        time_source: set where the form is `time`.
    """

    source: SourceColumn
    form: Form
    time_source: TimeSource | None = None

    @property
    def alias(self) -> str:
        """The column's name in the dataset and in the examples."""
        return self.source.alias

    @property
    def sql_type(self) -> SqlType:
        """The column's type in the examples."""
        return SQL_TYPES[self.form]

    def expression(self, dialect: Dialect) -> Expr:
        """Return the value in its form; what is no finite number or time is null."""
        column = self.source.expression()
        if self.form == "time":
            stored = self.time_source or "time"
            return _microseconds(column, stored, self.source.kind, dialect)
        if self.form == "float":
            number = exp.cast(column, "DOUBLE")
            return _null_if(exp.or_(exp.IsNan(this=number), exp.IsInf(this=number)), number)
        if self.form == "integer":
            return exp.cast(column, "BIGINT")
        if self.form == "id" and self.source.may_have_fractions:
            return exp.cast(exp.cast(column, "BIGINT"), "TEXT")
        return column if self.source.sql_type == "VARCHAR" else exp.cast(column, "TEXT")


def _microseconds(column: Expr, stored: TimeSource, kind: Kind, dialect: Dialect) -> Expr:
    if stored in _PER_MICROSECOND:
        factor, divisor = _PER_MICROSECOND[stored]
        number: Expr = exp.cast(column, "DOUBLE" if kind == "float" else "BIGINT")
        if factor != 1:
            number = exp.Mul(this=number, expression=exp.Literal.number(factor))
        if divisor != 1:
            number = exp.Div(this=column, expression=exp.Literal.number(divisor))
            number = exp.Floor(this=exp.Paren(this=number))
        return exp.cast(number, "BIGINT")
    if dialect == "bigquery":
        return exp.UnixMicros(this=exp.cast(column, "TIMESTAMPTZ"))
    time = column
    if stored != "time":
        time = exp.cast(column, "TIMESTAMP" if stored == "text" else "TIMESTAMPTZ")
    return _null_if(exp.IsInf(this=time), exp.UnixMicros(this=time))


def _null_if(condition: Expr, value: Expr) -> Expr:
    return exp.Case().when(exp.not_(condition), value)
