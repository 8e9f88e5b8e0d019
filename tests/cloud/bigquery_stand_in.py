"""What stands in for BigQuery when a compiled job runs here.

TFX's own executor converts, writes and describes the examples; only its two ways to BigQuery lead
to DuckDB: the client that asks for the query's schema, and the source that reads its rows. The SQL
is the job's, translated by sqlglot, over Parquet files that bear the tables' names.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import apache_beam as beam
import duckdb
from tfx.extensions.google_cloud_big_query.example_gen import executor

from tests.engine.query.translation import as_duckdb

TABLES = "TOWERLAB_TEST_TABLES"
"""Environment variable: the folder of the Parquet files."""

_TYPES = {"BIGINT": "INTEGER", "DOUBLE": "FLOAT", "VARCHAR": "STRING"}


class Executor(executor.Executor):
    """BigQueryExampleGen's executor with DuckDB behind it."""

    def Do(self, input_dict: Any, output_dict: Any, exec_properties: Any) -> None:  # noqa: N802
        with (
            mock.patch.object(executor.bigquery, "Client", _Client),
            mock.patch.object(executor.utils, "ReadFromBigQuery", _read),
        ):
            super().Do(input_dict, output_dict, exec_properties)


class _Client:
    def __init__(self, project: str | None) -> None:
        self._project = project

    def query(self, sql: str) -> Any:
        found = _run(sql)
        fields = [
            SimpleNamespace(name=name, field_type=_TYPES[str(kind).removesuffix("[]")])
            for name, kind in zip(found.columns, found.types, strict=True)
        ]
        return SimpleNamespace(result=lambda: SimpleNamespace(schema=fields))


@beam.ptransform_fn
def _read(
    pipeline: beam.Pipeline, query: str, big_query_custom_config: Mapping[str, Any] | None
) -> beam.PCollection:
    found = _run(query)
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]
    return pipeline | beam.Create(rows)


def _run(sql: str) -> duckdb.DuckDBPyRelation:
    connection = duckdb.connect()
    for file in Path(os.environ[TABLES]).glob("*.parquet"):
        connection.execute(f"CREATE VIEW {file.stem} AS FROM '{file}'")
    return connection.sql(as_duckdb(sql))
