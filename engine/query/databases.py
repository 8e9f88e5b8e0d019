"""Tables of DuckDB and SQLite files, copied to Parquet once for each state of the file.

A run reads its data in another process, later, with SQL alone. SQLite can't be read so: DuckDB's
extension for it is a download. A DuckDB file can't be opened while somebody writes to it. A copy
answers both, and is what the plan was made of. The copy of a newer state replaces the older one.
"""

import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.definitions.files import os_reason
from engine.definitions.names import quoted, suggestion
from engine.errors import InvalidInput
from engine.query.connection import open_duckdb, reason_of
from engine.query.sqlite_rows import sqlite_batches, sqlite_schema
from engine.spec import content_hash

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SEPARATOR = "::"
"""Between the file of a database and the name of a table in it."""
_SQLITE_MAGIC = b"SQLite format 3\0"
_DUCKDB_MAGIC = b"DUCK"
_DUCKDB_MAGIC_AT = 8
_ENDING = ".parquet"
LOCK_SECONDS = 5


def is_database(path: Path) -> bool:
    """Return whether a file is a DuckDB or SQLite database, by its first bytes."""
    return _engine_of(path) != ""


def state_files(path: Path) -> list[Path]:
    """Return the files that hold a database's state: itself, and what is not yet in it."""
    logs = (path.with_name(path.name + suffix) for suffix in ("-wal", ".wal"))
    return [path, *(log for log in logs if log.is_file() and log.stat().st_size)]


def copy_table(path: Path, table: str, folder: Path) -> Path:
    """Return the Parquet copy of a table, made if the database has changed since the last.

    Args:
        path: the database.
        table: name of a table or view in it.
        folder: where the copies of the workspace are.

    Raises:
        InvalidInput: the file is no database, is locked, or has no such table; the copy cannot be
            written.
    """
    engine = _engine_of(path)
    if not engine:
        raise InvalidInput(
            f"{path} is neither a DuckDB nor a SQLite database.",
            hint=f"Only these have tables: leave {quoted(SEPARATOR + table)} out for other files.",
        )
    origin = origin_of(path, table)
    stats = [(str(file), file.stat()) for file in state_files(path)]
    state = content_hash([[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats])
    copy = folder / f"{origin}-{state}{_ENDING}"
    if not copy.is_file():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (_copy_sqlite if engine == "sqlite" else _copy_duckdb)(path, table, copy)
        except OSError as error:
            raise InvalidInput(
                f"{copy} cannot be written: {os_reason(error)}.",
                hint="The tables of a database are copied there; check the free space.",
            ) from error
        for older in copies_of(folder, origin):
            if older != copy:
                older.unlink(missing_ok=True)
    return copy


def origin_of(path: Path, table: str) -> str:
    """Return the hash that the copies of a table bear, whatever the state of its database."""
    return content_hash([str(path), table])


def copies_of(folder: Path, origin: str = "*") -> list[Path]:
    """Return the copies of one table, or of all."""
    return sorted(folder.glob(f"{origin}-*{_ENDING}"))


def table_names(path: Path) -> list[str]:
    """Return the names of a database's tables and views, sorted; raises like `copy_table`."""
    if _engine_of(path) == "sqlite":
        with _sqlite(path) as connection:
            return _sqlite_tables(connection)
    with _duckdb(path) as connection:
        return _duckdb_tables(connection)


def _engine_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(len(_SQLITE_MAGIC))
    except OSError:
        return ""
    if head == _SQLITE_MAGIC:
        return "sqlite"
    return "duckdb" if head[_DUCKDB_MAGIC_AT:].startswith(_DUCKDB_MAGIC) else ""


def _require(path: Path, table: str, tables: list[str]) -> None:
    if table not in tables:
        raise InvalidInput(f"{path} has no table {quoted(table)}.", hint=suggestion(table, tables))


@contextmanager
def _written(copy: Path) -> Generator[Path]:
    """Yield a path beside the copy that becomes the copy once everything is in it."""
    part = copy.with_name(f"{copy.stem}.{os.getpid()}-{threading.get_ident()}.part")
    try:
        yield part
        part.replace(copy)
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _sqlite(path: Path) -> Generator[sqlite3.Connection]:
    try:
        with closing(_open_sqlite(path)) as connection:
            connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
            connection.execute("BEGIN")  # one state for everything that follows
            yield connection
    except sqlite3.Error as error:
        busy = "locked" in str(error) or "busy" in str(error)
        raise InvalidInput(
            f"{path} cannot be read: {error}.",
            hint="Another program is writing to it: try again when it has finished."
            if busy
            else "Check that the file is complete and readable.",
        ) from error


def _open_sqlite(path: Path) -> sqlite3.Connection:
    """Open read-only; a folder that can't be written has no place for a WAL's index."""
    connection = _connect(path, "mode=ro")
    try:
        connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.OperationalError as error:
        connection.close()
        if "unable to open" not in str(error) or len(state_files(path)) > 1:
            raise
        return _connect(path, "immutable=1")
    return connection


def _connect(path: Path, options: str) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{options}",
        uri=True,
        timeout=LOCK_SECONDS,
        isolation_level=None,
    )


def _sqlite_tables(connection: sqlite3.Connection) -> list[str]:
    found = connection.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [name for (name,) in found]


def _copy_sqlite(path: Path, table: str, copy: Path) -> None:
    from pyarrow import parquet

    with _sqlite(path) as connection, _written(copy) as part:
        _require(path, table, _sqlite_tables(connection))
        schema = sqlite_schema(connection, table)
        with parquet.ParquetWriter(part, schema) as writer:
            for batch in sqlite_batches(connection, table, schema):
                writer.write_batch(batch)


@contextmanager
def _duckdb(path: Path) -> Generator["DuckDBPyConnection"]:
    import duckdb

    with open_duckdb() as connection:
        try:
            literal = str(path).replace("'", "''")
            connection.execute(f"ATTACH '{literal}' AS source (READ_ONLY)")
            yield connection
        except duckdb.Error as error:
            busy = "lock" in str(error).lower()
            raise InvalidInput(
                f"{path} cannot be read: {reason_of(error)}",
                hint="Another program has it open: try again when that has closed it."
                if busy
                else "Check that the file is complete and was written by a DuckDB no newer.",
            ) from error


def _duckdb_tables(connection: "DuckDBPyConnection") -> list[str]:
    found = connection.execute(
        "SELECT table_name FROM information_schema.tables "
        "WHERE table_catalog = 'source' AND table_schema = 'main' ORDER BY table_name"
    )
    return [name for (name,) in found.fetchall()]


def _copy_duckdb(path: Path, table: str, copy: Path) -> None:
    with _duckdb(path) as connection, _written(copy) as part:
        _require(path, table, _duckdb_tables(connection))
        name, target = table.replace('"', '""'), str(part).replace("'", "''")
        connection.execute(f"COPY source.main.\"{name}\" TO '{target}' (FORMAT parquet)")
