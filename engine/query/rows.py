"""The rows of a dataset as one query: tables joined, columns in their forms, filters applied."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.misfits import concerning
from engine.definitions.models import DatasetDefinition, Join
from engine.definitions.names import quoted
from engine.query.columns import FormedColumn, SourceColumn
from engine.query.hashing import key_text
from engine.query.histories import Occasion, with_histories
from engine.query.lookup import find_column
from engine.query.tables import SourceTable, aliased
from engine.query.types import Dialect


@dataclass(frozen=True)
class Condition:
    """A filter, its position in the dataset, and its SQL.

    Attributes:
        time: of a condition on dates, the time in epoch microseconds.
    """

    position: int
    description: str
    expression: Expr
    time: Expr | None = None


@dataclass(frozen=True)
class DatasetRows:
    """Everything that is needed to select rows of a dataset.

    Attributes:
        tables: by name, in the state in which the query reads them.
        columns: by alias, those that are used.
        buyer: alias of the buyer id; likewise the next two.
        row_key: aliases of the columns that make up the row key.
        conditions: the filters, dates first.
    """

    dialect: Dialect
    dataset: DatasetDefinition
    tables: dict[str, SourceTable]
    columns: dict[str, FormedColumn]
    buyer: str
    product: str
    timestamp: str | None
    row_key: tuple[str, ...]
    conditions: tuple[Condition, ...] = ()

    def joined(
        self,
        projections: Iterable[Expr],
        *,
        until: int | None = None,
        last: exp.Select | None = None,
    ) -> exp.Select:
        """Return a SELECT over the joined tables, unfiltered.

        Args:
            projections: what is selected.
            until: position of the last join; all of them when None.
            last: what stands in the place of that join's table.
        """
        select = self.primary_only(projections)
        joins = self.dataset.joins if until is None else self.dataset.joins[: until + 1]
        for i, join in enumerate(joins):
            table = self._table(join.table)
            if last is not None and i == until:
                table = last.subquery(exp.to_identifier(join.table, quoted=True))
            select = select.join(table, on=self._join_condition(join), join_type=join.how)
        return select

    def primary_only(self, projections: Iterable[Expr]) -> exp.Select:
        """Return a SELECT over the primary table alone."""
        return exp.select(*projections).from_(self._table(self.dataset.primary))

    def ids_are_known(self) -> Expr:
        """Return the condition that a row has a buyer and a product."""
        ids = (self.columns[alias].source.expression() for alias in (self.buyer, self.product))
        return exp.and_(*(exp.not_(exp.Is(this=value, expression=exp.null())) for value in ids))

    def filtered(self, projections: Iterable[Expr]) -> exp.Select:
        """Return a SELECT over the joined rows that pass every filter."""
        select = self.joined(projections)
        for condition in self.conditions:
            select = select.where(condition.expression.copy())
        return select

    def formed(self, aliases: Sequence[str]) -> exp.Select:
        """Return the filtered rows with these columns and those of the row key.

        In place of a history stands the one value that the row adds to it.
        """
        needed = dict.fromkeys((*aliases, *self.row_key))
        return self.filtered(
            exp.alias_(self.columns[a].expression(self.dialect), a, quoted=True) for a in needed
        )

    def keyed(self, aliases: Sequence[str], *, buyers: Expr | None = None) -> exp.Select:
        """Return the rows of `selected`, and as `key_name` the text of their key."""
        found = self.selected(aliases, buyers=buyers)
        rows = found.subquery(exp.to_identifier("formed", quoted=True))
        return exp.select("*", exp.alias_(self.key(), self.key_name, quoted=True)).from_(rows)

    def selected(self, aliases: Sequence[str], *, buyers: Expr | None = None) -> exp.Select:
        """Return the filtered rows that have ids, with these columns.

        Args:
            aliases: names of the columns.
            buyers: a condition on the buyers' ids in the tables; other buyers are left out early.
        """
        histories = {a: h for a in aliases if (h := self.columns[a].history)}
        if not histories or self.timestamp is None:
            return self.formed(aliases).where(self.ids_are_known(), buyers)
        needed = tuple(dict.fromkeys((*aliases, self.buyer, self.timestamp, *self.row_key)))
        return with_histories(
            self.formed(needed).where(self.ids_are_known(), buyers),
            [alias for alias in needed if alias not in histories],
            {alias: history.last for alias, history in histories.items()},
            Occasion(buyer=self.buyer, time=self.timestamp),
            self.dialect,
        )

    def key(self) -> Expr:
        """Return the text of the row key, over the columns of `formed`."""
        return key_text([self._key_part(alias) for alias in self.row_key])

    @property
    def key_name(self) -> str:
        """Name of the key's column inside queries; no alias of the dataset has it."""
        name = "key"
        taken = {alias.casefold() for alias in self.columns}
        while name in taken:
            name += "_"
        return name

    def _key_part(self, alias: str) -> Expr:
        value = exp.column(alias, quoted=True)
        is_text = self.columns[alias].sql_type == "STRING"
        return value if is_text else exp.cast(value, "TEXT")

    def _table(self, name: str) -> Expr:
        return aliased(self.tables[name].relation, name)

    def _join_condition(self, join: Join) -> Expr:
        pairs = join_keys(self.dataset, self.tables, join)
        return exp.and_(*(_equal(left, right) for left, right in pairs))


def join_keys(
    dataset: DatasetDefinition, tables: dict[str, SourceTable], join: Join
) -> list[tuple[SourceColumn, SourceColumn]]:
    """Return the pairs of columns that a join compares.

    Raises:
        InvalidInput: a table has no such column.
    """
    what = f"The join with table {quoted(join.table)}"
    order = [dataset.primary, *(j.table for j in dataset.joins)]
    before = {name: tables[name] for name in order[: order.index(join.table)]}
    pairs: list[tuple[SourceColumn, SourceColumn]] = []
    for left, right in join.on.items():
        at = ("joins", order.index(join.table) - 1, "on", left)
        with concerning("datasets", dataset.name, *at):
            table, name = find_column(dataset, before, left, what)
            joined, column = find_column(
                dataset, {join.table: tables[join.table]}, f"{join.table}.{right}", what
            )
        pairs.append((_column(tables[table], name), _column(tables[joined], column)))
    return pairs


def _column(table: SourceTable, name: str) -> SourceColumn:
    return SourceColumn(name, table.name, name, table.types[name], table.read_kind(name))


def _equal(left: SourceColumn, right: SourceColumn) -> Expr:
    """Compare as text where one side is text, so that "7" meets 7; floats as numbers."""
    numbers = {"integer", "float"}
    kinds = {left.kind, right.kind}
    sides: list[Expr] = [left.expression(), right.expression()]
    if kinds == {"text", "float"}:
        double = exp.DataType.build("DOUBLE")
        sides = [
            exp.TryCast(this=side, to=double) if column.kind == "text" else side
            for side, column in zip(sides, (left, right), strict=True)
        ]
    elif len(kinds) > 1 and not kinds <= numbers:
        sides = [exp.cast(side, "TEXT") for side in sides]
    return exp.EQ(this=sides[0], expression=sides[1])
