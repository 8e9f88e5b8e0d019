"""Filters on products and customers, against sums made by hand."""

from pathlib import Path
from typing import Any

import pytest
import sqlglot

from engine.definitions.checks import check_dataset
from engine.errors import InvalidInput
from engine.query.measuring import Measurement
from engine.query.statement import dataset_sql
from tests.engine.query.local_data import dataset, prepared, read_rows

ROWS = """\
user,item,spent,day
u1,a,10,2024-01-01
u1,b,1,2024-01-02
u2,a,10,2024-01-02
u2,c,5,2024-01-03
u2,d,,2024-01-03
u3,c,4.5,2024-01-04
u3,e,0.1,2024-01-05
,e,900,2024-01-05
"""
"""Revenue: a 20, c 9.5, b 1, e 0.1, d none;
u1 11, u2 15, u3 4.6; a row without a user adds nothing."""
ROLES = {"buyer": "user", "product": "item", "timestamp": "day", "revenue": "spent"}
NO_REVENUE = {"revenue": None}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "t.csv").write_text(ROWS)
    return tmp_path


def rows_left(root: Path, *filters: dict[str, Any], **changes: Any) -> str:
    definition = dataset(**{"roles": ROLES, "filters": filters, **changes})
    assert list(check_dataset(definition)) == []
    return " ".join("".join(row) for row in read_rows(root, definition))


@pytest.mark.parametrize(
    ("filter_", "left"),
    [
        ({"of": "products", "top_percent": 20}, "u1a u2a"),
        ({"of": "products", "top_percent": 20.1}, "u1a u2a u2c u3c"),
        ({"of": "products", "top_percent": 40}, "u1a u2a u2c u3c"),
        ({"of": "products", "top_percent": 80}, "u1a u1b u2a u2c u3c u3e"),
        ({"of": "products", "top_percent": 100}, "u1a u1b u2a u2c u2d u3c u3e"),
        ({"of": "customers", "top_percent": 1}, "u2a u2c u2d"),
        ({"of": "customers", "top_percent": 50}, "u1a u1b u2a u2c u2d"),
        ({"of": "products", "min_count": 2}, "u1a u2a u2c u3c"),
        ({"of": "customers", "min_count": 3}, "u2a u2c u2d"),
        ({"of": "customers", "min_spend": 4.6}, "u1a u1b u2a u2c u2d u3c u3e"),
        ({"of": "customers", "min_spend": 4.61}, "u1a u1b u2a u2c u2d"),
        ({"of": "products", "min_spend": 0.1}, "u1a u1b u2a u2c u3c u3e"),
        ({"of": "products", "min_spend": 0}, "u1a u1b u2a u2c u2d u3c u3e"),
    ],
)
def test_a_filter_keeps_the_products_or_customers_that_it_names(
    root: Path, filter_: dict[str, Any], left: str
):
    assert rows_left(root, filter_) == left


def test_each_filter_counts_the_rows_that_pass_the_dates_and_no_other_filter(root: Path):
    by_count = {"of": "products", "min_count": 2}
    assert rows_left(root, by_count, {"column": "day", "start": "2024-01-02"}) == "u2c u3c"
    assert rows_left(root, by_count, {"column": "day", "min": "2024-01-02"}) == "u2c u3c"
    assert rows_left(root, {"column": "day", "last_days": 3}, by_count) == "u2c u3c"
    assert rows_left(root, by_count, {"column": "user", "equals": "u2"}) == "u2a u2c"
    spent = {"of": "customers", "min_spend": 11}
    assert rows_left(root, by_count, spent) == "u1a u2a u2c"
    assert rows_left(root, spent, by_count) == "u1a u2a u2c"


def test_revenue_may_stand_in_a_joined_table(root: Path):
    (root / "prices.csv").write_text("id,price\na,1\nb,7\nc,3\n")
    left = rows_left(
        root,
        {"of": "products", "min_spend": 6.5},
        tables={"t": "t.csv", "prices": "prices.csv"},
        joins=[{"table": "prices", "on": {"item": "id"}}],
        columns={"user": "t.user", "item": "t.item", "price": "prices.price"},
        roles={"buyer": "user", "product": "item", "revenue": "price"},
    )
    assert left == "u1b"


@pytest.mark.parametrize(
    ("filter_", "roles", "path", "told"),
    [
        ({"of": "products", "top_percent": 5}, NO_REVENUE, ("top_percent",), "needs roles.revenue"),
        ({"of": "customers", "min_spend": 5}, NO_REVENUE, ("min_spend",), "needs roles.revenue"),
        ({"of": "products"}, {}, (), "is one of top_percent, min_count, min_spend"),
        ({"of": "products", "min_count": 1, "min_spend": 1}, {}, (), "is one of top_percent"),
        ({"of": "products", "min_count": 1, "column": "item"}, {}, ("column",), "doesn't go with"),
        ({"of": "products", "min_count": 1, "max": 4}, {}, ("max",), "doesn't go with of"),
        ({"column": "item", "min_count": 1}, {}, ("min_count",), 'goes with of = "products"'),
        ({"equals": 1}, {}, ("column",), "is missing"),
    ],
)  # fmt: skip
def test_a_filter_without_a_meaning_is_told_at_its_key(
    filter_: dict[str, Any], roles: dict[str, Any], path: tuple[str, ...], told: str
):
    definition = dataset(roles={**ROLES, **roles}, filters=[filter_])
    ((where, reason),) = check_dataset(definition)
    assert where == ("filters", 0, *path)
    assert told in reason


def test_a_revenue_of_text_is_told(root: Path):
    with pytest.raises(InvalidInput, match='The revenue "item" holds text; a revenue is a number'):
        rows_left(root, {"of": "products", "min_spend": 1}, roles={**ROLES, "revenue": "item"})


def test_the_filter_that_leaves_nothing_is_named(root: Path):
    filters = [{"of": "customers", "min_count": 4}, {"column": "item", "equals": "a"}]
    definition = dataset(roles=ROLES, filters=filters)
    with prepared(root, definition) as (connection, found), pytest.raises(InvalidInput) as refused:
        Measurement(connection, found.rows, ())
    assert "The filter customers: min_count = 4 leaves no rows of 8." in str(refused.value)


def test_dates_outside_the_data_are_told_with_its_period(root: Path):
    definition = dataset(roles=ROLES, filters=[{"column": "day", "start": "2025-01-01"}])
    with prepared(root, definition) as (connection, found), pytest.raises(InvalidInput) as refused:
        Measurement(connection, found.rows, ())
    assert "leaves no rows of 8. The data is from 2024-01-01 to 2024-01-05." in str(refused.value)


def test_bigquery_sums_whole_millionths_too(root: Path):
    filters = [{"of": "products", "top_percent": 20}, {"of": "customers", "min_spend": 0.1}]
    sql = dataset_sql(dataset(roles=ROLES, filters=filters), root=root, dialect="bigquery")
    sqlglot.parse_one(sql, dialect="bigquery")
    flat = " ".join(sql.split())
    assert "* 1000000 ) AS BIGNUMERIC)" in flat
    assert ">= 100000 " in flat
    assert "ROW_NUMBER() OVER (ORDER BY `revenue` DESC, `unit`)" in flat


def test_a_dataset_that_uses_nothing_new_keeps_its_hash():
    assert dataset().hash == "4994ed785a6006cd"
    assert dataset(filters=[{"column": "user", "equals": "u1"}]).hash == "3af50b601e836ef3"
    assert dataset(histories={"h": {"column": "item"}}).hash != dataset().hash
    assert dataset(filters=[{"of": "products", "min_count": 2}]).hash != dataset().hash
