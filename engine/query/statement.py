"""The SQL of a dataset, formatted to be read, in either dialect."""

from functools import partial
from pathlib import Path

import sqlglot
import sqlglot.expressions as exp

from engine.definitions.models import DatasetDefinition
from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.query.bigquery import bigquery_rows
from engine.query.connection import fetch_values, open_duckdb
from engine.query.examples import Selection, examples_query
from engine.query.preparation import AskTable, prepare_rows
from engine.query.rows import DatasetRows
from engine.query.types import Dialect
from engine.spec import Split, SplitName

_RANDOM = Split()


def dataset_sql(
    dataset: DatasetDefinition,
    *,
    root: Path,
    dialect: Dialect = "duckdb",
    part: SplitName | None = None,
    split: Split = _RANDOM,
) -> str:
    """Return the SQL of the filtered rows, or of one part of their split.

    Args:
        dataset: whose types and newest time are those of its local files, whatever the dialect.
        root: where relative paths start.
        dialect: of the SQL.
        part: the rows of which part of the split, seed 0 and without a sample, as a run would read
            them; the filtered rows when None.
        split: how they are split.

    Raises:
        InvalidInput: the definition doesn't fit the data, or the split is by time and the dataset
            has no timestamp.
    """
    with open_duckdb() as connection:
        ask = partial(fetch_values, connection)
        local = prepare_rows(connection, dataset, None, root).rows
        newest = None
        if part is not None and split.kind != "random":
            newest = _newest(dataset, local, ask, split)
        rows = bigquery_rows(local, None, ask) if dialect == "bigquery" else local
    aliases = list(rows.columns)
    if part is None:
        return rows.selected(aliases).sql(dialect, pretty=True)
    query = examples_query(rows, aliases, Selection(100, "buyer", split, 0, newest)).queries[part]
    return sqlglot.parse_one(query, dialect=dialect).sql(dialect, pretty=True)


def _newest(
    dataset: DatasetDefinition,
    rows: DatasetRows,
    ask: AskTable,
    split: Split,
) -> int:
    """Return the newest time of the filtered rows in epoch microseconds."""
    at = rows.timestamp
    if at is None:
        raise InvalidInput(
            f"The split {split.kind} needs times, but dataset {quoted(dataset.name)} has no "
            "timestamp."
        )
    relation = rows.selected([at]).subquery("times")
    (newest,) = ask(relation, [exp.Max(this=exp.column(at, quoted=True))])
    if newest is None:
        raise InvalidInput(f"Dataset {quoted(dataset.name)} has no row with a time.")
    return int(newest)
