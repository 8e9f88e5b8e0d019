"""What a dataset holds, for people: its size, its period, and each of its columns."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.models import DatasetDefinition
from engine.query.columns import Form, FormedColumn
from engine.query.connection import fetch_one, open_duckdb, run
from engine.query.measuring import Measurement
from engine.query.preparation import prepare_rows
from engine.spec import Frozen, SqlType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOP = 5
_NUMBERS: tuple[Form, ...] = ("integer", "float")


class TopValue(Frozen):
    """A frequent value of a column and in how many rows it stands."""

    value: str
    rows: int


class ColumnSummary(Frozen):
    """One column over the filtered rows.

    Attributes:
        source: "table.column".
        source_type: SQL type in the source.
        type: type in the examples.
        repeated: whether it holds a list of values a row.
        missing_share: share of the rows without a value, 0 to 1.
        distinct: number of values; of a history, of those that it is made of, as `top`.
        minimum: of numbers and, as ISO 8601 text, of times; None for text. Likewise `maximum`.
        mean: of numbers.
        top: the most frequent values of text and ids.
    """

    name: str
    source: str
    source_type: str
    type: SqlType
    repeated: bool = False
    missing_share: float
    distinct: int
    minimum: float | str | None = None
    maximum: float | str | None = None
    mean: float | None = None
    top: tuple[TopValue, ...] = ()


class DatasetSummary(Frozen):
    """A dataset after its joins and filters; rows without a buyer or product are not counted."""

    name: str
    rows: int
    rows_without_ids: int
    buyers: int
    products: int
    oldest: datetime | None
    newest: datetime | None
    columns: tuple[ColumnSummary, ...]


def summarize(dataset: DatasetDefinition, *, root: Path) -> DatasetSummary:
    """Read a dataset once and describe it.

    Raises:
        InvalidInput: the definition doesn't fit the data, or no row is left.
    """
    with open_duckdb() as connection:
        rows = prepare_rows(connection, dataset, None, root).rows
        aliases = list(rows.columns)
        measurement = Measurement(connection, rows, aliases)
        facts = measurement.facts
        known = measurement.known_rows()
        ranges = _ranges(list(rows.columns.values()), known, connection)
        columns: list[ColumnSummary] = []
        for alias in aliases:
            column = rows.columns[alias]
            columns.append(
                ColumnSummary(
                    name=alias,
                    source=f"{column.source.table}.{column.source.name}",
                    source_type=column.source.sql_type,
                    type=column.sql_type,
                    repeated=column.form == "ids",
                    missing_share=1 - facts.values[alias] / facts.rows,
                    distinct=facts.distinct[alias],
                    **(ranges.get(alias) or {"top": _most_frequent(column, known, connection)}),
                )
            )
    return DatasetSummary(
        name=dataset.name,
        rows=facts.rows,
        rows_without_ids=facts.without_ids,
        buyers=facts.buyers,
        products=facts.products,
        oldest=_time(facts.oldest),
        newest=_time(facts.newest),
        columns=tuple(columns),
    )


def _ranges(
    columns: list[FormedColumn], rows: exp.Select, connection: "DuckDBPyConnection"
) -> dict[str, dict[str, Any]]:
    """Return least, greatest and mean of numbers and times by column, in one reading."""
    ranged = [c for c in columns if c.form in _NUMBERS or c.form == "time"]
    if not ranged:
        return {}
    values = [exp.column(c.alias, quoted=True) for c in ranged]
    of_each = ([exp.Min(this=v), exp.Max(this=v), exp.Avg(this=v)] for v in values)
    aggregates: list[Expr] = [aggregate for three in of_each for aggregate in three]
    found = iter(fetch_one(connection, rows.select(*aggregates, append=False)))
    ranges: dict[str, dict[str, Any]] = {}
    for column, low, high, mean in zip(ranged, found, found, found, strict=True):
        if column.form == "time":
            ranges[column.alias] = {"minimum": _iso(low), "maximum": _iso(high)}
        else:
            ranges[column.alias] = {"minimum": low, "maximum": high, "mean": mean}
    return ranges


def _most_frequent(
    column: FormedColumn, rows: exp.Select, connection: "DuckDBPyConnection"
) -> tuple[TopValue, ...]:
    """Return the most frequent values; of a list, those inside it."""
    value = exp.column(column.alias, quoted=True)
    if column.form == "ids" and column.history is None:
        unnested = exp.alias_(exp.Explode(this=value), column.alias, quoted=True)
        rows = exp.select("*").from_(rows.select(unnested, append=False).subquery("inside"))
    count = exp.Count(this=exp.Star())
    frequent = (
        rows.select(value.copy(), count, append=False)
        .where(exp.not_(exp.Is(this=value.copy(), expression=exp.null())))
        .group_by(value.copy())
        .order_by(exp.Ordered(this=count.copy(), desc=True), value.copy())
        .limit(_TOP)
    )
    return tuple(TopValue(value=v, rows=n) for v, n in run(connection, frequent))


def _time(microseconds: int | None) -> datetime | None:
    if microseconds is None:
        return None
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        return None


def _iso(microseconds: int | None) -> str | None:
    time = _time(microseconds)
    return None if time is None else time.isoformat()
