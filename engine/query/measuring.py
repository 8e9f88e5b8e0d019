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
from engine.query.rows import Condition, DatasetRows, join_keys
from engine.spec import SPLITS, SplitName

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
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
            f"{self.joined:,} rows of {self.rows:,} ({factor}x)."
        )


class Measurement:
    """The filtered rows in a table of DuckDB, and questions to it.

    Args:
        connection: from `open_duckdb`; holds the table until it is closed.
        rows: what to measure.
        aliases: columns whose values are counted.
        others: columns that are kept for other questions.
        target: column, one of these, of which `rows_with_target` can be asked.

    Raises:
        InvalidInput: the data cannot be read, or no row is left.
    """

    def __init__(
        self,
        connection: "DuckDBPyConnection",
        rows: DatasetRows,
        aliases: Sequence[str],
        others: Sequence[str] = (),
        *,
        target: str | None = None,
    ) -> None:
        self._connection, self._rows = connection, rows
        self._buyer, self._product = _column(rows.buyer), _column(rows.product)
        self._time = None if rows.timestamp is None else _column(rows.timestamp)
        self._key, self._target = rows.key(), target
        ids = [rows.buyer, rows.product, *([rows.timestamp] if rows.timestamp else [])]
        kept = tuple(dict.fromkeys((*ids, *aliases, *others)))
        self._samples: dict[tuple[float, str, int], str] = {}
        _create(connection, _TABLE, rows.formed(kept))
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
                *(_count(self._counted(alias), distinct=True) for alias in aliases),
                *(_count(self._counted(alias)) for alias in aliases),
                *times,
            ).from_(table),
        )
        rows, buyers, products = row[:3]
        counts = row[3:]
        distinct = dict(zip(aliases, counts, strict=False))
        for alias in filter(self._is_list, aliases):
            values = exp.select(exp.alias_(exp.Explode(this=_column(alias)), "value"))
            (distinct[alias],) = fetch_one(
                self._connection,
                exp.select(_count(exp.column("value"), distinct=True)).from_(
                    values.from_(table.copy()).subquery("values")
                ),
            )
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
            distinct=distinct,
            values=dict(zip(aliases, counts[len(aliases) :], strict=False)),
        )

    def _is_list(self, alias: str) -> bool:
        column = self._rows.columns[alias]
        return column.form == "ids" and column.history is None

    def _counted(self, alias: str) -> Expr:
        """Return what is counted of a column; an empty list is no value."""
        if not self._is_list(alias):
            return _column(alias)
        filled = exp.Anonymous(this="LEN", expressions=[_column(alias)])
        return exp.Case().when(filled > 0, exp.convert(1))

    def target_range(self, alias: str) -> TargetRange:
        """Return what the numbers of a target column are, over the rows with ids."""
        value = _column(alias)
        aggregates = [exp.Min(this=value), exp.Max(this=value), _count(value), _count()]
        low, high, known, rows = fetch_one(
            self._connection, self.known_rows().select(*aggregates, append=False)
        )
        return TargetRange(low, high, rows - known, rows)

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
        time = None if self._time is None else _column("time")
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
        time = None if self._time is None else _column("time")
        within = (selection.within(name, _column("hash"), time) for name in SPLITS)
        counts = [exp.CountIf(this=exp.and_(rows, _is_set(_column("target")))) for rows in within]
        found = fetch_one(self._connection, exp.select(*counts).from_(self._sampled(selection)))
        return dict(zip(SPLITS, found, strict=True))

    def _sampled(self, selection: Selection) -> Expr:
        """Return the table of a sample's rows, hashed once for everything that is asked of it."""
        sample = (selection.sample_percent, selection.sample_by, selection.seed)
        if sample not in self._samples:
            table = f"sampled_{len(self._samples)}"
            _create(self._connection, table, self._sample(selection))
            self._samples[sample] = table
        return exp.to_table(self._samples[sample])

    def _sample(self, selection: Selection) -> exp.Select:
        in_sample = selection.sampled(self._buyer, self._key)
        if selection.sample_by == "buyer" and selection.sample_percent < 100:
            # Hashing each buyer once is cheaper than hashing the buyer of each row.
            buyers = exp.select(self._buyer).distinct().from_(_TABLE).where(in_sample)
            in_sample = exp.In(this=self._buyer, query=buyers.subquery())
        named = {"buyer": self._buyer, "product": self._product, "time": self._time}
        named["hash"] = selection.hashed(self._key)
        named["target"] = _column(self._target) if self._target else None
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


def _create(connection: "DuckDBPyConnection", table: str, rows: exp.Select) -> None:
    run(
        connection,
        exp.Create(
            this=exp.to_table(table),
            kind="TABLE",
            properties=exp.Properties(expressions=[exp.TemporaryProperty()]),
            expression=rows,
        ),
    )


def repeating_joins(connection: "DuckDBPyConnection", rows: DatasetRows) -> list[JoinGrowth]:
    """Return the joins that make more rows, since their table has several rows of one key."""
    repeating: list[JoinGrowth] = []
    for i, join in enumerate(rows.dataset.joins):
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


def _is_set(value: Expr) -> Expr:
    return exp.not_(exp.Is(this=value.copy(), expression=exp.null()))
