"""The examples of a run as Parquet files, to be sent where the data itself can't be read."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from engine.definitions.files import os_reason
from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.query.connection import open_duckdb, reason_of
from engine.spec import SPLITS, ExamplesQuery, SourceFile, SplitName


def write_rows(
    examples: ExamplesQuery, folder: Path, *, splits: Sequence[SplitName] = SPLITS
) -> list[Path]:
    """Write the rows of each split to `<split>/rows.parquet`, and return the files.

    Args:
        examples: queries for DuckDB.
        folder: where the splits' folders are made.
        splits: whose rows.

    Raises:
        InvalidInput: the source files have changed since the plan, or can't be read.
    """
    _check_unchanged(examples.files)
    try:
        return _written(examples, folder, splits)
    finally:
        # One that changes meanwhile leaves rows of two states, or none that can be read.
        _check_unchanged(examples.files)


def _written(examples: ExamplesQuery, folder: Path, splits: Sequence[SplitName]) -> list[Path]:
    import duckdb

    written: list[Path] = []
    with open_duckdb() as connection:
        try:
            tables = dict(examples.kept)
            if len(splits) > 1:
                tables["examples"] = examples.sql
                examples = examples.replace(sql="FROM examples")
            for name, select in tables.items():
                connection.execute(f'CREATE TEMPORARY TABLE "{name}" AS {select}')
            for split in splits:
                query = examples.queries[split]
                target = folder / split / "rows.parquet"
                target.parent.mkdir(parents=True, exist_ok=True)
                name = str(target).replace("'", "''")
                connection.execute(f"COPY ({query}) TO '{name}' (FORMAT parquet, COMPRESSION zstd)")
                written.append(target)
        except duckdb.Error as error:
            raise InvalidInput(
                f"The rows can't be written to {quoted(folder)}: {reason_of(error)}"
            ) from error
    return written


def _check_unchanged(files: Iterable[SourceFile]) -> None:
    hint = "Rerun the experiment: that plans it anew with the data as it is now."
    for file in files:
        try:
            now = os.stat(file.path)
        except OSError as error:
            raise InvalidInput(
                f"The data file {file.path} can't be read any more: {os_reason(error)}.", hint=hint
            ) from error
        if (now.st_size, now.st_mtime_ns) != (file.size, file.modified_ns):
            raise InvalidInput(
                f"The data file {file.path} has changed since the experiment was submitted.",
                hint=hint,
            )
