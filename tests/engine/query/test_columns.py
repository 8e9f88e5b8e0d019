"""The form of every column: ids as text, times as microseconds, numbers as INT64 or FLOAT."""

from pathlib import Path
from typing import Any

import pytest

from engine.errors import InvalidInput
from tests.engine.query.local_data import dataset, features, prepared, read_rows, write_table

TIMED = {"buyer": "user", "product": "item", "timestamp": "at"}
NOON = 1_704_110_400_000_000
"""2024-01-01 12:00 in epoch microseconds."""


def refusal(root: Path, definition: Any, config: Any = None) -> str:
    with pytest.raises(InvalidInput) as refused:
        read_rows(root, definition, config)
    return str(refused.value)


def parquet(root: Path, select: str) -> dict[str, str]:
    write_table(root / "t.parquet", select)
    return {"t": "t.parquet"}


def test_ids_of_a_csv_file_stay_as_they_are_written(tmp_path: Path):
    (tmp_path / "t.csv").write_text("user,item,zip\n007,1.0,01234\n7,2,1234\n")
    config = features("zip", data_type="text")
    assert read_rows(tmp_path, dataset(), config, ("user", "item", "zip")) == [
        ("007", "1.0", "01234"),
        ("7", "2", "1234"),
    ]


def test_ids_that_int64_cannot_hold_keep_every_digit(tmp_path: Path):
    tables = parquet(
        tmp_path, f"SELECT {2**64 - 1}::UBIGINT AS user, {10**30}::DECIMAL(38,0) AS item"
    )
    assert read_rows(tmp_path, dataset(tables=tables)) == [(str(2**64 - 1), str(10**30))]


@pytest.mark.parametrize("ids", ["BIGINT", "DOUBLE", "DECIMAL(9,2)", "VARCHAR", "UBIGINT"])
def test_whole_numbers_are_ids_whatever_their_type(tmp_path: Path, ids: str):
    tables = parquet(tmp_path, f"SELECT CAST(7 AS {ids}) AS user, 'x' AS item")
    assert read_rows(tmp_path, dataset(tables=tables)) == [("7", "x")]


@pytest.mark.parametrize(
    ("user", "told"),
    [
        ("1.5", 'Column "user" holds ids, but 1.5 is not a whole number.'),
        (
            "[1, 2]",
            'The buyer "user" holds lists of text or whole numbers: no ids.',
        ),
        (
            "{'a': 1}",
            'The buyer: column "user" holds structures, nested lists or binary data, which '
            "cannot be used.",
        ),
        ("TRUE", 'The buyer "user" holds true and false: no ids. Ids are text or whole numbers.'),
        (
            "DATE '2024-01-01'",
            'The buyer "user" holds times: no ids. Ids are text or whole numbers.',
        ),
    ],
)
def test_what_is_no_id_is_refused(tmp_path: Path, user: str, told: str):
    tables = parquet(tmp_path, f"SELECT {user} AS user, 'x' AS item")
    assert told in refusal(tmp_path, dataset(tables=tables))


@pytest.mark.parametrize(
    "at",
    [
        "TIMESTAMP '2024-01-01 12:00:00'",
        "TIMESTAMP_NS '2024-01-01 12:00:00'",
        "TIMESTAMPTZ '2024-01-01 14:00:00+02'",
        "CAST(1704110400 AS INTEGER)",
        "1704110400000",
        "1704110400000000",
        "1704110400000000000",
        "1704110400.0::DOUBLE",
        "'2024-01-01 12:00:00'",
        "'2024-01-01T12:00:00Z'",
        "'2024-01-01 14:00:00+02:00'",
    ],
)
def test_every_way_to_store_a_time_gives_microseconds(tmp_path: Path, at: str):
    tables = parquet(tmp_path, f"SELECT 'u' AS user, 'i' AS item, {at} AS at")
    definition = dataset(tables=tables, roles=TIMED)
    assert read_rows(tmp_path, definition, None, ("at",)) == [(NOON,)]


@pytest.mark.parametrize(
    "text",
    ["2024-01-01 12:00:00", "2024-01-01T12:00:00Z", "2024-01-01 14:00:00+02:00", "1704110400"],
)
def test_times_of_a_csv_file_do_not_depend_on_the_session(tmp_path: Path, text: str):
    (tmp_path / "t.csv").write_text(f"user,item,at\nu,i,{text}\n")
    with prepared(tmp_path, dataset(roles=TIMED)) as (connection, found):
        query = found.rows.keyed(("at",)).sql("duckdb")
        connection.execute("SET TimeZone = 'America/New_York'")
        assert connection.execute(f'SELECT "at" FROM ({query})').fetchall() == [(NOON,)]


def test_dates_are_midnight_and_infinite_times_are_missing(tmp_path: Path):
    tables = parquet(
        tmp_path,
        "SELECT unnest(['u', 'v']) AS user, 'i' AS item, "
        "unnest([DATE '2024-01-01', DATE 'infinity']) AS at",
    )
    definition = dataset(tables=tables, roles=TIMED)
    found = read_rows(tmp_path, definition, None, ("user", "at"))
    assert found == [("u", NOON - 43_200_000_000), ("v", None)]


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ("['2024-01-01', 'soon']", 'Column "at" is no timestamp: "soon" is neither a date nor a'),
        ("['2024-01-01 10:00', '2024-01-01T10:00:00Z']", 'Column "at" mixes times with and'),
        ("[NULL::VARCHAR, NULL]", 'Column "at" holds no values.'),
        ("[NULL::BIGINT, NULL]", 'Column "at" holds no values.'),
        ("[TRUE, FALSE]", 'Column "at" holds true and false, no times.'),
    ],
)
def test_what_is_no_time_is_refused(tmp_path: Path, values: str, told: str):
    tables = parquet(tmp_path, f"SELECT 'u' AS user, 'i' AS item, unnest({values}) AS at")
    assert told in refusal(tmp_path, dataset(tables=tables, roles=TIMED))


def test_numbers_become_int64_or_float_and_what_is_not_finite_is_missing(tmp_path: Path):
    tables = parquet(
        tmp_path,
        "SELECT unnest(['a', 'b', 'c']) AS user, 'i' AS item, unnest([true, false, NULL]) AS yes, "
        "unnest([1.25::DECIMAL(9,2), 2, NULL]) AS price, "
        "unnest(['1', 'nan', 'inf']::FLOAT[]) AS f, 3::UTINYINT AS small",
    )
    columns = ("user", "yes", "price", "f", "small")
    definition = dataset(tables=tables)
    config = features("yes", "price", "f", "small")
    assert read_rows(tmp_path, definition, config, columns) == [
        ("a", 1, 1.25, 1.0, 3),
        ("b", 0, 2.0, None, 3),
        ("c", None, None, None, 3),
    ]
    with prepared(tmp_path, definition, config) as (_, found):
        types = {alias: column.sql_type for alias, column in found.rows.columns.items()}
    assert types == {
        "user": "STRING", "item": "STRING", "yes": "INT64", "price": "FLOAT", "f": "FLOAT",
        "small": "INT64",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("data_type", "value", "told"),
    [
        ("numeric", "'abc'", 'Column "x" holds text and cannot be read as numeric.'),
        ("numeric", "DATE '2024-01-01'", 'Column "x" holds times and cannot be read as num'),
        ("text", "DATE '2024-01-01'", 'Column "x" holds times and cannot be read as text.'),
        ("temporal", "TRUE", 'Column "x" holds true and false and cannot be read as temporal.'),
        ("text", "[1]", "holds lists of text or whole numbers and cannot be read as text."),
        ("history", "1", 'Column "x" holds whole numbers and cannot be read as history.'),
        ("text", "{'a': 1}", 'column "x" holds structures, nested lists or binary data, which'),
    ],
)
def test_a_data_type_that_does_not_fit_is_refused(
    tmp_path: Path, data_type: str, value: str, told: str
):
    tables = parquet(tmp_path, f"SELECT 'u' AS user, 'i' AS item, {value} AS x")
    config = features("x", data_type=data_type)
    assert told in refusal(tmp_path, dataset(tables=tables), config)


def test_lists_are_no_obstacle_unless_they_are_used(tmp_path: Path):
    tables = parquet(tmp_path, "SELECT 'u' AS user, 'i' AS item, [1, 2] AS list, {'a': 1} AS s")
    assert read_rows(tmp_path, dataset(tables=tables)) == [("u", "i")]


def test_a_column_in_two_ways_is_refused(tmp_path: Path):
    (tmp_path / "t.csv").write_text("user,item,x\nu,i,5\n")
    config = features("x", data_type="text")
    numeric = features("x", data_type="numeric").product[1]
    both = config.replace(buyer=(*config.buyer, numeric))
    assert 'uses column "x" in two ways' in refusal(tmp_path, dataset(), both)
    temporal = features("user", data_type="temporal")
    assert 'uses column "user" in two ways' in refusal(tmp_path, dataset(), temporal)


def test_a_target_is_a_number(tmp_path: Path):
    (tmp_path / "t.csv").write_text("user,item,x,y\nu,i,5,five\n")
    assert read_rows(tmp_path, dataset(), features(target="x"), ("x",)) == [(5,)]
    told = 'The target "y" holds text; a target is a number.'
    assert told in refusal(tmp_path, dataset(), features(target="y"))


def test_an_unknown_column_is_told_with_the_nearest(tmp_path: Path):
    (tmp_path / "t.csv").write_text("User,item,rating\nu,i,5\n")
    assert 'The buyer: the dataset "d" has no column "user". Did you mean "User"?' in refusal(
        tmp_path, dataset()
    )
    listed = dataset(columns={"user": "User", "item": "itm"})
    assert 'column "item": no table has a column "itm". Did you mean "item"?' in refusal(
        tmp_path, listed
    )


def test_a_row_key_takes_no_fractions(tmp_path: Path):
    (tmp_path / "t.csv").write_text("user,item,x\nu,i,5.5\n")
    roles = {"buyer": "user", "product": "item", "row_key": ["user", "x"]}
    assert 'Column "x" of the row key holds fractions' in refusal(tmp_path, dataset(roles=roles))


@pytest.mark.parametrize(
    "header", ['a"b', "it's", "select", "at", "a.b", "t.user", "key", "hash", "x;--", "é"]
)
def test_any_header_of_a_csv_file_is_a_column(tmp_path: Path, header: str):
    quoted = header.replace('"', '""')
    (tmp_path / "t.csv").write_text(f'user,item,"{quoted}"\nu,i,5\n', encoding="utf-8")
    assert read_rows(tmp_path, dataset(), features(header), (header,)) == [(5,)]


def test_rows_without_a_buyer_or_a_product_are_left_out(tmp_path: Path):
    (tmp_path / "t.csv").write_text("user,item\nu,i\n,j\nv,\n")
    assert read_rows(tmp_path, dataset()) == [("u", "i")]
