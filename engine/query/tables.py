"""One table of a dataset: its files, its schema, and how queries read it.

What DuckDB guesses about a CSV file (separator, types) is read off once, over the whole file, and
written into the query, so that a run reads what was planned.
"""

import glob
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.names import listed, quoted
from engine.errors import InvalidInput
from engine.query.connection import reason_of
from engine.query.ragged import ragged_line, separator_in
from engine.query.types import Kind, kind_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FORMATS: dict[str, Literal["parquet", "csv"]] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
}
_COMPRESSIONS = {".gz", ".zst"}


@dataclass(frozen=True)
class SourceTable:
    """One table of a dataset.

    Attributes:
        name: its name in the dataset.
        types: SQL type of every column, in order.
        function: the table function over absolute paths (or the table's name, in BigQuery);
            of CSV files, with the types as they were found.
        csv: how CSV files are read; None where the files carry their own types.
        text_columns: columns of CSV files that are read as the text that stands there, since ids
            such as "007" survive only so.
    """

    name: str
    types: dict[str, str]
    function: Expr
    csv: "CsvOptions | None" = None
    text_columns: frozenset[str] = frozenset()

    def kind(self, column: str) -> Kind:
        """Return the kind of what a column holds."""
        return kind_of(self.types[column])

    def read_kind(self, column: str) -> Kind:
        """Return the kind that the query sees."""
        return "text" if column in self.text_columns else self.kind(column)

    def with_text(self, columns: set[str]) -> "SourceTable":
        """Return the table with more columns read as text; types of other files stay."""
        if self.csv is None:
            return self
        return replace(self, text_columns=self.text_columns | columns)

    @property
    def relation(self) -> Expr:
        """What stands in FROM."""
        if self.csv is None:
            return self.function.copy()
        types = {c: "VARCHAR" if c in self.text_columns else t for c, t in self.types.items()}
        return self.csv.relation(types)


@dataclass(frozen=True)
class CsvOptions:
    """How DuckDB reads the CSV files of a table."""

    paths: tuple[str, ...]
    options: dict[str, str | bool | int] = field(default_factory=dict)

    def relation(self, types: dict[str, str]) -> Expr:
        """Return `read_csv` with nothing left to guess."""
        columns = exp.Struct(
            expressions=[
                exp.PropertyEQ(this=exp.to_identifier(name, quoted=True), expression=_text(of))
                for name, of in types.items()
            ]
        )
        return _function("READ_CSV", self.paths, {**self.options, "types": columns})


def aliased(relation: Expr, alias: str) -> Expr:
    """Return what stands in FROM under a name."""
    named = exp.TableAlias(this=exp.to_identifier(alias, quoted=True))
    if isinstance(relation, exp.Table):
        relation.set("alias", named)
        return relation
    return exp.Table(this=relation, alias=named)


def bigquery_table(name: str, table_id: str, types: dict[str, str]) -> SourceTable:
    """Return a table "project.dataset.table" of BigQuery, with the SQL types of its columns."""
    project, dataset, table = table_id.split(".")
    return SourceTable(name, types, exp.table_(table, db=dataset, catalog=project, quoted=True))


def inspect_table(connection: "DuckDBPyConnection", table: str, files: list[Path]) -> SourceTable:
    """Read the schema of files of one format; raises like `inspect_source`."""
    formats = {_format_of(table, path) for path in files}
    if len(formats) > 1:
        raise InvalidInput(f"Table {quoted(table)} mixes Parquet and CSV files.")
    for path in files:
        if path.stat().st_size == 0:
            raise InvalidInput(f"Table {quoted(table)}: {path} is empty.")
    import duckdb

    # A name with wildcards in it would match other files: escaped, it names itself.
    paths = tuple(glob.escape(str(path)) for path in files)
    try:
        found = (_parquet if formats == {"parquet"} else _csv)(connection, table, paths)
    except (duckdb.Error, UnicodeError) as error:
        if formats == {"csv"}:
            _check_fields(table, files)
        shown = listed(str(path) for path in files[:2])
        raise InvalidInput(
            f"Table {quoted(table)}: {shown} cannot be read: {reason_of(error)}"
        ) from error
    if found.csv is not None and len(found.types) == 1 and separator_in(next(iter(found.types))):
        _check_fields(table, files)  # lines of several lengths look like one column
    return found


def _check_fields(table: str, files: list[Path]) -> None:
    for path in files:
        if told := ragged_line(path):
            raise InvalidInput(
                f"Table {quoted(table)}: {path} cannot be read: {told}.",
                hint="Correct the line, or put quotes around values that hold the separator.",
            )


def _parquet(connection: "DuckDBPyConnection", table: str, paths: tuple[str, ...]) -> SourceTable:
    options: dict[str, str | bool | int] = {"hive_partitioning": False}
    if len(paths) > 1:
        options["union_by_name"] = True
    relation = _function("READ_PARQUET", paths, options)
    return SourceTable(table, _describe(connection, relation), relation)


def _csv(connection: "DuckDBPyConnection", table: str, paths: tuple[str, ...]) -> SourceTable:
    sniff = exp.select(
        "delimiter", "quote", "escape", "comment", "skiprows", "dateformat", "timestampformat"
    ).from_(
        exp.func(
            "SNIFF_CSV",
            _text(paths[0]),
            *_named({"sample_size": -1, "header": True}),
            dialect="duckdb",
        )
    )
    row = connection.execute(sniff.sql("duckdb")).fetchall()[0]
    delimiter, quote, escape, comment, skip, date_format, time_format = row
    options: dict[str, str | bool | int] = {
        "header": True,
        "delim": _unless_empty(delimiter),
        # A file without quotes reads the same; another of the same glob may have some.
        "quote": _unless_empty(quote) or '"',
        "escape": _unless_empty(escape) or '"',
        "comment": _unless_empty(comment),
        "skip": int(skip or 0),
        "hive_partitioning": False,
    }
    if date_format:
        options["dateformat"] = date_format
    if time_format:
        options["timestampformat"] = time_format
    if len(paths) > 1:
        options["union_by_name"] = True
    guessing = {**options, "sample_size": -1}
    if len(paths) > 1:
        guessing["files_to_sniff"] = -1
    types = {
        # Times of which some may lack a zone would depend on the session's: kept as text.
        name: "VARCHAR" if sql_type == "TIMESTAMP WITH TIME ZONE" else sql_type
        for name, sql_type in _describe(connection, _function("READ_CSV", paths, guessing)).items()
    }
    csv = CsvOptions(paths, options)
    return SourceTable(table, types, csv.relation(types), csv)


def _describe(connection: "DuckDBPyConnection", relation: Expr) -> dict[str, str]:
    query = exp.select("*").from_(relation).sql("duckdb")
    return {row[0]: row[1] for row in connection.execute(f"DESCRIBE {query}").fetchall()}


def _unless_empty(character: str | None) -> str:
    return "" if character in {None, "(empty)"} else str(character)


def _format_of(table: str, path: Path) -> Literal["parquet", "csv"]:
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSIONS:
        suffixes.pop()
    found = _FORMATS.get(suffixes[-1]) if suffixes else None
    if found is None:
        raise InvalidInput(
            f"Table {quoted(table)}: {path} is neither Parquet nor CSV by its name.",
            hint=f"Known endings are {listed(_FORMATS)}; a table of a database is named as "
            '"shop.sqlite::orders".',
        )
    return found


def _text(value: str) -> Expr:
    return exp.Literal.string(value)


def _named(options: dict[str, Any]) -> list[Expr]:
    return [
        exp.PropertyEQ(
            this=exp.to_identifier(name),
            expression=value if isinstance(value, Expr) else exp.convert(value),
        )
        for name, value in options.items()
    ]


def _function(name: str, paths: tuple[str, ...], options: dict[str, Any]) -> Expr:
    files = exp.Array(expressions=[_text(path) for path in paths])
    return exp.func(name, files, *_named(options), dialect="duckdb")
