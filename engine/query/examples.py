"""The query that yields the examples: filters, then the sample, then the split."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.query.filters import DAY_MICROSECONDS
from engine.query.gathering import is_set
from engine.query.hashing import below, row_number, salted_hash
from engine.query.rows import DatasetRows
from engine.spec import ROW_KEY, SPLIT, SPLITS, Column, ExamplesQuery, Split, SplitName

_HASH, _PRIMARY = "towerlab_hash", "towerlab_primary"
_RANDOM_TRAIN, _RANDOM_EVAL = 0.80, 0.95
_HOLDOUT_TRAIN = 0.80

_TFX_PLACEHOLDERS = (
    "{SPAN", "{VERSION", "{YYYY}", "{MM}", "{DD}",
    "@span_begin_timestamp", "@span_end_timestamp", "@span_yyyymmdd_utc",
)  # fmt: skip
"""What TFX's query-based ExampleGen replaces wherever it stands, in literals and names too."""


@dataclass(frozen=True)
class Selection:
    """Which of a dataset's rows are examples, and of which split.

    Attributes:
        sample_percent: share of the buyers or rows, in percent.
        sample_by: what is sampled.
        split: how rows are assigned.
        seed: part of both hashes.
        newest: newest time of the filtered rows in epoch microseconds, for splits by time.
    """

    sample_percent: float
    sample_by: Literal["buyer", "row"]
    split: Split
    seed: int
    newest: int | None = None

    def sampled(self, buyer: Expr, key: Expr) -> Expr:
        """Return whether a row is in the sample."""
        unit = buyer if self.sample_by == "buyer" else key
        return below(salted_hash("sample", self.seed, unit), self.sample_percent / 100)

    def hashed(self, key: Expr) -> Expr:
        """Return the hash of a row key that splits."""
        return salted_hash("split", self.seed, key)

    def split_name(self, hashed: Expr, time: Expr | None) -> Expr:
        """Return the name of a sampled row's split, null where it is in none; see `within`."""
        named = exp.Case()
        for name in SPLITS:
            named = named.when(self.within(name, hashed, time), exp.Literal.string(name))
        return named

    def within(self, name: SplitName, hashed: Expr, time: Expr | None) -> Expr:
        """Return whether a sampled row is in a split.

        Args:
            name: the split.
            hashed: the hash of the row's key.
            time: epoch microseconds, for splits by time.

        Raises:
            ValueError: the split is by time and there is none.
        """
        if self.split.kind == "random":
            return _between(hashed, *_SHARES[name])
        if time is None or self.newest is None:
            raise ValueError(f"a {self.split.kind} split needs times")
        if self.split.kind == "time-holdout":
            start = self.newest - (self.split.holdout_days or 0) * DAY_MICROSECONDS
            if name == "test":
                return _after(time, start)
            shares = (0.0, _HOLDOUT_TRAIN) if name == "train" else (_HOLDOUT_TRAIN, 1.0)
            return exp.and_(exp.not_(_after(time, start)), _between(hashed, *shares))
        days = {
            "test": self.split.test_days or 0,
            "eval": self.split.val_days or 0,
            "train": self.split.train_days or 0,
        }
        later = {"test": 0, "eval": days["test"], "train": days["test"] + days["eval"]}[name]
        end = self.newest - later * DAY_MICROSECONDS
        start = end - days[name] * DAY_MICROSECONDS
        return exp.and_(_after(time, start), exp.not_(_after(time, end)))


_SHARES: dict[SplitName, tuple[float, float]] = {
    "train": (0.0, _RANDOM_TRAIN),
    "eval": (_RANDOM_TRAIN, _RANDOM_EVAL),
    "test": (_RANDOM_EVAL, 1.0),
}


def examples_query(
    rows: DatasetRows, aliases: Sequence[str], selection: Selection
) -> ExamplesQuery:
    """Return the SQL of the examples: these columns, the row key, and each row's split.

    Raises:
        InvalidInput: a name or a value would be changed by TFX.
    """
    derived = {alias for alias in aliases if rows.columns[alias].history}
    # What is sampled before its history is made is sampled cheaply, and a buyer is whole.
    buyers = _sampled_buyers(rows, selection) if derived else None
    read = _primary_read_once(rows) if rows.dialect == "duckdb" else rows
    keyed = read.keyed(aliases, buyers=buyers).subquery(_name("keyed"))
    key, buyer = _column(rows.key_name), _column(rows.buyer)
    time = None if rows.timestamp is None else _column(rows.timestamp)
    hashed = exp.alias_(selection.hashed(key), _HASH, quoted=True)
    sampled = exp.select("*", hashed).from_(keyed).where(selection.sampled(buyer, key))
    row_key = exp.alias_(row_number(key.copy()), ROW_KEY, quoted=True)
    split = exp.alias_(selection.split_name(_column(_HASH), time), SPLIT, quoted=True)
    select = exp.select(*map(_column, aliases), row_key, split)
    select = select.from_(sampled.subquery(_name("sampled")))
    if selection.split.kind == "strict-time":  # all others have a split for every row with a time
        select = select.where(is_set(split.this))
    kept = (
        {}
        if read is rows
        else {_PRIMARY: _literal(_of_primary(select, rows, selection).sql("duckdb"))}
    )
    return ExamplesQuery(
        dialect=rows.dialect,
        sql=_literal(select.sql(rows.dialect)),
        kept=kept,
        columns=example_columns(rows, aliases),
        buyer=rows.buyer,
        product=rows.product,
        timestamp=rows.timestamp,
    )


def _primary_read_once(rows: DatasetRows) -> DatasetRows:
    """Return the rows with `_PRIMARY` in the place of the primary table."""
    name = rows.dataset.primary
    table = replace(rows.tables[name], function=exp.to_table(_PRIMARY), csv=None)
    return replace(rows, tables={**rows.tables, name: table})


def _sampled_buyers(rows: DatasetRows, selection: Selection) -> Expr | None:
    """Return whether a buyer, as the tables have it, is in a sample of buyers."""
    if selection.sample_by != "buyer" or selection.sample_percent >= 100:
        return None
    id_ = rows.columns[rows.buyer].expression(rows.dialect)
    return selection.sampled(id_, id_)


def _of_primary(select: exp.Select, rows: DatasetRows, selection: Selection) -> exp.Select:
    """Return what a SELECT needs of the primary table, without buyers who aren't in the sample.

    A file with one row group is read by one thread; what is done with a table of DuckDB runs on
    all (not so with a CTE, even a materialised one).
    """
    name = rows.dataset.primary
    used = (column.name for column in select.find_all(exp.Column) if column.table == name)
    columns = (exp.column(c, table=name, quoted=True) for c in dict.fromkeys(used))
    own = rows.columns[rows.buyer].source.table == name
    return rows.primary_only(columns).where(_sampled_buyers(rows, selection) if own else None)


def example_columns(rows: DatasetRows, aliases: Sequence[str]) -> tuple[Column, ...]:
    """Return names and types of the examples' columns."""
    named = [
        Column(
            name=alias,
            type=rows.columns[alias].sql_type,
            repeated=rows.columns[alias].form == "ids",
        )
        for alias in aliases
    ]
    return (*named, Column(name=ROW_KEY, type="INT64"))


def _literal(sql: str) -> str:
    for placeholder in _TFX_PLACEHOLDERS:
        if placeholder in sql:
            raise InvalidInput(
                f"The dataset's SQL contains {quoted(placeholder)}, which TFX would replace.",
                hint="Rename the file or column, or change the filter's value.",
            )
    return sql


def _between(hashed: Expr, low: float, high: float) -> Expr:
    parts: list[Expr] = []
    if low > 0:
        parts.append(exp.not_(below(hashed.copy(), low)))
    if high < 1:
        parts.append(below(hashed.copy(), high))
    return exp.and_(*parts)


def _after(time: Expr, moment: int) -> Expr:
    return exp.GT(this=time.copy(), expression=exp.Literal.number(moment))


def _column(alias: str) -> Expr:
    return exp.column(alias, quoted=True)


def _name(table: str) -> exp.Identifier:
    return exp.to_identifier(table, quoted=True)
