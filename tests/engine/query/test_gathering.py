"""Values are counted once for each row of their table, and come out as if counted row by row."""

from pathlib import Path

import duckdb
import pytest

from engine.query.gathering import GatheredRows, ValueCounts
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
