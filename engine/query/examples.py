"""The queries that yield the examples of each split: filters, then the sample, then the split."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.names import quoted
from engine.errors import InvalidInput
from engine.query.filters import DAY_MICROSECONDS
from engine.query.hashing import below, row_number, salted_hash
from engine.query.rows import DatasetRows
from engine.spec import ROW_KEY, SPLITS, Column, Split, SplitName

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


def example_queries(
    rows: DatasetRows, aliases: Sequence[str], selection: Selection
) -> dict[SplitName, str]:
    """Return one SELECT a split: these columns and the row key, in a fixed, shuffled order.

    The row key is a hash, so that ordering by it shuffles; a number is sorted in half the time that
    the key's text takes.

    Raises:
        InvalidInput: a name or a value would be changed by TFX.
    """
    derived = {alias for alias in aliases if rows.columns[alias].history}
    buyers = None
    if derived and selection.sample_by == "buyer":
        # What is sampled before its history is made is sampled cheaply, and a buyer is whole.
        id_ = rows.columns[rows.buyer].expression(rows.dialect)
        buyers = selection.sampled(id_, id_)
    keyed = rows.keyed(aliases, buyers=buyers)
    keyed = keyed.subquery(exp.to_identifier("keyed", quoted=True))
    key, buyer = _column(rows.key_name), _column(rows.buyer)
    time = None if rows.timestamp is None else _column(rows.timestamp)
    row_key = exp.alias_(row_number(key.copy()), ROW_KEY, quoted=True)
    # Rows of equal keys are told apart by their other values, so that no order is left open.
    others = [_column(a) for a in aliases if a not in rows.row_key and a not in derived]
    queries: dict[SplitName, str] = {}
    for name in SPLITS:
        select = (
            exp.select(*map(_column, aliases), row_key)
            .from_(keyed)
            .where(selection.sampled(buyer, key))
            .where(selection.within(name, selection.hashed(key), time))
        )
        if rows.dialect == "duckdb":
            select = select.order_by(_column(ROW_KEY), *others)
        queries[name] = _literal(select.sql(rows.dialect))
    return queries


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
