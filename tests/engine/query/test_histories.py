"""Histories against a computation of our own, and lists that a table holds."""

import tempfile
from pathlib import Path
from typing import Any, Literal

import pyarrow
import pyarrow.parquet
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definitions.checks import check_dataset
from engine.errors import InvalidInput
from engine.query.examples import Selection, example_columns, examples_query
from engine.query.measuring import Measurement
from engine.query.statement import dataset_sql
from engine.spec import Column, Split
from tests.engine.query.local_data import dataset, prepared, read_rows, write_table

TIMED = {"buyer": "user", "product": "item", "timestamp": "at"}
ROWS = """\
user,item,at
u1,a,2024-01-01
u1,b,2024-01-01
u1,a,2024-01-02
u1,c,2024-01-03
u2,a,2024-01-01
u2,d,
,e,2024-01-01
u2,f,2024-01-05
"""


def bought(last: int = 50, **changes: Any) -> Any:
    return dataset(
        **{"roles": TIMED, "histories": {"bought": {"column": "item", "last": last}}, **changes}
    )


def test_a_history_lists_earlier_values_oldest_first_without_those_of_the_same_time(tmp_path: Path):
    (tmp_path / "t.csv").write_text(ROWS)
    columns = ("user", "item", "bought")
    assert read_rows(tmp_path, bought(), None, columns) == [
        ("u1", "a", ["a", "b"]),
        ("u1", "a", []),
        ("u1", "b", []),
        ("u1", "c", ["a", "b", "a"]),
        ("u2", "a", []),
        ("u2", "d", []),
        ("u2", "f", ["a"]),
    ]
    latest = read_rows(tmp_path, bought(last=2), None, ("item", "bought"))
    assert ("c", ["b", "a"]) in latest


def test_a_history_is_made_of_the_filtered_rows(tmp_path: Path):
    (tmp_path / "t.csv").write_text(ROWS)
    definition = bought(filters=[{"column": "item", "in": ["b", "c"]}])
    found = read_rows(tmp_path, definition, None, ("item", "bought"))
    assert found == [("b", []), ("c", ["b"])]


@pytest.mark.parametrize("sample_by", ["buyer", "row"])
def test_a_sample_leaves_histories_whole(tmp_path: Path, sample_by: Literal["buyer", "row"]):
    events = (
        "SELECT 'u' || (i % 20) AS user, 'i' || i AS item, "
        "TIMESTAMP '2024-01-01' + to_hours(CAST(i AS INT)) AS at FROM range(200) r(i)"
    )
    write_table(tmp_path / "t.parquet", events)
    definition = bought(last=100, tables={"t": "t.parquet"})
    with prepared(tmp_path, definition) as (connection, found):
        queries = examples_query(
            found.rows, ("item", "bought"), Selection(30, sample_by, Split(), 1)
        ).queries
        rows = [row for query in queries.values() for row in connection.execute(query).fetchall()]
    assert 20 < len(rows) < 150
    for item, earlier, _ in rows:
        number = int(item[1:])
        assert earlier == [f"i{n}" for n in range(number % 20, number, 20)]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.none() | st.sampled_from("uvw"),
            st.none() | st.sampled_from(["a", "b", "ü", "'"]),
            st.none() | st.integers(-5, 5),
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 4),
)
def test_any_history_equals_a_loop_in_python(
    rows: list[tuple[str | None, str | None, int | None]], last: int
):
    rows = [*rows, ("u", "a", 0)]
    users, items, days = (list(column) for column in zip(*rows, strict=True))
    times = [None if d is None else d * 86_400_000_000 for d in days]
    table = pyarrow.table(
        {
            "user": pyarrow.array(users, pyarrow.string()),
            "item": pyarrow.array(items, pyarrow.string()),
            "at": pyarrow.array(times, pyarrow.timestamp("us")),
        }
    )
    expected = []
    for user, item, time in zip(users, items, times, strict=True):
        if user is None or item is None:
            continue
        earlier = sorted(
            (t, i)
            for u, i, t in zip(users, items, times, strict=True)
            if u == user and i is not None and t is not None and time is not None and t < time
        )
        expected.append((user, item, time, [i for _, i in earlier[-last:]]))
    with tempfile.TemporaryDirectory() as folder:
        pyarrow.parquet.write_table(table, Path(folder) / "t.parquet")
        definition = bought(last, tables={"t": "t.parquet"})
        found = read_rows(Path(folder), definition, None, ("user", "item", "at", "bought"))
    assert found == sorted(expected, key=repr)


def test_a_history_counts_as_what_it_is_made_of(tmp_path: Path):
    (tmp_path / "t.csv").write_text(ROWS)
    with prepared(tmp_path, bought()) as (connection, found):
        facts = Measurement(connection, found.rows, ["bought"]).facts
        columns = example_columns(found.rows, ("item", "bought"))
    assert (facts.distinct["bought"], facts.values["bought"]) == (5, 7)
    assert columns[1] == Column(name="bought", type="STRING", repeated=True)


def test_a_history_renders_for_bigquery(tmp_path: Path):
    (tmp_path / "t.csv").write_text(ROWS)
    sql = dataset_sql(bought(), root=tmp_path, dialect="bigquery")
    sqlglot.parse_one(sql, dialect="bigquery")
    assert "ARRAY_AGG(" in sql
    assert "WITH OFFSET AS place" in sql


@pytest.mark.parametrize(
    ("changes", "path", "told"),
    [
        ({"roles": {"buyer": "user", "product": "item"}}, (), "needs roles.timestamp"),
        ({"columns": {"user": "user", "item": "item", "at": "at", "bought": "x"}}, (),
         "there is a column of this name"),
        ({"columns": {"user": "user", "itm": "item", "at": "at"},
          "roles": {**TIMED, "product": "itm"}}, ("column",), 'Did you mean "itm"?'),
    ],
)  # fmt: skip
def test_a_history_that_cannot_be_is_told(changes: dict[str, Any], path: Any, told: str):
    ((where, reason),) = check_dataset(bought(**changes))
    assert where == ("histories", "bought", *path)
    assert told in reason


def test_a_list_of_a_table_is_a_repeated_column_of_text(tmp_path: Path):
    write_table(
        tmp_path / "t.parquet",
        "SELECT unnest(['u', 'v', 'w']) AS user, 'i' AS item, "
        "unnest([[3, 1, 3], [], NULL::INT[]]) AS seen",
    )
    definition = dataset(tables={"t": "t.parquet"})
    columns = ("user", "seen")
    assert read_rows(tmp_path, definition, None, columns) == [
        ("u", ["3", "1", "3"]), ("v", []), ("w", None),
    ]  # fmt: skip
    with prepared(tmp_path, definition) as (connection, found):
        facts = Measurement(connection, found.rows, ["seen"]).facts
        assert example_columns(found.rows, ("seen",))[0].repeated
    assert (facts.distinct["seen"], facts.values["seen"]) == (2, 1)


def test_a_list_cannot_be_filtered_or_be_part_of_a_key(tmp_path: Path):
    write_table(tmp_path / "t.parquet", "SELECT 'u' AS user, 'i' AS item, ['a'] AS seen")
    tables = {"t": "t.parquet"}
    filtered = dataset(tables=tables, filters=[{"column": "seen", "equals": "a"}])
    with pytest.raises(InvalidInput, match='column "seen" holds lists, which cannot be compared'):
        read_rows(tmp_path, filtered)
    keyed = dataset(tables=tables, roles={"buyer": "user", "product": "item", "row_key": ["seen"]})
    with pytest.raises(InvalidInput, match='Column "seen" of the row key holds lists'):
        read_rows(tmp_path, keyed)
