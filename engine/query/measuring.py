"""What planning needs to know of the data, measured once over the filtered rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.misfits import DataMisfit
from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.query.connection import fetch_one, run
from engine.query.examples import Selection
from engine.query.rows import DatasetRows, join_keys
from engine.spec import SPLITS, SplitName

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_TABLE = "measured"
_LACK = "lack a buyer or a product and are"


@dataclass(frozen=True)
class DataFacts:
    """Counts over the filtered rows, before the sample.

    Attributes:
        rows: with a buyer and a product.
        without_ids: rows left out for lack of a buyer or a product.
        without_time: rows that have no timestamp.
        oldest: epoch microseconds, None without a timestamp; likewise `newest`.
        distinct: by column, how many values it has.
        values: by column, in how many rows it is set.
    """

    rows: int
    without_ids: int
    without_time: int
    buyers: int
    products: int
    oldest: int | None
    newest: int | None
    distinct: dict[str, int]
    values: dict[str, int]

    @property
    def left_out(self) -> str:
        """How many rows lack a buyer or a product, as a sentence; empty where none does."""
        if not self.without_ids:
            return ""
        total = self.rows + self.without_ids
        verb = "lacks a buyer or a product and is" if self.without_ids == 1 else _LACK
        return f"{self.without_ids:,} of {total:,} rows {verb} left out."


@dataclass(frozen=True)
class SplitFacts:
    """Counts of a selection.

    Attributes:
        rows: by split.
        unknown_buyer_rows: test rows whose buyer is not in train.
        one_product: whether train has fewer than two products.
    """

    rows: dict[SplitName, int]
    unknown_buyer_rows: int
    one_product: bool

    @property
    def total(self) -> int:
        """Rows of all splits."""
        return sum(self.rows.values())

    @property
    def is_trainable(self) -> bool:
        """Whether no split is empty and there is something to choose between."""
        return min(self.rows.values()) > 0 and not self.one_product


class Measurement:
    """The filtered rows in a table of DuckDB, and questions to it.

    Args:
        connection: from `open_duckdb`; holds the table until it is closed.
        rows: what to measure.
        aliases: columns whose values are counted.

    Raises:
        InvalidInput: the data cannot be read, or no row is left.
    """

    def __init__(
        self, connection: "DuckDBPyConnection", rows: DatasetRows, aliases: Sequence[str]
    ) -> None:
        self._connection, self._rows = connection, rows
        self._buyer, self._product = _column(rows.buyer), _column(rows.product)
        self._time = None if rows.timestamp is None else _column(rows.timestamp)
        self._key = rows.key()
        ids = [rows.buyer, rows.product, *([rows.timestamp] if rows.timestamp else [])]
        kept = tuple(dict.fromkeys((*ids, *aliases)))
        run(
            connection,
            exp.Create(
                this=exp.to_table(_TABLE),
                kind="TABLE",
                properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
                expression=rows.formed(kept),
            ),
        )
        self.facts = self._measure(aliases)

    def _measure(self, aliases: Sequence[str]) -> DataFacts:
        table = self.known_rows().subquery("known")
        (everything,) = fetch_one(self._connection, exp.select(_count()).from_(_TABLE))
        time = self._time
        times = [exp.Min(this=time), exp.Max(this=time), exp.Count(this=time)] if time else []
        row = fetch_one(
            self._connection,
            exp.select(
                _count(),
                _count(self._buyer, distinct=True),
                _count(self._product, distinct=True),
                *(_count(_column(alias), distinct=True) for alias in aliases),
                *(_count(_column(alias)) for alias in aliases),
                *times,
            ).from_(table),
        )
        rows, buyers, products = row[:3]
        counts = row[3:]
        oldest, newest, timed = row[len(row) - 3 :] if time else (None, None, rows)
        if rows == 0:
            raise self._emptiness(everything)
        return DataFacts(
            rows=rows,
            without_ids=everything - rows,
            without_time=rows - timed,
            buyers=buyers,
            products=products,
            oldest=oldest,
            newest=newest,
            distinct=dict(zip(aliases, counts, strict=False)),
            values=dict(zip(aliases, counts[len(aliases) :], strict=False)),
        )

    def known_rows(self) -> exp.Select:
        """Return a SELECT over the measured rows that have a buyer and a product."""
        return exp.select("*").from_(_TABLE).where(_is_set(self._buyer), _is_set(self._product))

    def has_keys(self, least: int) -> bool:
        """Return whether there are at least so many distinct row keys."""
        found = exp.select(self._key).distinct().from_(_TABLE).limit(least)
        return len(run(self._connection, found)) == least

    def split(self, selection: Selection) -> SplitFacts:
        """Count what a selection gives."""
        time = None if self._time is None else _column("time")
        members = {name: selection.within(name, _column("hash"), time) for name in SPLITS}
        train_product = exp.Case().when(members["train"].copy(), _column("product"))
        buyers = (
            exp.select(
                *(
                    exp.alias_(exp.CountIf(this=within), name, quoted=True)
                    for name, within in members.items()
                ),
                exp.alias_(exp.Min(this=train_product), "first_product"),
                exp.alias_(exp.Max(this=train_product.copy()), "last_product"),
            )
            .from_(self._sampled(selection).subquery("sampled"))
            .group_by(_column("buyer"))
        )
        unknown = exp.Case().when(_column("train").eq(0), _column("test"))
        row = fetch_one(
            self._connection,
            exp.select(
                *(exp.func("COALESCE", exp.Sum(this=_column(name)), "0") for name in SPLITS),
                exp.func("COALESCE", exp.Sum(this=unknown), "0"),
                exp.Min(this=_column("first_product")),
                exp.Max(this=_column("last_product")),
            ).from_(buyers.subquery("buyers")),
        )
        rows: dict[SplitName, int] = {name: int(n) for name, n in zip(SPLITS, row, strict=False)}
        return SplitFacts(rows, int(row[3]), one_product=row[4] == row[5])

    def _sampled(self, selection: Selection) -> exp.Select:
        in_sample = selection.sampled(self._buyer, self._key)
        if selection.sample_by == "buyer" and selection.sample_percent < 100:
            # Hashing each buyer once is cheaper than hashing the buyer of each row.
            buyers = exp.select(self._buyer).distinct().from_(_TABLE).where(in_sample)
            in_sample = exp.In(this=self._buyer, query=buyers.subquery())
        named = {"buyer": self._buyer, "product": self._product, "time": self._time}
        named["hash"] = selection.hashed(self._key)
        return (
            exp.select(*(exp.alias_(v, name, quoted=True) for name, v in named.items() if v))
            .from_(_TABLE)
            .where(_is_set(self._buyer), _is_set(self._product), in_sample)
        )

    def _emptiness(self, everything: int) -> InvalidInput:
        """Find out which of join, filters and ids leaves no row."""
        rows = self._rows
        name = quoted(rows.dataset.name)
        whole = ("datasets", rows.dataset.name)
        if everything > 0:
            no_ids = InvalidInput(
                f"Every row of dataset {name} lacks a buyer or a product.",
                hint="Check the roles and the joins.",
            )
            return DataMisfit(no_ids, (*whole, "roles"))
        passed: list[Expr] = [exp.true()]
        counts: list[Expr] = [_count()]
        for condition in rows.conditions:
            passed.append(condition.expression)
            counts.append(exp.CountIf(this=exp.and_(*passed)))
        found = fetch_one(self._connection, rows.joined(counts))
        if found[0] == 0:
            (primary,) = fetch_one(self._connection, rows.primary_only([_count()]))
            what = "its joins leave none" if primary else "its primary table has none"
            empty = InvalidInput(f"Dataset {name} has no rows: {what}.")
            return DataMisfit(empty, (*whole, "joins" if primary else "primary"))
        i = next(i for i, count in enumerate(found) if count == 0) - 1
        blamed = rows.conditions[i]
        emptied = InvalidInput(
            f"The filter {blamed.description} leaves no rows of {found[i]:,}.",
            hint="Change its value, or take it out.",
        )
        return DataMisfit(emptied, (*whole, "filters", blamed.position))


def repeating_joins(connection: "DuckDBPyConnection", rows: DatasetRows) -> list[str]:
    """Return the joined tables that have several rows of one key, and so repeat rows."""
    repeating: list[str] = []
    for join in rows.dataset.joins:
        keys = [right for _, right in join_keys(rows.dataset, rows.tables, join)]
        table = rows.tables[join.table]
        named = exp.Table(
            this=table.relation,
            alias=exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)),
        )
        columns = [key.expression() for key in keys]
        present = exp.and_(*(_is_set(column) for column in columns))
        grouped = exp.select("1").from_(named).where(present).group_by(*columns)
        many = grouped.having(exp.GT(this=_count(), expression=exp.Literal.number(1))).limit(1)
        if run(connection, many):
            repeating.append(join.table)
    return repeating


def _column(alias: str) -> Expr:
    return exp.column(alias, quoted=True)


def _count(value: Expr | None = None, *, distinct: bool = False) -> Expr:
    if value is None:
        return exp.Count(this=exp.Star())
    return exp.Count(this=exp.Distinct(expressions=[value]) if distinct else value)


def _is_set(value: Expr) -> Expr:
    return exp.not_(exp.Is(this=value.copy(), expression=exp.null()))
