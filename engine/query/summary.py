"""What a dataset holds, for people: its size, its period, and each of its columns."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from engine.definitions.models import DatasetDefinition
from engine.query.columns import FormedColumn
from engine.query.connection import open_duckdb
from engine.query.measuring import Measurement, repeating_joins
from engine.query.preparation import prepare_rows
from engine.spec import Frozen, SqlType

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        measurement = Measurement(connection, rows, list(rows.columns))
        facts = measurement.facts
        repeating = repeating_joins(connection, rows)
        columns = [_column_summary(column, measurement) for column in rows.columns.values()]
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


def _column_summary(column: FormedColumn, measurement: Measurement) -> ColumnSummary:
    counts = measurement.counts[column.alias]
    least, greatest, mean = counts.least, counts.greatest, counts.mean
    if column.form == "time":
        least, greatest, mean = _iso(least), _iso(greatest), None
    return ColumnSummary(
        name=column.alias,
        source=f"{column.source.table}.{column.source.name}",
        source_type=column.source.sql_type,
        type=column.sql_type,
        repeated=column.form == "ids",
        missing_share=1 - counts.rows / measurement.facts.rows,
        distinct=counts.distinct,
        minimum=least,
        maximum=greatest,
        mean=mean,
        top=tuple(TopValue(value=value, rows=rows) for value, rows in counts.top),
    )


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
