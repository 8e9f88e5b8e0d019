import tempfile
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.query.measuring import Measurement
from tests.engine.query.local_data import dataset, prepared, read_rows, write_table

ROWS = (
    "SELECT 'u' || i AS user, 'i' AS item, i AS n, i / 2.0 AS half, i % 2 = 0 AS even, "
    "['a', 'b', 'it''s'][1 + i % 3] AS kind, DATE '2024-01-01' + CAST(i AS INT) AS day, "
    "TIMESTAMP '2024-01-01' + to_hours(CAST(i * 12 AS INT)) AS at FROM range(10) r(i)"
)
"""Ten rows: n from 0, half = n / 2, day = 1 January + n, at every twelve hours."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_table(folder / "t.parquet", ROWS)
    write_table(folder / "t.csv", ROWS)
    return folder


def rows_left(root: Path, *filters: dict[str, Any], file: str = "t.parquet") -> list[int]:
    definition = dataset(tables={"t": file}, filters=filters)
    return [row[0] for row in read_rows(root, definition, None, ("n",))]


@pytest.mark.parametrize("file", ["t.parquet", "t.csv"])
@pytest.mark.parametrize(
    ("filter_", "left"),
    [
        ({"column": "n", "equals": 3}, [3]),
        ({"column": "n", "equals": "3"}, [3]),
        ({"column": "n", "in": [1, "2", 99]}, [1, 2]),
        ({"column": "n", "min": 7}, [7, 8, 9]),
        ({"column": "n", "min": 2, "max": 3.5}, [2, 3]),
        ({"column": "half", "max": 1}, [0, 1, 2]),
        ({"column": "half", "equals": 1.5}, [3]),
        ({"column": "even", "equals": False}, [1, 3, 5, 7, 9]),
        ({"column": "kind", "equals": "it's"}, [2, 5, 8]),
        ({"column": "kind", "in": ["a", "b"]}, [0, 1, 3, 4, 6, 7, 9]),
        ({"column": "kind", "min": "b", "max": "c"}, [1, 4, 7]),
        ({"column": "user", "equals": "u4"}, [4]),
        ({"column": "day", "start": "2024-01-09"}, [8, 9]),
        ({"column": "day", "start": "2024-01-03", "end": "2024-01-04"}, [2, 3]),
        ({"column": "day", "equals": "2024-01-03"}, [2]),
        ({"column": "day", "min": "2024-01-09"}, [8, 9]),
        ({"column": "at", "end": "2024-01-02"}, [0, 1, 2, 3]),
        ({"column": "at", "end": "2024-01-02 00:00:00"}, [0, 1, 2]),
        ({"column": "at", "start": "2024-01-02T02:00:00+02:00", "end": "2024-01-02"}, [2, 3]),
        ({"column": "at", "in": ["2024-01-01", "2024-01-05 12:00"]}, [0, 1, 9]),
        ({"column": "day", "last_days": 2}, [8, 9]),
        ({"column": "at", "last_days": 1}, [8, 9]),
        ({"column": "at", "last_days": 365}, list(range(10))),
    ],
)
def test_a_filter_keeps_the_rows_that_it_names(
    root: Path, file: str, filter_: dict[str, Any], left: list[int]
):
    assert rows_left(root, filter_, file=file) == left


def test_filters_are_joined_by_and_and_last_days_counts_from_the_newest_of_all_data(root: Path):
    assert rows_left(root, {"column": "n", "max": 8}, {"column": "day", "last_days": 3}) == [7, 8]


@pytest.mark.parametrize(
    ("filter_", "told"),
    [
        ({"column": "n", "equals": True}, "equals = true doesn't fit a column of whole numbers"),
        (
            {"column": "n", "equals": "five"},
            'equals = "five" doesn\'t fit a column of whole numbers',
        ),
        ({"column": "n", "min": "a"}, 'min = "a" doesn\'t fit a column of whole numbers.'),
        ({"column": "half", "equals": "1"}, 'equals = "1" doesn\'t fit a column of numbers.'),
        ({"column": "kind", "min": 3}, "min = 3 doesn't fit a column of text."),
        ({"column": "even", "equals": "yes"}, "doesn't fit a column of true or false."),
        ({"column": "day", "equals": "soon"}, '"soon" is no date and no time.'),
        ({"column": "kind", "last_days": 3}, 'Column "kind" is no timestamp'),
        ({"column": "knd", "equals": "a"}, 'has no column "knd". Did you mean "kind"?'),
    ],
)
def test_a_value_of_the_wrong_type_is_told(root: Path, filter_: dict[str, Any], told: str):
    with pytest.raises(InvalidInput) as refused:
        rows_left(root, filter_)
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ([{"column": "n", "min": 100}], "The filter n: min = 100 leaves no rows of 10."),
        (
            [{"column": "kind", "equals": "z"}, {"column": "day", "last_days": 3}],
            'The filter kind: equals = "z" leaves no rows of 3.',
        ),
        (
            [{"column": "n", "max": 1}, {"column": "n", "min": 2}],
            "The filter n: min = 2 leaves no rows of 2.",
        ),
    ],
)
def test_the_filter_that_leaves_nothing_is_named(
    root: Path, filters: list[dict[str, Any]], told: str
):
    definition = dataset(tables={"t": "t.parquet"}, filters=filters)
    with (
        prepared(root, definition) as (connection, found),
        pytest.raises(InvalidInput) as refused,
    ):
        Measurement(connection, found.rows, ())
    assert str(refused.value) == f"{told} Change its value, or take it out."


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        min_size=2,
        max_size=30,
        unique=True,
    )
)
def test_any_text_is_a_literal_and_nothing_else(values: list[str]):
    with tempfile.TemporaryDirectory() as folder:
        table = pyarrow.table({"user": ["u"] * len(values), "item": values})
        pyarrow.parquet.write_table(table, Path(folder) / "t.parquet")
        wanted = values[::2]
        filters = [{"column": "item", "in": wanted}]
        definition = dataset(tables={"t": "t.parquet"}, filters=filters)
        found = read_rows(Path(folder), definition, None, ("item",))
        assert sorted(row[0] for row in found) == sorted(wanted)
