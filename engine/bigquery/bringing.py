"""Tables of BigQuery brought to this machine: what a dataset is planned and tested with.

Forms of columns, dimensions and the newest time come from local files, and quick tests here read
them; a run on Google Cloud reads the tables themselves. Reading them so is not billed.
"""

import re
from collections.abc import Callable
from pathlib import Path

from engine.bigquery.facts import Table
from engine.bigquery.warehouse import Warehouse
from engine.config import CloudSettings
from engine.definitions.models import BigQuerySource
from engine.definitions.names import listed, quoted
from engine.errors import EnvironmentNotReady, InvalidInput
from engine.formats import size

MOST_BYTES = 2_000_000_000
"""Of all tables together; it goes page by page, at some ten megabytes a second."""
_MOST_TABLES = 20
_SOURCE = re.compile(r"((?:[a-z0-9.-]+:)?[a-z][a-z0-9-]*)\.(\w+)(?:\.([^.`]+))?")


def bring_tables(
    source: str, folder: Path, settings: CloudSettings, tell: Callable[[Table, bool], None]
) -> tuple[list[Path], BigQuerySource]:
    """Copy tables into Parquet files that bear their names; a file that is there stays.

    Args:
        source: "project.dataset", for all its tables, or "project.dataset.table".
        folder: where the files are put.
        settings: say where BigQuery is and who pays, if not the project of the tables.
        tell: gets each table before it is read, and whether a file of it is there already.

    Returns:
        The files, and where the same tables are in BigQuery.

    Raises:
        InvalidInput: there is no such table, or there is too much in it.
        EnvironmentNotReady: BigQuery can't be asked now, or the files can't be written.
    """
    found = _SOURCE.fullmatch(source)
    if found is None:
        raise InvalidInput(
            f"{quoted(source)} is neither PROJECT.DATASET nor PROJECT.DATASET.TABLE.",
            hint="As in --bigquery my-shop-123.sales.transactions.",
        )
    project, dataset, named = found.groups()
    warehouse = Warehouse(settings.project or project, settings.endpoints.bigquery)
    ids = [source] if named else warehouse.table_ids(f"{project}.{dataset}")
    tables = [warehouse.table(table_id) for table_id in ids[: _MOST_TABLES + 1]]
    _check(source, tables)
    files = [_bring(warehouse, table, folder, tell) for table in tables]
    return files, BigQuerySource(project=project, dataset=dataset)


def _check(source: str, tables: list[Table]) -> None:
    if not tables:
        raise InvalidInput(f"The dataset {quoted(source)} has no tables.")
    if len(tables) > _MOST_TABLES:
        raise InvalidInput(
            f"The dataset {quoted(source)} has more than {_MOST_TABLES} tables.",
            hint=f"Name one, as {tables[0].id}; more can be added to its definition.",
        )
    views = [quoted(table.id) for table in tables if table.rows is None]
    if views:
        raise InvalidInput(f"{listed(views)} can't be copied: it is no table but a view.")
    total = sum(table.bytes or 0 for table in tables)
    if total > MOST_BYTES:
        raise InvalidInput(
            f"{quoted(source)} holds {size(total)}; at most {size(MOST_BYTES)} are copied.",
            hint="Make a table of some of the buyers, and name it; or give one table.",
        )


def _bring(
    warehouse: Warehouse, table: Table, folder: Path, tell: Callable[[Table, bool], None]
) -> Path:
    path = folder / f"{table.id.rpartition('.')[2]}.parquet"
    tell(table, path.exists())
    if not path.exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            warehouse.download(table.id, path)
        except OSError as error:
            raise EnvironmentNotReady(
                f"{path} can't be written: {error.strerror}.", hint="Free some space."
            ) from error
    return path
