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
        missing_share: share of the rows without a value, 0 to 1.
        distinct: number of values.
        minimum: of numbers and, as ISO 8601 text, of times; None for text. Likewise `maximum`.
        mean: of numbers.
        top: the most frequent values of text and ids.
    """

    name: str
    source: str
    source_type: str
    type: SqlType
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
        columns: list[ColumnSummary] = []
        for alias in aliases:
            column = rows.columns[alias]
            columns.append(
                ColumnSummary(
                    name=alias,
                    source=f"{column.source.table}.{column.source.name}",
                    source_type=column.source.sql_type,
                    type=column.sql_type,
                    missing_share=1 - facts.values[alias] / facts.rows,
                    distinct=facts.distinct[alias],
                    **_values(column, measurement.known_rows(), connection),
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


def _values(
    column: FormedColumn, rows: exp.Select, connection: "DuckDBPyConnection"
) -> dict[str, Any]:
    """Return range and mean of numbers and times, the most frequent values of everything else."""
    value = exp.column(column.alias, quoted=True)
    if column.form in _NUMBERS or column.form == "time":
        aggregates: list[Expr] = [exp.Min(this=value), exp.Max(this=value), exp.Avg(this=value)]
        low, high, mean = fetch_one(connection, rows.select(*aggregates, append=False))
        if column.form == "time":
            return {"minimum": _iso(low), "maximum": _iso(high)}
        return {"minimum": low, "maximum": high, "mean": mean}
    count = exp.Count(this=exp.Star())
    frequent = (
        rows.select(value, count, append=False)
        .where(exp.not_(exp.Is(this=value.copy(), expression=exp.null())))
        .group_by(value)
        .order_by(exp.Ordered(this=count.copy(), desc=True), value)
        .limit(_TOP)
    )
    return {"top": tuple(TopValue(value=v, rows=n) for v, n in run(connection, frequent))}


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
