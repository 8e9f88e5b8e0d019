"""What a dataset holds, for people: its size, its period, and each of its columns."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.models import DatasetDefinition
from engine.query.columns import Form, FormedColumn
from engine.query.connection import fetch_one, open_duckdb, run
from engine.query.measuring import Measurement, repeating_joins
from engine.query.preparation import prepare_rows
from engine.spec import Frozen, SqlType

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TOP = 5
_NUMBERS: tuple[Form, ...] = ("integer", "float")
_TEXTS: tuple[Form, ...] = ("id", "text")


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
    warnings: tuple[str, ...] = ()
    """Joins that make more rows."""
    columns: tuple[ColumnSummary, ...]


def summarize(dataset: DatasetDefinition, *, root: Path) -> DatasetSummary:
    """Read a dataset once and describe it.

    Raises:
        InvalidInput: the definition doesn't fit the data, or no row is left.
    """
    with open_duckdb() as connection:
        rows = prepare_rows(connection, dataset, None, root).rows
        texts = [alias for alias, column in rows.columns.items() if column.form in _TEXTS]
        others = [alias for alias in rows.columns if alias not in texts]
        measurement = Measurement(connection, rows, others, texts)
        facts = measurement.facts
        known = measurement.known_rows()
        repeating = repeating_joins(connection, rows)
        ranges = _ranges(list(rows.columns.values()), known, connection)
        columns: list[ColumnSummary] = []
        for alias, column in rows.columns.items():
            counts = _frequent(column, known, connection)
            values = facts.values.get(alias, counts.rows)
            columns.append(
                ColumnSummary(
                    name=alias,
                    source=f"{column.source.table}.{column.source.name}",
                    source_type=column.source.sql_type,
                    type=column.sql_type,
                    repeated=column.form == "ids",
                    missing_share=1 - values / facts.rows,
                    distinct=facts.distinct.get(alias, counts.distinct),
                    top=counts.top,
                    **ranges.get(alias, {}),
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
        warnings=tuple(map(str, repeating)),
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


@dataclass(frozen=True)
class _Frequent:
    """How many values a column has, in how many rows, and the most frequent ones."""

    distinct: int = 0
    rows: int = 0
    top: tuple[TopValue, ...] = ()


def _frequent(
    column: FormedColumn, rows: exp.Select, connection: "DuckDBPyConnection"
) -> _Frequent:
    """Count the values of a column by one grouping; of a list, those inside it; else nothing."""
    if column.form in _NUMBERS or column.form == "time":
        return _Frequent()
    value, number = exp.column(column.alias, quoted=True), exp.column("rows")
    if column.form == "ids" and column.history is None:
        unnested = exp.alias_(exp.Explode(this=value), column.alias, quoted=True)
        rows = exp.select("*").from_(rows.select(unnested, append=False).subquery("inside"))
    groups = (
        rows.select(
            exp.alias_(value.copy(), "value"),
            exp.alias_(exp.Count(this=exp.Star()), "rows"),
            append=False,
        )
        .where(exp.not_(exp.Is(this=value.copy(), expression=exp.null())))
        .group_by(value.copy())
    )
    frequent = (
        exp.select(
            "value",
            number,
            exp.Window(this=exp.Count(this=exp.Star())),
            exp.Window(this=exp.Sum(this=number.copy())),
        )
        .from_(groups.subquery("groups"))
        .order_by(exp.Ordered(this=number.copy(), desc=True), "value")
        .limit(_TOP)
    )
    found = run(connection, frequent)
    if not found:
        return _Frequent()
    _, _, distinct, total = found[0]
    return _Frequent(distinct, int(total), tuple(TopValue(value=v, rows=n) for v, n, *_ in found))


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
