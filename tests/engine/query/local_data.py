"""Small datasets on disk and their rows, for the tests of this folder."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from engine.definitions import DatasetDefinition, FeatureConfigDefinition, FeatureDefinition
from engine.query.connection import open_duckdb
from engine.query.preparation import PreparedRows, prepare_rows


def write_table(path: Path, select: str) -> Path:
    """Write the result of a query as a Parquet or CSV file."""
    form = "parquet" if path.suffix == ".parquet" else "csv, header"
    quoted = str(path).replace("'", "''")
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({select}) TO '{quoted}' (FORMAT {form})")
    return path


def dataset(**changes: Any) -> DatasetDefinition:
    """Return a dataset of one file `t.csv` with columns user and item."""
    written = {
        "name": "d",
        "tables": {"t": "t.csv"},
        "primary": "t",
        "roles": {"buyer": "user", "product": "item"},
        **changes,
    }
    return DatasetDefinition.model_validate(written)


def features(*columns: str, target: str | None = None, **options: Any) -> FeatureConfigDefinition:
    """Return a feature config with these columns beside the ids in the product tower."""
    return FeatureConfigDefinition(
        name="f",
        dataset="d",
        target=target,
        buyer=(FeatureDefinition(column="user", primary=True),),
        product=(
            FeatureDefinition(column="item", primary=True),
            *(FeatureDefinition(column=column, **options) for column in columns),
        ),
    )


@contextmanager
def prepared(
    root: Path, definition: DatasetDefinition, config: FeatureConfigDefinition | None = None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, PreparedRows]]:
    with open_duckdb() as connection:
        yield connection, prepare_rows(connection, definition, config, root)


def read_rows(
    root: Path,
    definition: DatasetDefinition,
    config: FeatureConfigDefinition | None = None,
    columns: Sequence[str] = ("user", "item"),
) -> list[tuple[Any, ...]]:
    """Return the filtered rows with ids, sorted."""
    with prepared(root, definition, config) as (connection, found):
        query = found.rows.keyed(columns).sql("duckdb")
        cursor = connection.execute(query)
        names = [column[0] for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return sorted((tuple(row[c] for c in columns) for row in rows), key=repr)


def key_of(*parts: str | int | None) -> str:
    """Return the text of a row key, computed independently of the query."""
    return "|".join("-" if p is None else f"{len(str(p))}:{p}" for p in parts)


def hash_of(purpose: str, seed: int, key: str) -> int:
    """Return the hash that decides on sample and split, from 0 to 2^32 - 1."""
    return int(hashlib.md5(f"{purpose}|{seed}|{key}".encode()).hexdigest()[:8], 16)


def number_of(key: str) -> int:
    """Return the row key as the examples hold it."""
    return int(hashlib.md5(key.encode()).hexdigest()[:16], 16) & (2**63 - 1)
