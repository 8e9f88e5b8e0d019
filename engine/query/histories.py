"""Histories: for each row, the values of its buyer's earlier rows.

One ordered list a buyer, of which every row takes a slice: so a buyer's values are sorted once, and
not once a row. Rows of the same time (one basket) are not in each other's history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.query.types import Dialect

_BEFORE_ALL = -(2**62)
"""Where rows without a time stand: before all others, so that they have no history."""


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
    counted = exp.select(
        *(_column(name) for name in plain),
        *(
            exp.alias_(_earlier(name, occasion), f"{name} before", quoted=True)
            for name in histories
        ),
    ).from_(_named("rows"))
    made = exp.select(
        *(_column(name, "counted") for name in plain),
        *(
            exp.alias_(
                _slice(
                    _column(name, f"{name} list"), _column(f"{name} before", "counted"), last,
                    dialect,
                ),
                name,
                quoted=True,
            )
            for name, last in histories.items()
        ),
    ).from_(counted.subquery(exp.to_identifier("counted", quoted=True)))  # fmt: skip
    for name in histories:
        made = made.join(
            _lists(name, occasion).subquery(exp.to_identifier(f"{name} list", quoted=True)),
            on=exp.EQ(
                this=_column(occasion.buyer, "counted"),
                expression=_column(occasion.buyer, f"{name} list"),
            ),
            join_type="left",
        )
    return made.with_(exp.to_identifier("rows", quoted=True), as_=rows)


def _earlier(name: str, occasion: Occasion) -> Expr:
    """Return how many values the buyer's strictly earlier rows add."""
    time = _column(occasion.time)
    value = exp.Case().when(_is_set(time), _column(name))
    ordered = exp.func("COALESCE", time.copy(), exp.convert(_BEFORE_ALL))
    return exp.Window(
        this=exp.Count(this=value),
        partition_by=[_column(occasion.buyer)],
        order=exp.Order(expressions=[exp.Ordered(this=ordered, nulls_first=True)]),
        spec=exp.WindowSpec(
            kind="RANGE",
            start="UNBOUNDED",
            start_side="PRECEDING",
            end=exp.Literal.number(1),
            end_side="PRECEDING",
        ),
    )


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
        sliced = exp.Anonymous(this="LIST_SLICE", expressions=[values, start, before.copy()])
        return exp.func("COALESCE", sliced, exp.cast(exp.Array(expressions=[]), "TEXT[]"))
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


def _named(table: str) -> Expr:
    return exp.table_(table, quoted=True)


def _is_set(value: Expr) -> Expr:
    return exp.not_(exp.Is(this=value.copy(), expression=exp.null()))
