"""Filters on products and customers: by their revenue, their rows, what was spent.

Sums are of whole millionths, not of floats: a sum of floats depends on the order of its rows, and
DuckDB and BigQuery would then keep different products.
"""

from dataclasses import dataclass
from decimal import Decimal

import sqlglot.expressions as exp
from sqlglot.expressions.core import Expr

from engine.definitions.models import Filter

_WHOLE = "DECIMAL(38, 0)"
_MILLION = 1_000_000


@dataclass(frozen=True)
class Groups:
    """Rows to sum over.

    Attributes:
        rows: a SELECT without projections of the rows that count.
        unit: the id of the product or the customer.
        revenue: what is summed; None without the role.
    """

    rows: exp.Select
    unit: Expr
    revenue: Expr | None


def aggregate_condition(filter_: Filter, groups: Groups) -> Expr:
    """Return the condition that a row's product or customer is among those that a filter keeps.

    Raises:
        ValueError: the filter sums a revenue and there is none.
    """
    if filter_.min_count is not None:
        counted = _grouped(groups).having(
            exp.GTE(this=exp.Count(this=exp.Star()), expression=exp.convert(filter_.min_count))
        )
        return _among(groups, counted)
    if groups.revenue is None:
        raise ValueError("a filter by revenue needs the role revenue")
    millionths = exp.Mul(this=groups.revenue.copy(), expression=exp.convert(_MILLION))
    whole = exp.cast(exp.Round(this=millionths), _WHOLE)
    total = exp.func("COALESCE", exp.Sum(this=whole), exp.cast(exp.convert(0), _WHOLE))
    if filter_.min_spend is not None:
        least = exp.convert(int(Decimal(repr(filter_.min_spend)) * _MILLION))
        return _among(groups, _grouped(groups).having(exp.GTE(this=total, expression=least)))
    return _among(groups, _best(groups, total, filter_.top_percent or 100))


def _best(groups: Groups, total: Expr, percent: float) -> exp.Select:
    """Return the first percent of the units by revenue, rounded up; ties by id."""
    unit = _column("unit")
    order = exp.Order(
        expressions=[
            exp.Ordered(this=_column("revenue"), desc=True, nulls_first=False),
            exp.Ordered(this=unit.copy(), nulls_first=True),
        ]
    )
    sums = _grouped(groups).select(exp.alias_(total, "revenue", quoted=True))
    ranked = exp.select(
        unit,
        exp.alias_(
            exp.Window(this=exp.RowNumber(), order=order), "place", quoted=True
        ),
        exp.alias_(exp.Window(this=exp.Count(this=exp.Star())), "units", quoted=True),
    ).from_(sums.subquery(exp.to_identifier("sums", quoted=True)))  # fmt: skip
    before = exp.Mul(
        this=exp.Paren(this=exp.Sub(this=_column("place"), expression=exp.convert(1))),
        expression=exp.convert(100),
    )
    kept = exp.Mul(this=_column("units"), expression=exp.cast(exp.convert(percent), "DOUBLE"))
    return (
        exp.select(unit.copy())
        .from_(ranked.subquery(exp.to_identifier("ranked", quoted=True)))
        .where(exp.LT(this=before, expression=kept))
    )


def _grouped(groups: Groups) -> exp.Select:
    rows = groups.rows.select(exp.alias_(groups.unit.copy(), "unit", quoted=True), append=False)
    return rows.group_by(groups.unit.copy())


def _among(groups: Groups, units: exp.Select) -> Expr:
    return exp.In(this=groups.unit.copy(), query=units.subquery())


def _column(name: str) -> Expr:
    return exp.column(name, quoted=True)
