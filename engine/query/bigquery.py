"""The same rows in BigQuery: the dataset's local queries over the tables' names there.

Which form a column takes is decided by the local files, so both queries yield the same columns.
"""

from dataclasses import replace
from typing import Any

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.models import DatasetDefinition, FeatureConfigDefinition
from engine.query.preparation import AskTable, form_rows
from engine.query.rows import DatasetRows

_PLACEHOLDERS = ("PROJECT", "DATASET")


def bigquery_rows(
    local: DatasetRows, features: FeatureConfigDefinition | None, ask: AskTable
) -> DatasetRows:
    """Return the rows of a dataset as queries for BigQuery.

    Args:
        local: the rows in DuckDB.
        features: what the columns are used for, as it was for `local`.
        ask: answers aggregates over a local table.

    Raises:
        InvalidInput: as in `prepare_rows`.
    """
    tables = {
        name: replace(table, function=_table(local.dataset, name), csv=None)
        for name, table in local.tables.items()
    }

    def ask_locally(relation: Expr, values: list[Expr]) -> tuple[Any, ...]:
        table = exp.TableAlias(this=exp.to_identifier(relation.alias, quoted=True))
        found = exp.Table(this=local.tables[relation.alias].relation, alias=table)
        return ask(found, values)

    return form_rows(local.dataset, features, tables, ask_locally, "bigquery")


def uses_placeholders(dataset: DatasetDefinition) -> bool:
    """Return whether the SQL names PROJECT and DATASET, since the dataset doesn't."""
    return dataset.bigquery is None


def _table(dataset: DatasetDefinition, name: str) -> Expr:
    source = dataset.bigquery
    project, folder = (source.project, source.dataset) if source else _PLACEHOLDERS
    written = source.tables.get(name, name) if source else name
    parts = written.split(".")
    if len(parts) == 3:
        project, folder, written = parts
    return exp.table_(written, db=folder, catalog=project, quoted=True)
