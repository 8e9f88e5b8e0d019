"""The filtered rows of a dataset, read once into DuckDB, small enough for many questions.

Of a row stand there its primary table's values, and of each joined table which of its rows it met:
what a product or a buyer has is cast and counted once, not in each of its thousand rows. A file
with one row group is read by one thread; what is asked of the gathered rows runs on all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.query.columns import FormedColumn
from engine.query.connection import fetch_one, run
from engine.query.rows import DatasetRows
from engine.query.tables import aliased

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_GATHERED = "gathered"
_TOP = 5
_VALUE, _ROWS = exp.column("value", quoted=True), exp.column("rows", quoted=True)


@dataclass(frozen=True)
class ValueCounts:
    """The values of a column over the rows that have ids; of a list, those inside it.

    Attributes:
        distinct: how many there are.
        rows: in how many rows one is set.
        least: of numbers and times; None where there is none. Likewise `greatest` and `mean`.
        top: of text and ids, the most frequent values and in how many rows they stand.
    """

    distinct: int
    rows: int
    least: Any = None
    greatest: Any = None
    mean: float | None = None
    top: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class _Joined:
    """The rows of a joined table, numbered.

    Attributes:
        name: the table of DuckDB in which they stand.
        columns: those that are needed of them.
        place: column of their number, in `name`.
        met: column of this number in the gathered rows.
    """

    name: str
    columns: tuple[str, ...]
    place: str
    met: str


class GatheredRows:
    """The rows that pass every filter, in tables of DuckDB.

    Args:
        connection: from `open_duckdb`; holds the tables until it is closed.
        rows: what to gather.
        aliases: the columns that will be asked for.

    Raises:
        InvalidInput: the data cannot be read.
    """

    def __init__(
        self, connection: "DuckDBPyConnection", rows: DatasetRows, aliases: Sequence[str]
    ) -> None:
        self._connection, self._rows, self._primary = connection, rows, rows.dataset.primary
        self._counted: dict[str, str] = {}
        sources = [rows.columns[alias].source for alias in aliases]
        own = list(dict.fromkeys(s.name for s in sources if s.table == self._primary))
        wanted = rows.filtered(source.expression() for source in sources)
        self._joined = {
            join.table: self._copied(join.table, wanted, own) for join in rows.dataset.joins
        }
        self._known = _free("known", [*own, *(joined.met for joined in self._joined.values())])
        read = dict(rows.tables)
        for table, joined in self._joined.items():
            read[table] = replace(read[table], function=exp.to_table(joined.name), csv=None)
        ids = (rows.columns[alias].source.expression() for alias in (rows.buyer, rows.product))
        kept = [
            *(_named(_column(name, self._primary), name) for name in own),
            *(_named(_column(j.place, table), j.met) for table, j in self._joined.items()),
            _named(exp.and_(*map(is_set, ids)), self._known),
        ]
        create_table(connection, _GATHERED, replace(rows, tables=read).filtered(kept))

    def _copied(self, table: str, wanted: exp.Select, own: Sequence[str]) -> _Joined:
        """Copy what is needed of a joined table, its rows numbered."""
        used = (c.name for c in wanted.find_all(exp.Column) if c.table == table)
        columns = tuple(dict.fromkeys(used))
        i = [join.table for join in self._rows.dataset.joins].index(table)
        joined = _Joined(f"joined_{i}", columns, _free("place", columns), _free(f"met_{i}", own))
        number = exp.Window(this=exp.RowNumber())
        select = exp.select(
            *(_column(name) for name in columns), _named(number, joined.place)
        ).from_(aliased(self._rows.tables[table].relation, table))
        create_table(self._connection, joined.name, select)
        return joined

    def count(self) -> tuple[int, int]:
        """Return how many rows there are, and how many of them have a buyer and a product."""
        aggregates = [exp.Count(this=exp.Star()), exp.CountIf(this=_column(self._known))]
        everything, known = fetch_one(self._connection, exp.select(*aggregates).from_(_GATHERED))
        return everything, known or 0

    def select(self, projections: Iterable[Expr], aliases: Iterable[str]) -> exp.Select:
        """Return a SELECT over the rows that have ids.

        Args:
            projections: of columns as they are in their tables.
            aliases: the columns that stand in them.
        """
        select = exp.select(*projections).from_(_table(_GATHERED, self._primary))
        for table in dict.fromkeys(self._rows.columns[alias].source.table for alias in aliases):
            if table != self._primary:
                joined = self._joined[table]
                same = exp.EQ(
                    this=_column(joined.met, self._primary), expression=_column(joined.place, table)
                )
                select = select.join(_table(joined.name, table), on=same, join_type="left")
        return select.where(_column(self._known, self._primary))

    def formed(self, aliases: Sequence[str]) -> exp.Select:
        """Return a SELECT of columns in their forms, over the rows that have ids."""
        columns = ((alias, self._rows.columns[alias]) for alias in aliases)
        return self.select((_named(c.expression("duckdb"), a) for a, c in columns), aliases)

    def counts(self, alias: str) -> ValueCounts:
        """Count the values of a column."""
        column = self._rows.columns[alias]
        if column.form in {"integer", "float", "time"}:
            return self._number_counts(column)
        every: list[Expr] = [exp.Count(this=exp.Star()), exp.Sum(this=_ROWS)]
        values = self._values(column).subquery("grouped")
        select = exp.select(_VALUE, _ROWS, *(exp.Window(this=whole) for whole in every))
        order = exp.Ordered(this=_ROWS, desc=True)
        found = run(self._connection, select.from_(values).order_by(order, _VALUE).limit(_TOP))
        distinct, rows = (int(found[0][2]), int(found[0][3])) if found else (0, 0)
        if _is_list(column):
            filled = exp.Anonymous(this="LEN", expressions=[column.expression("duckdb")]) > 0
            (rows,) = fetch_one(self._connection, self.select([exp.CountIf(this=filled)], [alias]))
        return ValueCounts(distinct, rows, top=tuple((row[0], int(row[1])) for row in found))

    def _number_counts(self, column: FormedColumn) -> ValueCounts:
        weighted = exp.Mul(this=exp.cast(_VALUE, "DOUBLE"), expression=_ROWS)
        aggregates: list[Expr] = [
            exp.Count(this=exp.Star()),
            exp.func("COALESCE", exp.Sum(this=_ROWS), exp.convert(0)),
            exp.Min(this=_VALUE),
            exp.Max(this=_VALUE),
            exp.Div(this=exp.Sum(this=weighted), expression=exp.Sum(this=_ROWS)),
        ]
        grouped = exp.select(*aggregates).from_(self._values(column).subquery("grouped"))
        distinct, rows, least, greatest, mean = fetch_one(self._connection, grouped)
        return ValueCounts(distinct, int(rows), least, greatest, mean)

    def _values(self, column: FormedColumn) -> exp.Select:
        """Return a SELECT of each value of a column and its number of rows."""
        value = column.expression("duckdb")
        if _is_list(column):
            inside = _named(exp.Explode(this=value), "value")
            found = self.select([inside, _named(exp.convert(1), "rows")], [column.alias])
        else:
            # As they are stored they are grouped faster; two may become one in their form.
            weight = _free("rows", [column.source.name])
            stored = self._stored(column, weight).subquery(_quoted(column.source.table))
            found = exp.select(_named(value, "value"), _named(_column(weight), "rows")).from_(
                stored
            )
        grouped = exp.select(_VALUE, _named(exp.Sum(this=_ROWS), "rows"))
        return grouped.from_(found.subquery("found")).where(is_set(_VALUE)).group_by(_VALUE.copy())

    def _stored(self, column: FormedColumn, weight: str) -> exp.Select:
        """Return a SELECT of each value as it is stored, and its number of rows as `weight`."""
        source = column.source
        value = source.expression()
        if source.table == self._primary:
            rows = exp.Count(this=exp.Star())
            select = self.select([_named(value, source.name), _named(rows, weight)], [column.alias])
        else:
            counted, number = self._counted_rows(source.table)
            rows = exp.Sum(this=_column(number, source.table))
            select = exp.select(_named(value, source.name), _named(rows, weight))
            select = select.from_(_table(counted, source.table))
        return select.group_by(value.copy())

    def _counted_rows(self, table: str) -> tuple[str, str]:
        """Return the table of a joined table's rows, and its column of how many met each."""
        joined = self._joined[table]
        name, number = f"counted_{joined.name}", _free("rows", (*joined.columns, joined.place))
        if table not in self._counted:
            place = _column(joined.met, self._primary)
            count = exp.Count(this=exp.Star())
            met = self.select([_named(place, "place"), _named(count, "rows")], []).group_by(
                place.copy()
            )
            same = exp.EQ(
                this=_column("place", "met"), expression=_column(joined.place, joined.name)
            )
            every = (_column(column, joined.name) for column in joined.columns)
            rows = exp.select(*every, _named(_column("rows", "met"), number))
            rows = rows.from_(met.subquery(_quoted("met")))
            rows = rows.join(_table(joined.name, joined.name), on=same, join_type="left")
            create_table(self._connection, name, rows)
            self._counted[table] = name
        return name, number


def create_table(connection: "DuckDBPyConnection", table: str, rows: exp.Select) -> None:
    """Make a temporary table of rows.

    Raises:
        InvalidInput: the data cannot be read.
    """
    run(
        connection,
        exp.Create(
            this=exp.to_table(table),
            kind="TABLE",
            properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
            expression=rows,
        ),
    )


def is_set(value: Expr) -> Expr:
    """Return the condition that a value isn't null."""
    return exp.not_(exp.Is(this=value.copy(), expression=exp.null()))


def _is_list(column: FormedColumn) -> bool:
    return column.form == "ids" and column.history is None


def _free(name: str, taken: Iterable[str]) -> str:
    """Return a name that no other column has."""
    folded = {other.casefold() for other in taken}
    while name in folded:
        name += "_"
    return name


def _column(name: str, table: str | None = None) -> Expr:
    return exp.column(name, table=table, quoted=True)


def _named(value: Expr, name: str) -> Expr:
    return exp.alias_(value, name, quoted=True)


def _table(name: str, alias: str) -> Expr:
    return aliased(exp.to_table(name), alias)


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)
