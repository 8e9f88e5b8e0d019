"""What each column of the examples is: where it comes from, and which form it takes.

A column has one form wherever it is used: ids are text, times are integer microseconds, everything
else is INT64, FLOAT or STRING, which is all that examples hold.
"""

from dataclasses import dataclass
from typing import Literal

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.models import History
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
_DEFAULT_FORMS: dict[Kind, Form] = {
    "integer": "integer",
    "boolean": "integer",
    "float": "float",
    "text": "text",
    "time": "time",
    "list": "ids",
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
        history: set where the column lists earlier values of this one.
    """

    alias: str
    table: str
    name: str
    sql_type: str
    kind: Kind
    as_text: bool = False
    history: History | None = None

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


def default_form(column: SourceColumn) -> Form:
    """Return the form that a column takes where nothing else is asked of it."""
    return "ids" if column.history else _DEFAULT_FORMS[column.kind]


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

    @property
    def history(self) -> History | None:
        """How the column lists earlier values; None for one that a table holds."""
        return self.source.history

    def expression(self, dialect: Dialect) -> Expr:
        """Return the value in its form; what is no finite number or time is null.

        Of a history this is the one value that a row adds to it, as text.
        """
        column = self.source.expression()
        if self.form == "ids" and self.history is None:
            return _texts(column, dialect)
        if self.form == "time":
            stored = self.time_source or "time"
            return _microseconds(column, stored, self.source.kind, dialect)
        if self.form == "float":
            number = exp.cast(column, "DOUBLE")
            return _null_if(exp.or_(exp.IsNan(this=number), exp.IsInf(this=number)), number)
        if self.form == "integer":
            return exp.cast(column, "BIGINT")
        if self.form in {"id", "ids"} and self.source.may_have_fractions:
            return exp.cast(exp.cast(column, "BIGINT"), "TEXT")
        return column if self.source.sql_type == "VARCHAR" else exp.cast(column, "TEXT")


def _texts(column: Expr, dialect: Dialect) -> Expr:
    """Return a list as texts; BigQuery's results hold no null inside a list."""
    if dialect == "duckdb":
        return exp.cast(column, "TEXT[]")
    value, place = exp.column("value"), exp.column("place")
    unnested = exp.Unnest(
        expressions=[column],
        alias=exp.TableAlias(columns=[exp.to_identifier("value")]),
        offset=exp.to_identifier("place"),
    )
    texts = (
        exp.select(exp.cast(value, "TEXT"))
        .from_(unnested)
        .where(exp.not_(exp.Is(this=value.copy(), expression=exp.null())))
        .order_by(place)
    )
    return exp.Array(expressions=[texts])


def _microseconds(column: Expr, stored: TimeSource, kind: Kind, dialect: Dialect) -> Expr:
    if stored in _PER_MICROSECOND:
        factor, divisor = _PER_MICROSECOND[stored]
        if kind == "float":
            return _rounded_microseconds(exp.cast(column, "DOUBLE"), factor / divisor)
        number: Expr = exp.cast(column, "BIGINT")
        if factor != 1:
            number = exp.Mul(this=number, expression=exp.Literal.number(factor))
        if divisor != 1:
            number = _floored(number, divisor)
        return number
    if dialect == "bigquery":
        return exp.UnixMicros(this=exp.cast(column, "TIMESTAMPTZ"))
    time = column
    if stored != "time":
        time = exp.cast(column, "TIMESTAMP" if stored == "text" else "TIMESTAMPTZ")
    return _null_if(exp.IsInf(this=time), exp.UnixMicros(this=time))


def _rounded_microseconds(number: Expr, factor: float) -> Expr:
    """Round half up by hand: the two engines' casts round halves differently."""
    scaled = exp.Mul(this=number.copy(), expression=exp.cast(exp.convert(factor), "DOUBLE"))
    half = exp.Add(this=scaled, expression=exp.cast(exp.convert(0.5), "DOUBLE"))
    whole = exp.cast(exp.Floor(this=half), "BIGINT")
    return _null_if(exp.or_(exp.IsNan(this=number.copy()), exp.IsInf(this=number)), whole)


def _floored(number: Expr, divisor: int) -> Expr:
    """Divide without floats and towards minus infinity, before 1970 too; DIV alone truncates."""
    by = exp.Literal.number(divisor)
    rest = exp.Mod(this=number.copy(), expression=by.copy())
    floored = exp.Sub(
        this=exp.IntDiv(this=number.copy(), expression=by),
        expression=exp.Case().when(rest < 0, "1").else_("0"),
    )
    return exp.Paren(this=floored)


def _null_if(condition: Expr, value: Expr) -> Expr:
    return exp.Case().when(exp.not_(condition), value)
