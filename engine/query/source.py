"""The tables behind a dataset, found and inspected."""

import glob
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.definitions.files import os_reason
from engine.definitions.misfits import concerning
from engine.definitions.models import DatasetDefinition
from engine.definitions.names import listed, quoted
from engine.errors import InvalidInput
from engine.query.databases import (
    SEPARATOR,
    copies_of,
    copy_table,
    is_database,
    origin_of,
    state_files,
    table_names,
)
from engine.query.tables import SourceTable, inspect_table
from engine.spec import SourceFile, content_hash
from engine.workspace import Workspace

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from engine.definitions import Definitions

_WILDCARDS = frozenset("*?[")


@dataclass(frozen=True)
class Source:
    """The tables of a dataset.

    Attributes:
        tables: by name, those that the dataset uses.
        fingerprint: hash of path, size and modification time of every file.
        files: these files.
    """

    tables: dict[str, SourceTable]
    fingerprint: str
    files: tuple[SourceFile, ...]


def inspect_source(
    connection: "DuckDBPyConnection", dataset: DatasetDefinition, root: Path
) -> Source:
    """Read the schema of every table that a dataset uses.

    Args:
        connection: from `open_duckdb`.
        dataset: whose tables are local files.
        root: where relative paths start; the tables of databases are copied to its state folder.

    Raises:
        InvalidInput: a file is missing, empty, of an unknown format, or cannot be read.
    """
    used = [dataset.primary, *(join.table for join in dataset.joins)]
    tables: dict[str, SourceTable] = {}
    files: list[Path] = []
    for name in used:
        if name not in dataset.tables:
            raise InvalidInput(f"The dataset {quoted(dataset.name)} has no table {quoted(name)}.")
        with concerning("datasets", dataset.name, "tables", name):
            read, of_table = _files_here(dataset, name, root)
            tables[name] = inspect_table(connection, name, read)
        files += of_table
    return Source(tables=tables, fingerprint=_fingerprint(files), files=_as_they_are(files))


class _NoSuchFile(InvalidInput):
    """A path names no file."""


def _files_here(dataset: DatasetDefinition, name: str, root: Path) -> tuple[list[Path], list[Path]]:
    """Return what `_files_of` does; of a table in BigQuery it says how a copy is made."""
    try:
        return _files_of(name, dataset.tables[name], root)
    except _NoSuchFile as error:
        if dataset.bigquery is None:
            raise
        there = dataset.bigquery.id_of(name)
        raise InvalidInput(
            error.message,
            hint="A run needs a copy of the table on this machine as well:"
            f" `towerlab init --bigquery {there}` makes data/{there.rpartition('.')[2]}.parquet.",
        ) from error


def _files_of(name: str, pattern: str, root: Path) -> tuple[list[Path], list[Path]]:
    """Return the files that queries read, and the files that they come from."""
    path, separator, table = pattern.rpartition(SEPARATOR)
    if not separator:
        found = find_files(name, pattern, root)
        if is_database(found[0]):
            tables = table_names(found[0])
            example = tables[0] if tables else "TABLE"
            raise InvalidInput(
                f"Table {quoted(name)}: {found[0]} is a database; it has the tables "
                f"{listed(tables) or 'none'}.",
                hint=f"Name one, as {quoted(pattern + SEPARATOR + example)}.",
            )
        return found, found
    databases = find_files(name, path, root)
    state = [file for database in databases for file in state_files(database)]
    copies = Workspace(root.absolute()).tables
    return [copy_table(database, table, copies) for database in databases], state


def unused_copies(definitions: "Definitions", workspace: Workspace) -> list[Path]:
    """Return the copies of databases' tables that no dataset names; none while one is wrong."""
    if definitions.problems:
        return []
    named: set[str] = set()
    for dataset in definitions.datasets.values():
        for name, pattern in dataset.tables.items():
            path, separator, table = pattern.rpartition(SEPARATOR)
            if separator:
                with suppress(InvalidInput):
                    files = find_files(name, path, workspace.root)
                    named |= {origin_of(file, table) for file in files}
    return [c for c in copies_of(workspace.tables) if c.name.partition("-")[0] not in named]


def find_files(table: str, pattern: str, root: Path) -> list[Path]:
    """Return the absolute paths that a table's path or glob names, sorted.

    Raises:
        InvalidInput: there is no such file.
    """
    path = root.absolute() / pattern
    try:
        if path.is_file():
            return [path]
        if path.is_dir():
            raise InvalidInput(
                f"Table {quoted(table)}: {path} is a folder.",
                hint=f"Name its files, as {quoted(pattern.rstrip('/') + '/*.parquet')}.",
            )
        matches = sorted(glob.glob(str(path), recursive=True)) if _WILDCARDS & set(pattern) else []
    except OSError as error:
        raise InvalidInput(
            f"Table {quoted(table)}: {quoted(pattern)} cannot be read: {os_reason(error)}."
        ) from error
    files = [Path(match) for match in matches if Path(match).is_file()]
    if not files:
        what = "no file matches" if _WILDCARDS & set(pattern) else "there is no file"
        raise _NoSuchFile(
            f"Table {quoted(table)}: {what} {path}.",
            hint="Relative paths start at the workspace's folder.",
        )
    return files


def _as_they_are(files: list[Path]) -> tuple[SourceFile, ...]:
    stats = [(path, path.stat()) for path in sorted(set(files))]
    return tuple(
        SourceFile(path=str(path), size=s.st_size, modified_ns=s.st_mtime_ns) for path, s in stats
    )


def _fingerprint(files: list[Path]) -> str:
    stats = [(str(path), path.stat()) for path in sorted(set(files))]
    return content_hash([[name, s.st_size, s.st_mtime_ns] for name, s in stats])
