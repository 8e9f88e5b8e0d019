"""Rows of a SQLite table as Arrow batches.

A column of SQLite holds values of any type whatever was declared, so its type is found over all its
values: whole numbers, numbers, bytes, else text.
"""

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING

from engine.definitions.names import quoted
from engine.errors import InvalidInput

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS_PER_BATCH = 50_000


def sqlite_schema(connection: sqlite3.Connection, table: str) -> "pa.Schema":
    """Return the columns of a table with the types that hold all their values.

    Raises:
        InvalidInput: two columns differ only in upper and lower case.
    """
    import pyarrow as pa

    described = connection.execute(f"SELECT * FROM {_name(table)} LIMIT 0").description
    names = [column[0] for column in described]
    kinds = ", ".join(f"group_concat(DISTINCT typeof({_name(name)}))" for name in names)
    found = connection.execute(f"SELECT {kinds} FROM {_name(table)}").fetchone()
    declared = {
        row[1]: str(row[2]).upper()
        for row in connection.execute(f"PRAGMA table_info({_name(table)})")
    }
    if len({name.casefold() for name in names}) < len(names):
        raise InvalidInput(f"Table {quoted(table)} has two columns of the same name.")
    types = {"integer": pa.int64(), "real": pa.float64(), "blob": pa.binary(), "text": pa.string()}
    return pa.schema(
        [
            (name, types[_kind(seen, declared.get(name, ""))])
            for name, seen in zip(names, found, strict=True)
        ]
    )


def sqlite_batches(
    connection: sqlite3.Connection, table: str, schema: "pa.Schema"
) -> "Iterator[pa.RecordBatch]":
    """Yield the rows of a table; in a column of text, everything is text."""
    import pyarrow as pa

    columns = ", ".join(
        f"CAST({_name(field.name)} AS TEXT)"
        if pa.types.is_string(field.type)
        else _name(field.name)
        for field in schema
    )
    cursor = connection.execute(f"SELECT {columns} FROM {_name(table)}")
    while rows := cursor.fetchmany(_ROWS_PER_BATCH):
        arrays = [
            pa.array(values, type=field.type)
            for values, field in zip(zip(*rows, strict=True), schema, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _kind(seen: str | None, declared: str) -> str:
    kinds = set((seen or "").split(",")) - {"null", ""}
    if not kinds:
        if "INT" in declared:
            return "integer"
        return "real" if any(part in declared for part in ("REAL", "FLOA", "DOUB")) else "text"
    if kinds <= {"integer", "real"}:
        return "real" if "real" in kinds else "integer"
    return "blob" if kinds == {"blob"} else "text"


def _name(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
