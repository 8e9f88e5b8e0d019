from pathlib import Path
from typing import Any

import pytest

from engine.errors import InvalidInput
from engine.query.measuring import repeating_joins
from tests.engine.query.local_data import dataset, prepared, read_rows, write_table

EVENTS = "SELECT unnest([1, 2, 3, 9]) AS user, unnest(['a', 'b', 'a', 'z']) AS item"
ITEMS = "SELECT unnest(['a', 'b', 'c']) AS id, unnest(['red', 'blue', 'green']) AS colour"
COLUMNS = {"user": "t.user", "item": "t.item", "colour": "items.colour"}


def joined(**changes: Any):
    written = {
        "tables": {"t": "t.parquet", "items": "items.parquet"},
        "joins": [{"table": "items", "on": {"item": "id"}}],
        "columns": COLUMNS,
    }
    return dataset(**{**written, **changes})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_table(tmp_path / "t.parquet", EVENTS)
    write_table(tmp_path / "items.parquet", ITEMS)
    return tmp_path


@pytest.mark.parametrize(
    ("how", "rows"),
    [
        ("left", [("1", "a", "red"), ("2", "b", "blue"), ("3", "a", "red"), ("9", "z", None)]),
        ("inner", [("1", "a", "red"), ("2", "b", "blue"), ("3", "a", "red")]),
        ("right", [("1", "a", "red"), ("2", "b", "blue"), ("3", "a", "red")]),
    ],
)
def test_each_kind_of_join_keeps_its_rows_with_ids(root: Path, how: str, rows: list[Any]):
    definition = joined(joins=[{"table": "items", "how": how, "on": {"item": "id"}}])
    assert read_rows(root, definition, None, ("user", "item", "colour")) == rows


@pytest.mark.parametrize(
    ("primary", "how", "users"),
    [
        ("t", "left", "1239"), ("t", "inner", "123"), ("t", "right", "123"),
        ("items", "left", "123"), ("items", "inner", "123"), ("items", "right", "1239"),
    ],
)  # fmt: skip
def test_the_primary_table_is_the_one_whose_rows_stay(
    root: Path, primary: str, how: str, users: str
):
    """The item of user 9 is in no table of items; nobody has the item c."""
    other, on = ("items", {"item": "id"}) if primary == "t" else ("t", {"id": "item"})
    joins = [{"table": other, "how": how, "on": on}]
    found = read_rows(root, joined(primary=primary, joins=joins), None, ("user",))
    assert "".join(user for (user,) in found) == users


def test_a_join_goes_on_from_a_joined_table_and_on_several_columns(root: Path):
    write_table(root / "shades.parquet", "SELECT 'red' AS colour, 'a' AS item, 'dark' AS shade")
    definition = joined(
        tables={"t": "t.parquet", "items": "items.parquet", "shades": "shades.parquet"},
        joins=[
            {"table": "items", "on": {"item": "id"}},
            {"table": "shades", "on": {"items.colour": "colour", "t.item": "item"}},
        ],
        columns={**COLUMNS, "shade": "shade"},
    )
    found = read_rows(root, definition, None, ("user", "shade"))
    assert found == [("1", "dark"), ("2", None), ("3", "dark"), ("9", None)]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("'7'", "7"),
        ("7", "'7'"),
        ("7::BIGINT", "7.0::DOUBLE"),
        ("'7'", "7.0::DOUBLE"),
        ("DATE '2024-01-01'", "'2024-01-01'"),
    ],
)
def test_keys_of_different_types_meet(tmp_path: Path, left: str, right: str):
    write_table(tmp_path / "t.parquet", f"SELECT 'u' AS user, 'i' AS item, {left} AS k")
    write_table(tmp_path / "items.parquet", f"SELECT {right} AS k, 'red' AS colour")
    definition = joined(joins=[{"table": "items", "on": {"k": "k"}}])
    assert read_rows(tmp_path, definition, None, ("colour",)) == [("red",)]


def test_ids_of_two_csv_files_meet_as_they_are_written(tmp_path: Path):
    (tmp_path / "t.csv").write_text("user,item\n1,007\n1,7\n")
    (tmp_path / "items.csv").write_text("id,colour\n007,red\n7,blue\n")
    definition = joined(tables={"t": "t.csv", "items": "items.csv"})
    found = read_rows(tmp_path, definition, None, ("item", "colour"))
    assert found == [("007", "red"), ("7", "blue")]


def test_a_join_that_repeats_rows_is_found(root: Path):
    with prepared(root, joined()) as (connection, found):
        assert repeating_joins(connection, found.rows) == []
    write_table(root / "items.parquet", f"{ITEMS} UNION ALL SELECT 'a', 'pink'")
    with prepared(root, joined()) as (connection, found):
        (growth,) = repeating_joins(connection, found.rows)
    assert (growth.table, growth.rows, growth.joined) == ("items", 4, 6)
    assert str(growth) == (
        'Table "items" has several rows of the same key: joining it makes 6 rows of 4 (1.5x). '
        "If that isn't meant, keep one row of each key, or join on more columns."
    )
    assert len(read_rows(root, joined(), None, ("user", "colour"))) == 6


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"joins": [{"table": "items", "on": {"itm": "id"}}]},
         'the join with table "items": no table has a column "itm". Did you mean "item"?'),
        ({"joins": [{"table": "items", "on": {"item": "ids"}}]},
         'the join with table "items": table "items" has no column "ids". Did you mean "id"?'),
        ({"columns": {**COLUMNS, "colour": "items.color"}},
         'column "colour": table "items" has no column "color". Did you mean "colour"?'),
    ],
)  # fmt: skip
def test_a_missing_column_of_a_join_is_told(root: Path, changes: dict[str, Any], told: str):
    with pytest.raises(InvalidInput) as refused:
        read_rows(root, joined(**changes))
    assert str(refused.value) == f'Dataset "d": {told}'


def test_a_column_of_several_joined_tables_must_name_its_table(root: Path):
    write_table(root / "more.parquet", "SELECT 'a' AS id, 'x' AS colour")
    definition = joined(
        tables={"t": "t.parquet", "items": "items.parquet", "more": "more.parquet"},
        joins=[{"table": "items", "on": {"item": "id"}}, {"table": "more", "on": {"item": "id"}}],
        columns={**COLUMNS, "colour": "colour"},
    )
    with pytest.raises(InvalidInput) as refused:
        read_rows(root, definition)
    assert str(refused.value) == (
        'Column "colour" of dataset "d": the tables items, more all have a column "colour". '
        'Write "items.colour".'
    )
