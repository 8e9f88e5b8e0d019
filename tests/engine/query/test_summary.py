from datetime import UTC, datetime
from pathlib import Path

import duckdb

from engine.query.statement import dataset_sql
from engine.query.summary import ColumnSummary, TopValue, summarize
from tests.engine.query.local_data import dataset

ROWS = """\
user,item,price,at,tag
u1,a,1,2024-01-01 00:00:00,x
u1,b,2,2024-01-02 00:00:00,y
u2,a,6,2024-01-03 00:00:00,x
u3,c,,2024-01-05 12:00:00,
,c,9,2024-01-09 00:00:00,z
"""
TIMED = {"buyer": "user", "product": "item", "timestamp": "at"}


def test_a_summary_describes_the_rows_with_ids(tmp_path: Path):
    (tmp_path / "t.csv").write_text(ROWS)
    summary = summarize(dataset(roles=TIMED), root=tmp_path)
    assert (summary.rows, summary.rows_without_ids) == (4, 1)
    assert (summary.buyers, summary.products) == (3, 3)
    assert summary.oldest == datetime(2024, 1, 1, tzinfo=UTC)
    assert summary.newest == datetime(2024, 1, 5, 12, tzinfo=UTC)
    columns = {column.name: column for column in summary.columns}
    assert list(columns) == ["user", "item", "price", "at", "tag"]
    assert columns["price"] == ColumnSummary(
        name="price", source="t.price", source_type="BIGINT", type="INT64", missing_share=0.25,
        distinct=3, minimum=1, maximum=6, mean=3.0,
    )  # fmt: skip
    assert columns["item"].top == (
        TopValue(value="a", rows=2),
        TopValue(value="b", rows=1),
        TopValue(value="c", rows=1),
    )
    assert columns["tag"].missing_share == 0.25
    assert (columns["user"].distinct, columns["tag"].distinct) == (3, 2)
    assert columns["at"].maximum == "2024-01-05T12:00:00+00:00"


def test_a_column_of_nulls_has_no_values(tmp_path: Path):
    duckdb.sql(
        "SELECT 'u' || i AS user, 'a' AS item, NULL::TEXT AS tag FROM range(3) r(i)"
    ).write_parquet(str(tmp_path / "t.parquet"))
    summary = summarize(dataset(tables={"t": "t.parquet"}), root=tmp_path)
    (tag,) = (column for column in summary.columns if column.name == "tag")
    assert (tag.missing_share, tag.distinct, tag.top) == (1.0, 0, ())


def test_a_join_that_makes_more_rows_is_told_with_its_factor(tmp_path: Path):
    (tmp_path / "t.csv").write_text(ROWS)
    (tmp_path / "kinds.csv").write_text("id,kind\na,x\na,y\nb,x\n")
    definition = dataset(
        tables={"t": "t.csv", "kinds": "kinds.csv"},
        joins=[{"table": "kinds", "on": {"item": "id"}}],
    )
    (warning,) = summarize(definition, root=tmp_path).warnings
    assert "joining it makes 7 rows of 5 (1.4x)." in warning
    assert summarize(dataset(), root=tmp_path).warnings == ()


def test_the_sql_of_a_dataset_runs(tmp_path: Path):
    (tmp_path / "t.csv").write_text(ROWS)
    definition = dataset(filters=[{"column": "tag", "equals": "x"}])
    with duckdb.connect() as connection:
        found = connection.execute(dataset_sql(definition, root=tmp_path)).fetchall()
    assert [row[:3] for row in found] == [("u1", "a", 1), ("u2", "a", 6)]
