"""The SQL of a dataset, formatted to be read, in either dialect."""

from pathlib import Path
from typing import Any

import sqlglot
import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.models import DatasetDefinition
from engine.query.bigquery import bigquery_rows
from engine.query.connection import fetch_one, open_duckdb
from engine.query.examples import Selection, example_queries
from engine.query.preparation import prepare_rows
from engine.query.rows import DatasetRows
from engine.query.types import Dialect
from engine.spec import Split, SplitName


def dataset_sql(
    dataset: DatasetDefinition,
    *,
    root: Path,
    dialect: Dialect = "duckdb",
    split: SplitName | None = None,
) -> str:
    """Return the SQL of the filtered rows, or of one split of all of them.

    Args:
        dataset: whose types are those of its local files, whatever the dialect.
        root: where relative paths start.
        dialect: of the SQL.
        split: of the random split with seed 0 and without a sample, as a run would read it; the
            filtered rows when None.

    Raises:
        InvalidInput: the definition doesn't fit the data.
    """
    with open_duckdb() as connection:

        def ask(relation: Expr, values: list[Expr]) -> tuple[Any, ...]:
            return fetch_one(connection, exp.select(*values).from_(relation))

        rows: DatasetRows = prepare_rows(connection, dataset, None, root).rows
        if dialect == "bigquery":
            rows = bigquery_rows(rows, None, ask)
    aliases = list(rows.columns)
    if split is None:
        return rows.selected(aliases).sql(dialect, pretty=True)
    query = example_queries(rows, aliases, Selection(100, "buyer", Split(), 0))[split]
    return sqlglot.parse_one(query, dialect=dialect).sql(dialect, pretty=True)
