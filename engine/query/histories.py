"""Histories: for each row, the values of its buyer's earlier rows.

One ordered list a buyer, of which every occasion (the rows of one buyer and time: a basket) takes a
slice: so a buyer's values are sorted once, and rows of one basket are not in each other's history.
A window over the rows themselves took ten times as long.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.query.types import Dialect


@dataclass(frozen=True)
class Occasion:
    """Names of the columns that say whose row it is, and of when."""

    buyer: str
    time: str


def with_histories(
    rows: exp.Select,
    plain: Sequence[str],
    histories: Mapping[str, int],
    occasion: Occasion,
    dialect: Dialect,
) -> exp.Select:
    """Return rows with their histories, the oldest value first.

    Args:
        rows: with the columns below; under a history's name stands the value that the row adds.
        plain: columns that stay as they are.
        histories: how many values each history has at most.
        occasion: the columns of buyer and time.
        dialect: of the query.
    """
    made = exp.select(*(_column(name, "rows") for name in plain)).from_(_named("rows"))
    for name, last in histories.items():
        value: Expr = _column(name, f"past_{name}")
        if dialect == "duckdb":
            value = exp.func("COALESCE", value, exp.cast(exp.Array(expressions=[]), "TEXT[]"))
        made = made.select(exp.alias_(value, name, quoted=True)).join(
            _past(name, last, occasion, dialect).subquery(_quoted(f"past_{name}")),
            on=exp.and_(
                *(
                    exp.EQ(this=_column(key, "rows"), expression=_column(key, f"past_{name}"))
                    for key in (occasion.buyer, occasion.time)
                )
            ),
            join_type="left",
        )
    return made.with_(_quoted("rows"), as_=rows)


def _past(name: str, last: int, occasion: Occasion, dialect: Dialect) -> exp.Select:
    """Return the history of every occasion, but those of buyers who never add a value."""
    values, before = _column(name, "lists"), _column("before", "placed")
    history = exp.alias_(_slice(values, before, last, dialect), name, quoted=True)
    return (
        exp.select(_column(occasion.buyer, "placed"), _column(occasion.time, "placed"), history)
        .from_(_placed(name, occasion).subquery(_quoted("placed")))
        .join(
            _lists(name, occasion).subquery(_quoted("lists")),
            on=exp.EQ(
                this=_column(occasion.buyer, "placed"), expression=_column(occasion.buyer, "lists")
            ),
        )
    )


def _placed(name: str, occasion: Occasion) -> exp.Select:
    """Return how many values the buyer's earlier occasions add, for every occasion."""
    buyer, time, added = _column(occasion.buyer), _column(occasion.time), _column("added")
    occasions = (
        exp.select(
            buyer, time, exp.alias_(exp.Count(this=_column(name)), "added", quoted=True)
        )
        .from_(_named("rows"))
        .where(_is_set(time))
        .group_by(buyer.copy(), time.copy())
    )  # fmt: skip
    so_far = exp.Window(
        this=exp.Sum(this=added),
        partition_by=[buyer.copy()],
        order=exp.Order(expressions=[exp.Ordered(this=time.copy(), nulls_first=True)]),
        spec=exp.WindowSpec(
            kind="ROWS",
            start="UNBOUNDED",
            start_side="PRECEDING",
            end="CURRENT ROW",
        ),
    )
    before = exp.Sub(this=exp.cast(so_far, "BIGINT"), expression=added.copy())
    return exp.select(
        buyer.copy(), time.copy(), exp.alias_(before, "before", quoted=True)
    ).from_(occasions.subquery(_quoted("occasions")))  # fmt: skip


def _lists(name: str, occasion: Occasion) -> exp.Select:
    value, time, buyer = _column(name), _column(occasion.time), _column(occasion.buyer)
    ordered = exp.Order(
        this=value,
        expressions=[
            exp.Ordered(this=time, nulls_first=True),
            exp.Ordered(this=value.copy(), nulls_first=True),
        ],
    )
    return (
        exp.select(buyer, exp.alias_(exp.ArrayAgg(this=ordered), name, quoted=True))
        .from_(_named("rows"))
        .where(_is_set(value), _is_set(time))
        .group_by(buyer.copy())
    )


def _slice(values: Expr, before: Expr, last: int, dialect: Dialect) -> Expr:
    """Return the `last` values of the first `before`."""
    most = exp.Literal.number(last)
    if dialect == "duckdb":
        first = exp.func("GREATEST", exp.Sub(this=before, expression=most), exp.convert(0))
        start = exp.Add(this=first, expression=exp.convert(1))
        return exp.Anonymous(this="LIST_SLICE", expressions=[values, start, before.copy()])
    value, place = exp.column("value"), exp.column("place")
    unnested = exp.Unnest(
        expressions=[values],
        alias=exp.TableAlias(columns=[exp.to_identifier("value")]),
        offset=exp.to_identifier("place"),
    )
    return exp.Array(
        expressions=[
            exp.select(value)
            .from_(unnested)
            .where(exp.GTE(this=place, expression=exp.Sub(this=before, expression=most)))
            .where(exp.LT(this=place.copy(), expression=before.copy()))
            .order_by(place.copy())
        ]
    )


def _column(name: str, table: str | None = None) -> Expr:
    return exp.column(name, table=table, quoted=True)


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _named(table: str) -> Expr:
    return exp.table_(table, quoted=True)


def _is_set(value: Expr) -> Expr:
    return exp.not_(exp.Is(this=value.copy(), expression=exp.null()))
