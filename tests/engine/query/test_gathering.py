"""Values are counted once for each row of their table, and come out as if counted row by row."""

from pathlib import Path
from typing import Literal

import duckdb
import pytest

from engine.query.examples import Selection, examples_query
from engine.query.gathering import GatheredRows, ValueCounts
from engine.query.measuring import Measurement
from engine.spec import Split
from tests.engine.query.local_data import dataset, prepared

ROWS = """\
user,item,known,rows
u1,a,1,x
u2,a,2,x
u1,b,5,y
,b,9,z
u3,zz,2,
"""
ITEMS = """\
id,place,met_0,rows
a,1.5,north,7
b,,south,8
c,9,east,9
"""


def gathered(folder: Path, how: str, filters: list[dict[str, object]]) -> dict[str, ValueCounts]:
    (folder / "t.csv").write_text(ROWS)
    (folder / "items.csv").write_text(ITEMS)
    columns = {name: f"t.{name}" for name in ("user", "item", "known", "rows")}
    columns |= {name: f"items.{name}" for name in ("place", "met_0")} | {"number": "items.rows"}
    definition = dataset(
        tables={"t": "t.csv", "items": "items.csv"},
        joins=[{"table": "items", "on": {"item": "id"}, "how": how}],
        columns=columns,
        filters=filters,
    )
    with prepared(folder, definition) as (connection, found):
        made = GatheredRows(connection, found.rows, list(columns))
        return {alias: made.counts(alias) for alias in columns}


@pytest.mark.parametrize("how", ["left", "inner"])
def test_a_joined_tables_values_count_once_for_each_row_that_met_them(tmp_path: Path, how: str):
    counts = gathered(tmp_path, how, [])
    unmatched = 1 if how == "left" else 0  # the row of u3, whose item is not in the table
    assert counts["met_0"] == ValueCounts(2, 3, top=(("north", 2), ("south", 1)))
    assert counts["place"] == ValueCounts(1, 2, 1.5, 1.5, 1.5)
    assert counts["number"] == ValueCounts(2, 3, 7, 8, 22 / 3)
    assert counts["rows"] == ValueCounts(2, 3, top=(("x", 2), ("y", 1)))
    assert counts["known"] == ValueCounts(
        3, 3 + unmatched, 1, 5, (8 + 2 * unmatched) / (3 + unmatched)
    )
    assert counts["user"].distinct == 2 + unmatched


def test_filters_on_either_table_come_first(tmp_path: Path):
    counts = gathered(
        tmp_path, "left", [{"column": "met_0", "equals": "north"}, {"column": "known", "min": 2}]
    )
    assert counts["user"] == ValueCounts(1, 1, top=(("u2", 1),))
    assert counts["number"] == ValueCounts(1, 1, 7, 7, 7.0)


def test_equal_values_in_different_forms_are_one(tmp_path: Path):
    duckdb.sql(
        "SELECT * FROM (VALUES ('u1', 'a', 1.0::DOUBLE), ('u1', 'b', 'nan'), ('u2', 'a', 'inf'), "
        "('u2', 'c', 1.0)) t(\"user\", item, price)"
    ).write_parquet(str(tmp_path / "t.parquet"))
    definition = dataset(tables={"t": "t.parquet"})
    with prepared(tmp_path, definition) as (connection, found):
        assert GatheredRows(connection, found.rows, ["user", "item", "price"]).counts(
            "price"
        ) == ValueCounts(1, 2, 1.0, 1.0, 1.0)


@pytest.mark.parametrize("sample_by", ["buyer", "row"])
def test_ids_and_times_may_stand_in_joined_tables(
    tmp_path: Path, sample_by: Literal["buyer", "row"]
):
    duckdb.sql("SELECT i AS line, i // 4 AS basket, i % 13 AS item FROM range(800) r(i)").write_csv(
        str(tmp_path / "lines.csv")
    )
    duckdb.sql(
        "SELECT i AS basket, i % 40 AS \"user\", DATE '2024-01-01' + (i // 4)::INT AS day "
        "FROM range(190) r(i)"
    ).write_csv(str(tmp_path / "baskets.csv"))
    definition = dataset(
        tables={"lines": "lines.csv", "baskets": "baskets.csv"},
        primary="lines",
        joins=[{"table": "baskets", "on": {"basket": "basket"}}],
        columns={"user": "baskets.user", "item": "lines.item", "day": "baskets.day"},
        roles={"buyer": "user", "product": "item", "timestamp": "day"},
    )
    with prepared(tmp_path, definition) as (connection, found):
        measurement = Measurement(connection, found.rows, ["user", "day"])
        facts = measurement.facts
        assert (facts.rows, facts.without_ids, facts.buyers, facts.products) == (760, 40, 40, 13)
        split = Split(kind="time-holdout", holdout_days=9)
        selection = Selection(50, sample_by, split, 2, facts.newest)
        counted = measurement.split(selection).rows
        queries = examples_query(found.rows, ("user", "item", "day"), selection).queries
        rows = {name: len(connection.execute(query).fetchall()) for name, query in queries.items()}
    assert counted == rows
    assert 200 < sum(rows.values()) < 560
