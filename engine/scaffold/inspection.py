"""What data files hold: their tables, and each column's kind, distinct values and null share."""

import glob
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Self

import sqlglot.expressions as exp

from engine.definitions.names import listed, quoted
from engine.errors import InvalidInput, NotFound
from engine.query.connection import open_duckdb, reason_of
from engine.query.databases import SEPARATOR, copy_table, is_database, table_names
from engine.query.tables import inspect_table
from engine.query.types import Kind

_ENDINGS = (".parquet", ".pq", ".csv", ".tsv")
"""What a folder is searched for; `.txt` is more often a readme than data."""
_COMPRESSED = (".gz", ".zst")
_MOST_TABLES = 20
"""A database with more is that of an application: somebody must say which tables count."""
_LEAST_REPEATED = 5
"""With fewer ids that occur more than once nothing can be said of what an id determines."""


@dataclass(frozen=True)
class SourceColumn:
    """A column of a file.

    Attributes:
        name: as in the file.
        kind: what it holds; text of which the least and greatest are times counts as `time`.
        distinct: different values, without null.
        null_share: share of the rows.
    """

    name: str
    kind: Kind
    distinct: int
    null_share: float


@dataclass(frozen=True)
class SourceTable:
    """One table: a file, the files of a folder that have the same columns, or one of a database.

    Attributes:
        name: made from the file's or folder's name; letters, digits and underscores.
        source: absolute path as a glob; of a database, with the table's name after "::".
        relation: the SQL that reads it.
    """

    name: str
    source: str
    relation: str
    rows: int
    columns: tuple[SourceColumn, ...]

    def column(self, name: str) -> SourceColumn | None:
        """Return the column with that name, else the one that differs in case only, else None."""
        exact = [c for c in self.columns if c.name == name]
        alike = [c for c in self.columns if c.name.lower() == name.lower()]
        return (exact or alike or [None])[0]

    def is_unique(self, name: str) -> bool:
        """Whether the column identifies the rows."""
        column = self.column(name)
        return column is not None and column.null_share == 0 and column.distinct == self.rows


def numbered(name: str) -> Iterator[str]:
    """Yield the name, then name_2, name_3 and so on."""
    yield name
    yield from (f"{name}_{number}" for number in count(2))


def slug(text: str, *, fallback: str = "data") -> str:
    """Return the text as a name of lower-case letters, digits and underscores."""
    words = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    if not words:
        return fallback
    return words if words[0].isalpha() else f"{fallback}_{words}"


class Inspection:
    """Reads data files, with the very reader that runs use; closed by `with`.

    Every method raises `InvalidInput` where a file is missing, empty or unreadable.

    Args:
        copies: folder for the copies of databases' tables.
    """

    def __init__(self, copies: Path) -> None:
        self._copies = copies

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._duckdb = stack.enter_context(open_duckdb())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def tables(
        self, paths: Iterable[Path], tell: Callable[[SourceTable], None]
    ) -> tuple[SourceTable, ...]:
        """Inspect files, folders and databases, in the order given; names are made unique.

        Args:
            paths: files, folders, globs, databases and, as `shop.db::orders`, tables of databases.
            tell: gets each table as soon as it is inspected.
        """
        found: dict[str, SourceTable] = {}
        for path in paths:
            for name, source in self._sources(path.absolute()):
                free = next(n for n in numbered(slug(name)) if n not in found)
                found[free] = self._table(free, source)
                tell(found[free])
        return tuple(found.values())

    def as_one(self, paths: Sequence[Path]) -> Sequence[Path]:
        """Return the glob that a shell has written out: all the files of a folder, of one kind."""
        files = sorted(path.absolute() for path in paths)
        folder, ending = files[0].parent, _ending(files[0])
        if len(files) < 2 or not ending or not folder.is_dir():
            return paths
        every = [p for p in sorted(folder.iterdir()) if p.is_file() and _ending(p) == ending]
        if every != files or not self._alike(every):
            return paths
        return [Path(glob.escape(str(folder))) / f"*{ending}"]

    def determined_shares(
        self, table: SourceTable, key: str, columns: Sequence[str]
    ) -> dict[str, float]:
        """Tell how far a key determines other columns of its table.

        Returns:
            For each column the share, among the key's values that occur more than once, of those
            with a single value of the column; 0 everywhere when too few occur more than once.
        """
        if not columns:
            return {}
        single = ", ".join(
            f"count(*) FILTER (lo_{i} IS NOT DISTINCT FROM hi_{i})" for i in range(len(columns))
        )
        ends = ", ".join(
            f"min({_quoted(c)}) AS lo_{i}, max({_quoted(c)}) AS hi_{i}"
            for i, c in enumerate(columns)
        )
        repeated, *singles = self._row(
            f"SELECT count(*), {single} FROM (SELECT {ends} FROM {table.relation}"
            f" WHERE {_quoted(key)} IS NOT NULL GROUP BY {_quoted(key)} HAVING count(*) > 1)",
            table.source,
        )
        return {
            column: share / repeated if repeated >= _LEAST_REPEATED else 0.0
            for column, share in zip(columns, singles, strict=True)
        }

    def repeated_share(self, table: SourceTable, buyer: str, product: str) -> float:
        """Return the share of the rows whose buyer has the product in another row already."""
        rows, pairs = self._row(
            f"SELECT sum(n), count(*) FROM (SELECT count(*) AS n FROM {table.relation}"
            f" GROUP BY {_quoted(buyer)}, {_quoted(product)})",
            table.source,
        )
        return 1 - pairs / rows

    def _table(self, name: str, source: str) -> SourceTable:
        """Count the rows, and the distinct values and nulls of every column."""
        found = inspect_table(self._duckdb, name, self._files(source))
        relation = found.relation.sql("duckdb")
        measures = "".join(
            f", count({c}), count(DISTINCT {c}), {_are_times(c) if found.kind(n) == 'text' else 0}"
            for n, c in ((n, _quoted(n)) for n in found.types)
        )
        rows, *numbers = self._row(f"SELECT count(*){measures} FROM {relation}", source)
        if rows == 0:
            raise InvalidInput(f"{source} has no rows.")
        columns = tuple(
            SourceColumn(
                column,
                "time" if are_times else found.kind(column),
                distinct=distinct,
                null_share=1 - filled / rows,
            )
            for column, filled, distinct, are_times in zip(
                found.types, numbers[::3], numbers[1::3], numbers[2::3], strict=True
            )
        )
        return SourceTable(name, source, relation, rows, columns)

    def _sources(self, path: Path) -> list[tuple[str, str]]:
        """Return the name and glob of every table at a path."""
        if path.is_file():
            if is_database(path):
                return self._tables_of(path)
            return [(_stem(path), glob.escape(str(path)))]
        file, separator, table = str(path).rpartition(SEPARATOR)
        if separator and Path(file).is_file():
            return [(table, f"{glob.escape(file)}{SEPARATOR}{table}")]
        if path.is_dir():
            found = [p for p in sorted(path.iterdir()) if p.is_file() and _ending(p)]
            if not found:
                raise NotFound(f"{path} holds no {', '.join(_ENDINGS)} file.")
            endings = {_ending(p) for p in found}
            if len(found) > 1 and len(endings) == 1 and self._alike(found):
                return [(path.name, f"{glob.escape(str(path))}/*{endings.pop()}")]
        elif not glob.has_magic(str(path)):
            raise NotFound(f"{path} does not exist.")
        else:
            matches = (Path(match) for match in sorted(glob.glob(str(path), recursive=True)))
            found = [match for match in matches if match.is_file()]
            if not found:
                raise NotFound(f"No file matches {path}.")
            if len(found) > 1 and self._alike(found):
                plain = (p.name for p in path.parents if not glob.has_magic(p.name))
                return [(next(plain), str(path))]
        return [(_stem(file), glob.escape(str(file))) for file in found]

    def _tables_of(self, database: Path) -> list[tuple[str, str]]:
        """Return the name and source of every table of a database that has rows."""
        tables = table_names(database)
        if len(tables) > _MOST_TABLES:
            raise InvalidInput(
                f"{database} has {len(tables)} tables: {listed(tables)}.",
                hint=f"Name those to use, as {quoted(f'{database.name}{SEPARATOR}{tables[0]}')}.",
            )
        sources = {table: f"{glob.escape(str(database))}{SEPARATOR}{table}" for table in tables}
        filled = [(table, source) for table, source in sources.items() if self._has_rows(source)]
        if not filled:
            raise InvalidInput(f"{database} has no table with rows.")
        return filled

    def _has_rows(self, source: str) -> bool:
        relation = inspect_table(self._duckdb, source, self._files(source)).relation
        return bool(self._row(f"SELECT count(*) FROM {relation.sql('duckdb')}", source)[0])

    def _files(self, source: str) -> list[Path]:
        """Return the files that a source names; of a table of a database, its copy."""
        path, separator, table = source.rpartition(SEPARATOR)
        found = sorted(Path(match) for match in glob.glob(path if separator else source))
        return [copy_table(file, table, self._copies) for file in found] if separator else found

    def _alike(self, found: list[Path]) -> bool:
        """Whether files have the same columns; types may differ, as in a file without decimals."""
        names = [list(inspect_table(self._duckdb, f.name, [f]).types) for f in found]
        return all(other == names[0] for other in names)

    def _row(self, sql: str, source: str) -> list[Any]:
        import duckdb

        try:
            return list(self._duckdb.execute(sql).fetchall()[0])
        except (duckdb.Error, UnicodeError) as error:
            raise InvalidInput(f"{source} can't be read: {reason_of(error)}") from error


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql("duckdb")


def _are_times(column: str) -> str:
    ends = (f"TRY_CAST({end}({column}) AS TIMESTAMPTZ) IS NOT NULL" for end in ("min", "max"))
    return " AND ".join(ends)


def _ending(path: Path) -> str:
    """Return ".csv.gz" of a name that says what the file holds; else nothing."""
    name = path.name.lower()
    compressed = next((c for c in _COMPRESSED if name.endswith(c)), "")
    ending = next((e for e in _ENDINGS if name.endswith(e + compressed)), "")
    return path.name[len(path.name) - len(ending + compressed) :] if ending else ""


def _stem(path: Path) -> str:
    return path.name.removesuffix(_ending(path) or path.suffix) or path.name
