"""What planning needs to know of the data, measured once over the filtered rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.misfits import DataMisfit
from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.query.connection import fetch_one, run
from engine.query.examples import Selection
from engine.query.gathering import GatheredRows, create_table, is_set
from engine.query.rows import Condition, DatasetRows, join_keys
from engine.query.tables import aliased
from engine.spec import SPLITS, SplitName

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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


@dataclass(frozen=True)
class TargetRange:
    """The numbers of a target column over the filtered rows.

    Attributes:
        least: None where no row has a number; likewise `greatest`.
        missing: rows without a finite number: ranking losses leave them out.
    """

    least: float | None
    greatest: float | None
    missing: int
    rows: int

    def misfit_as_labels(self, column: str) -> str:
        """Return why binary crossentropy can't learn these, as a sentence; empty where it can."""
        if self.least is None or self.greatest is None or 0 <= self.least <= self.greatest <= 1:
            return ""
        return (
            f"Binary crossentropy needs labels from 0 to 1, but {quoted(column)} holds "
            f"{self.least:g} to {self.greatest:g}."
        )


@dataclass(frozen=True)
class JoinGrowth:
    """What a joined table with several rows of one key does.

    Attributes:
        rows: that there would be if every key stood there once.
        joined: that there are.
    """

    table: str
    rows: int
    joined: int

    def __str__(self) -> str:
        factor = f"{self.joined / self.rows:.3g}" if self.rows else "many"
        return (
            f"Table {quoted(self.table)} has several rows of the same key: joining it makes "
            f"{self.joined:,} rows of {self.rows:,} ({factor}x). If that isn't meant, keep one row "
            "of each key, or join on more columns."
        )


class Measurement:
    """The filtered rows, gathered in DuckDB, and questions to them.

    Args:
        connection: from `open_duckdb`; holds the table until it is closed.
        rows: what to measure.
        aliases: columns whose values are counted.
        target: column, one of these, of which `rows_with_target` can be asked.

    Raises:
        InvalidInput: the data cannot be read, or no row is left.
    """

    def __init__(
        self,
        connection: "DuckDBPyConnection",
        rows: DatasetRows,
        aliases: Sequence[str],
        *,
        target: str | None = None,
    ) -> None:
        self._connection, self._rows, self._target = connection, rows, target
        ids = [rows.buyer, rows.product, *([rows.timestamp] if rows.timestamp else [])]
        kept = tuple(dict.fromkeys((*ids, *rows.row_key, *aliases)))
        self._samples: dict[tuple[float, str, int], str] = {}
        self._gathered = GatheredRows(connection, rows, kept)
        everything, known = self._gathered.count()
        if known == 0:
            raise self._emptiness(everything)
        self.counts = {
            alias: self._gathered.counts(alias) for alias in dict.fromkeys((*ids, *aliases))
        }
        self.facts = self._facts(everything, known, aliases)

    def _facts(self, everything: int, known: int, aliases: Sequence[str]) -> DataFacts:
        rows, counts = self._rows, self.counts
        times = None if rows.timestamp is None else counts[rows.timestamp]
        return DataFacts(
            rows=known,
            without_ids=everything - known,
            without_time=known - times.rows if times else 0,
            buyers=counts[rows.buyer].distinct,
            products=counts[rows.product].distinct,
            oldest=times.least if times else None,
            newest=times.greatest if times else None,
            distinct={alias: counts[alias].distinct for alias in aliases},
            values={alias: counts[alias].rows for alias in aliases},
        )

    def target_range(self, alias: str) -> TargetRange:
        """Return what the numbers of a target column are, over the rows with ids."""
        found = self.counts[alias]
        return TargetRange(
            found.least, found.greatest, self.facts.rows - found.rows, self.facts.rows
        )

    def has_keys(self, least: int) -> bool:
        """Return whether there are at least so many distinct row keys."""
        rows = self._gathered.formed(self._rows.row_key).subquery("rows")
        found = exp.select(self._rows.key()).distinct().from_(rows).limit(least)
        return len(run(self._connection, found)) == least

    def split(self, selection: Selection) -> SplitFacts:
        """Count what a selection gives."""
        time = None if self._rows.timestamp is None else _column("time")
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
            .from_(self._sampled(selection))
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

    def cold_product_rows(self, selection: Selection) -> int:
        """Count the test rows whose product is not in train."""
        time = None if self._rows.timestamp is None else _column("time")
        within = {name: selection.within(name, _column("hash"), time) for name in ("train", "test")}
        products = (
            exp.select(
                *(exp.alias_(exp.CountIf(this=w), name, quoted=True) for name, w in within.items())
            )
            .from_(self._sampled(selection))
            .group_by(_column("product"))
        )
        cold = exp.Sum(this=exp.Case().when(_column("train").eq(0), _column("test")))
        (rows,) = fetch_one(
            self._connection,
            exp.select(exp.func("COALESCE", cold, "0")).from_(products.subquery("products")),
        )
        return int(rows)

    def rows_with_target(self, selection: Selection) -> dict[SplitName, int]:
        """Count the rows of each split that have a number in the target."""
        time = None if self._rows.timestamp is None else _column("time")
        within = (selection.within(name, _column("hash"), time) for name in SPLITS)
        counts = [exp.CountIf(this=exp.and_(rows, is_set(_column("target")))) for rows in within]
        found = fetch_one(self._connection, exp.select(*counts).from_(self._sampled(selection)))
        return dict(zip(SPLITS, found, strict=True))

    def _sampled(self, selection: Selection) -> Expr:
        """Return the table of a sample's rows, hashed once for everything that is asked of it."""
        sample = (selection.sample_percent, selection.sample_by, selection.seed)
        if sample not in self._samples:
            table = f"sampled_{len(self._samples)}"
            create_table(self._connection, table, self._sample(selection))
            self._samples[sample] = table
        return exp.to_table(self._samples[sample])

    def _sample(self, selection: Selection) -> exp.Select:
        rows = self._rows
        roles = {
            "buyer": rows.buyer,
            "product": rows.product,
            "time": rows.timestamp,
            "target": self._target,
        }
        needed = tuple(dict.fromkeys(a for a in (*roles.values(), *rows.row_key) if a))
        formed = self._gathered.formed(needed)
        by_buyer = selection.sample_by == "buyer" and selection.sample_percent < 100
        if by_buyer:
            formed = formed.where(self._buyer_is_sampled(selection))
        kept = [exp.alias_(_column(a), name, quoted=True) for name, a in roles.items() if a]
        key = rows.key()
        hashed = exp.alias_(selection.hashed(key.copy()), "hash", quoted=True)
        select = exp.select(*kept, hashed).from_(formed.subquery("rows"))
        return select if by_buyer else select.where(selection.sampled(_column(rows.buyer), key))

    def _buyer_is_sampled(self, selection: Selection) -> Expr:
        """Hashing each buyer once is cheaper than hashing the buyer of each row."""
        column = self._rows.columns[self._rows.buyer]
        stored = column.source.expression()
        one = exp.alias_(stored, column.source.name, quoted=True)
        distinct = self._gathered.select([one], [self._rows.buyer]).distinct()
        table = exp.to_identifier(column.source.table, quoted=True)
        id_ = column.expression("duckdb")
        sampled = exp.select(stored.copy()).from_(distinct.subquery(table))
        sampled = sampled.where(selection.sampled(id_, id_))
        return exp.In(this=stored.copy(), query=sampled.subquery())

    def _emptiness(self, everything: int) -> InvalidInput:
        """Find out which of join, filters and ids leaves no row."""
        rows = self._rows
        name = quoted(rows.dataset.name)
        whole = ("datasets", rows.dataset.name)
        if everything > 0:
            roles = (rows.buyer, rows.product)
            counts = [_count(rows.columns[role].source.expression()) for role in roles]
            buyers, products = fetch_one(self._connection, rows.filtered(counts))
            no_ids = InvalidInput(
                f"Every row of dataset {name} lacks a buyer or a product: of {everything:,} rows "
                f"{buyers:,} have a {quoted(rows.buyer)}, {products:,} a {quoted(rows.product)}.",
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
            f"The filter {blamed.description} leaves no rows of {found[i]:,}."
            + self._period(blamed),
            hint="Change its value, or take it out.",
        )
        return DataMisfit(emptied, (*whole, "filters", blamed.position))

    def _period(self, blamed: Condition) -> str:
        """Return from when to when the data is, where the filter is on dates."""
        if blamed.time is None:
            return ""
        ends = [exp.Min(this=blamed.time.copy()), exp.Max(this=blamed.time.copy())]
        oldest, newest = map(day_of, fetch_one(self._connection, self._rows.joined(ends)))
        return f" The data is from {oldest} to {newest}." if oldest and newest else ""


def repeating_joins(connection: "DuckDBPyConnection", rows: DatasetRows) -> list[JoinGrowth]:
    """Return the joins that make more rows, since their table has several rows of one key."""
    repeating: list[JoinGrowth] = []
    for i, join in enumerate(rows.dataset.joins):
        keys = [right for _, right in join_keys(rows.dataset, rows.tables, join)]
        named = aliased(rows.tables[join.table].relation, join.table)
        columns = [key.expression() for key in keys]
        present = exp.and_(*(is_set(column) for column in columns))
        grouped = exp.select("1").from_(named).where(present).group_by(*columns)
        many = grouped.having(exp.GT(this=_count(), expression=exp.Literal.number(1))).limit(1)
        if not run(connection, many):
            continue
        once = exp.select(*(c.copy() for c in columns)).distinct().from_(named.copy())
        (alike,) = fetch_one(connection, rows.joined([_count()], until=i, last=once))
        (joined,) = fetch_one(connection, rows.joined([_count()], until=i))
        if joined > alike:
            repeating.append(JoinGrowth(join.table, alike, joined))
    return repeating


def day_of(microseconds: int | None) -> str:
    """Return the day of a time as ISO 8601; empty where there is none or no calendar has it."""
    if microseconds is None:
        return ""
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).date().isoformat()
    except OverflowError:
        return ""


def _column(alias: str) -> Expr:
    return exp.column(alias, quoted=True)


def _count(value: Expr | None = None, *, distinct: bool = False) -> Expr:
    if value is None:
        return exp.Count(this=exp.Star())
    return exp.Count(this=exp.Distinct(expressions=[value]) if distinct else value)
