"""`Warehouse`: BigQuery by its client. Imports Google's library; see the package."""

from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import sqlglot
import sqlglot.expressions as exp
from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.cloud import bigquery
from google.cloud.bigquery.retry import DEFAULT_RETRY

from engine.backends.vertex.login import Login
from engine.backends.vertex.problems import told
from engine.bigquery.facts import Column, Reading, Table
from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.spec import content_hash

_SERVICE = "BigQuery"
_CALL_SECONDS, _RETRY_SECONDS = 20.0, 40.0
_PAGE_ROWS = 50_000


class Warehouse:
    """What a project sees of BigQuery; may be shared between threads.

    Every method raises `EnvironmentNotReady` when BigQuery can't be asked now, which says why.

    Args:
        project: whose quota and bill it is.
        endpoint: address of the service; Google's when empty.
    """

    def __init__(self, project: str, endpoint: str = "") -> None:
        self._project = project
        self._endpoint = endpoint

    @cached_property
    def _client(self) -> bigquery.Client:
        credentials = Login()
        options = ClientOptions(api_endpoint=self._endpoint or None)
        return bigquery.Client(
            project=self._project, credentials=credentials, client_options=options
        )

    def table_ids(self, dataset: str) -> list[str]:
        """Return the tables of "project.dataset", as "project.dataset.table", sorted.

        Raises:
            InvalidInput: there is no such dataset.
        """
        with self._asking(f"list the tables of {dataset}"):
            listed = self._client.list_tables(dataset, **_OPTIONS)
            return sorted(f"{t.project}.{t.dataset_id}.{t.table_id}" for t in listed)

    def table(self, table_id: str) -> Table:
        """Return what is known of a table.

        Raises:
            InvalidInput: there is no such table.
        """
        with self._asking(f"look at {table_id}"):
            found = self._client.get_table(table_id, **_OPTIONS)
            return Table(
                id=table_id,
                rows=found.num_rows,
                bytes=found.num_bytes,
                modified_at=found.modified or datetime.now(UTC),
                columns=tuple(
                    Column(name=f.name, type=f.field_type, repeated=f.mode == "REPEATED")
                    for f in found.schema
                ),
            )

    def bytes_read(self, sql: str) -> int:
        """Return what a query would read, by a dry run, which costs nothing.

        Raises:
            InvalidInput: BigQuery doesn't take the query.
        """
        config = bigquery.QueryJobConfig(dry_run=True, use_query_cache=False)
        with self._asking("try a query"):
            job = self._client.query(sql, config, job_retry=None, **_OPTIONS)
            return int(job.total_bytes_processed or 0)

    def reading(self, queries: Iterable[str]) -> Reading:
        """Return what queries would read together, and their tables.

        Raises:
            InvalidInput: a table is missing, or BigQuery doesn't take a query.
        """
        asked = list(queries)
        return Reading(
            tables=tuple(self.table(table_id) for table_id in tables_in(asked)),
            bytes=sum(self.bytes_read(sql) for sql in asked),
        )

    def fingerprint(self, queries: Iterable[str]) -> str:
        """Return what differs whenever a table of these queries has changed.

        Raises:
            InvalidInput: a table is missing.
        """
        found = [self.table(table_id) for table_id in tables_in(queries)]
        return content_hash([[t.id, t.modified_at.isoformat(), t.rows, t.bytes] for t in found])

    def download(self, table_id: str, path: Path) -> None:
        """Write the rows of a table to a Parquet file, page by page; reading them is not billed.

        Args:
            table_id: "project.dataset.table".
            path: of the file, which is there whole afterwards or not at all.

        Raises:
            InvalidInput: there is no such table, or it has no rows.
        """
        import pyarrow.parquet as pq

        draft = path.with_name(f".{path.name}.new")
        writer: Any = None
        try:
            with self._asking(f"read {table_id}"):
                rows = self._client.list_rows(table_id, page_size=_PAGE_ROWS, **_OPTIONS)
                batches = rows.to_arrow_iterable(bqstorage_client=None)
                for batch in batches:
                    writer = writer or pq.ParquetWriter(draft, batch.schema)
                    writer.write_batch(batch)
                if writer is not None:
                    writer.close()
            if writer is None or not rows.total_rows:
                raise InvalidInput(f"The table {quoted(table_id)} has no rows.")
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)

    @contextmanager
    def _asking(self, what: str) -> Generator[None]:
        with told(_SERVICE, what, self._project):
            try:
                yield
            except exceptions.NotFound as error:
                if (missing := _missing(error)) is None:
                    raise
                raise InvalidInput(
                    f"BigQuery has no {missing}, or your account doesn't see it.",
                    hint="`towerlab init --bigquery PROJECT.DATASET` lists what there is.",
                ) from error
            except exceptions.BadRequest as error:
                raise InvalidInput(f"BigQuery doesn't {what}: {error.message}") from error


_OPTIONS: dict[str, Any] = {
    "timeout": _CALL_SECONDS,
    "retry": DEFAULT_RETRY.with_timeout(_RETRY_SECONDS),
}


def tables_in(queries: Iterable[str]) -> list[str]:
    """Return the tables that queries for BigQuery name, as "project.dataset.table", sorted."""
    return sorted(
        {
            f"{table.catalog}.{table.db}.{table.name}"
            for sql in queries
            for table in sqlglot.parse_one(sql, dialect="bigquery").find_all(exp.Table)
            if table.catalog
        }
    )


def _missing(error: exceptions.NotFound) -> str | None:
    """Return what isn't there, as "table shop.sales.orders"; None where a project is meant."""
    _, found, rest = str(error.message).partition("Not found: ")
    kind, _, name = rest.partition(" ")
    if not found or kind not in ("Table", "Dataset"):
        return None
    return f"{kind.lower()} {name.split()[0].rstrip('.').replace(':', '.', 1)}"
