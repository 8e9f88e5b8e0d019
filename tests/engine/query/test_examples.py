"""The same rows in DuckDB and in a computation of our own with hashlib."""

from pathlib import Path
from typing import Any, Literal

import duckdb
import pytest
import sqlglot
import sqlglot.expressions as exp
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definitions.models import DatasetDefinition
from engine.errors import InvalidInput
from engine.query.examples import Selection, example_columns, examples_query
from engine.query.hashing import key_text, row_number, salted_hash
from engine.query.preparation import form_rows
from engine.query.tables import bigquery_table
from engine.spec import SPLITS, Column, Split
from tests.engine.query.local_data import (
    dataset,
    features,
    hash_of,
    key_of,
    number_of,
    prepared,
    write_table,
)

DAY = 86_400_000_000
START = 1_704_067_200_000_000
WITH_TIME = {"roles": {"buyer": "user", "product": "item", "timestamp": "at"}}
EVENTS = (
    "SELECT 'u' || (i % 40) AS user, 'i' || (i * 7 % 60) AS item, i * 1.5 AS price, "
    "TIMESTAMP '2024-01-01' + to_hours(CAST(i AS INT)) AS at FROM range(600) r(i)"
)


def run(root: Path, definition: DatasetDefinition, selection: Selection) -> dict[str, list[Any]]:
    columns = ("user", "item", *(["at"] if definition.roles.timestamp else []), "price")
    with prepared(root, definition, features("price")) as (connection, found):
        queries = examples_query(found.rows, columns, selection).queries
        return {name: connection.execute(query).fetchall() for name, query in queries.items()}


def events() -> list[tuple[str, str, int, float]]:
    hours = 3_600_000_000
    return [(f"u{i % 40}", f"i{i * 7 % 60}", START + i * hours, i * 1.5) for i in range(600)]


def test_random_split_is_the_hash_of_the_row_key_80_15_5(tmp_path: Path):
    write_table(tmp_path / "t.csv", EVENTS)
    found = run(tmp_path, dataset(**WITH_TIME), Selection(100, "buyer", Split(), 3))
    expected: dict[str, list[Any]] = {name: [] for name in SPLITS}
    for user, item, at, price in events():
        key = key_of(user, item, at)
        share = hash_of("split", 3, key) / 2**32
        name = "train" if share < 0.8 else "eval" if share < 0.95 else "test"
        expected[name].append((user, item, at, price, number_of(key)))
    for name in SPLITS:
        assert sorted(found[name]) == sorted(expected[name])
    assert sum(len(rows) for rows in found.values()) == 600


def test_rows_are_split_by_the_columns_of_the_row_key(tmp_path: Path):
    write_table(tmp_path / "t.csv", EVENTS)
    definition = dataset(roles={**WITH_TIME["roles"], "row_key": ["item"]})
    found = run(tmp_path, definition, Selection(100, "buyer", Split(), 3))
    for name in SPLITS:
        for _, item, _, _, number in found[name]:
            assert number == number_of(key_of(item))
            share = hash_of("split", 3, key_of(item)) / 2**32
            assert name == ("train" if share < 0.8 else "eval" if share < 0.95 else "test")


@pytest.mark.parametrize("sample_by", ["buyer", "row"])
def test_the_sample_is_the_hash_of_the_buyer_or_the_row(
    tmp_path: Path, sample_by: Literal["buyer", "row"]
):
    write_table(tmp_path / "t.csv", EVENTS)
    found = run(tmp_path, dataset(**WITH_TIME), Selection(30, sample_by, Split(), 7))
    sampled = {row[:3] for rows in found.values() for row in rows}
    units = {row[:3]: row[0] if sample_by == "buyer" else key_of(*row[:3]) for row in events()}
    assert sampled == {row for row, u in units.items() if hash_of("sample", 7, u) < 0.3 * 2**32}
    assert 0 < len(sampled) < 600


def test_a_sample_is_split_like_the_whole(tmp_path: Path):
    """One hash for both would put a whole 30% sample into train."""
    write_table(tmp_path / "t.csv", EVENTS)
    found = run(tmp_path, dataset(**WITH_TIME), Selection(30, "row", Split(), 0))
    total = sum(len(rows) for rows in found.values())
    assert 0.7 < len(found["train"]) / total < 0.9
    assert found["eval"]
    assert found["test"]


def test_time_holdout_tests_on_the_last_days(tmp_path: Path):
    write_table(tmp_path / "t.csv", EVENTS)
    newest = START + 599 * DAY // 24
    selection = Selection(
        100, "buyer", Split(kind="time-holdout", holdout_days=5), 1, newest=newest
    )
    found = run(tmp_path, dataset(**WITH_TIME), selection)
    assert {row[2] for row in found["test"]} == {newest - h * DAY // 24 for h in range(120)}
    for user, item, at, price in events()[:-120]:
        key = key_of(user, item, at)
        name = "train" if hash_of("split", 1, key) < 0.8 * 2**32 else "eval"
        assert (user, item, at, price, number_of(key)) in found[name]


def test_strict_time_takes_consecutive_windows_and_leaves_older_rows_out(tmp_path: Path):
    write_table(tmp_path / "t.csv", EVENTS)
    newest = START + 599 * DAY // 24
    split = Split(kind="strict-time", train_days=4, val_days=2, test_days=1)
    found = run(tmp_path, dataset(**WITH_TIME), Selection(100, "buyer", split, 0, newest=newest))
    hours = {
        name: sorted((newest - row[2]) * 24 // DAY for row in rows) for name, rows in found.items()
    }
    assert hours == {
        "test": list(range(24)),
        "eval": list(range(24, 72)),
        "train": list(range(72, 168)),
    }


def test_equal_keys_stay_together(tmp_path: Path):
    write_table(
        tmp_path / "t.csv",
        "SELECT 'u' || (i % 5) AS user, 'i' || (i % 5) AS item, i AS price FROM range(500) r(i)",
    )
    selection = Selection(100, "buyer", Split(), 4)
    found = run(tmp_path, dataset(), selection)
    keys = {name: {row[0] for row in rows} for name, rows in found.items()}
    assert sum(len(users) for users in keys.values()) == 5
    assert all(len(rows) == 100 * len(keys[name]) for name, rows in found.items())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
            st.none() | st.integers(-(2**63), 2**63 - 1),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(0, 2**31 - 1),
)
def test_keys_hash_the_same_in_duckdb_and_in_python(
    rows: list[tuple[str, str, int | None]], seed: int
):
    parts = [exp.column("a"), exp.column("b"), exp.cast(exp.column("c"), "TEXT")]
    query = exp.select(
        key_text(parts), row_number(key_text(parts)), salted_hash("split", seed, key_text(parts))
    ).from_("t")
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE t(a TEXT, b TEXT, c BIGINT)")
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        found = connection.execute(query.sql("duckdb")).fetchall()
    for row, (key, number, hashed) in zip(rows, found, strict=True):
        assert key == key_of(*row)
        assert number == number_of(key)
        assert int(hashed, 16) == hash_of("split", seed, key)


@given(
    st.lists(st.none() | st.text(max_size=4), min_size=2, max_size=2),
    st.lists(st.none() | st.text(max_size=4), min_size=2, max_size=2),
)
def test_the_text_of_a_key_is_injective(first: list[str | None], second: list[str | None]):
    assert (key_of(*first) == key_of(*second)) == (first == second)


@pytest.mark.parametrize("value", ["{SPAN}", "{YYYY}", "@span_yyyymmdd_utc"])
def test_what_tfx_would_replace_is_refused(tmp_path: Path, value: str):
    write_table(tmp_path / "t.csv", EVENTS)
    definition = dataset(**WITH_TIME, filters=[{"column": "user", "in": ["u1", value]}])
    with pytest.raises(InvalidInput, match="which TFX would replace"):
        run(tmp_path, definition, Selection(100, "buyer", Split(), 0))


def test_the_same_dataset_renders_for_bigquery():
    definition = dataset(
        **WITH_TIME,
        joins=[{"table": "items", "on": {"item": "id"}}],
        tables={"t": "project.data.events", "items": "project.data.items"},
        columns={"user": "t.user", "item": "t.item", "at": "t.at", "price": "items.price"},
        filters=[{"column": "at", "last_days": 30}, {"column": "price", "min": 1}],
    )
    events = {"user": "INT64", "item": "STRING", "at": "TIMESTAMP"}
    tables = {
        "t": bigquery_table("t", "project.data.events", events),
        "items": bigquery_table(
            "items", "project.data.items", {"id": "STRING", "price": "NUMERIC"}
        ),
    }
    rows = form_rows(
        definition, features("price"), tables, lambda *_: (START + 40 * DAY,), "bigquery"
    )
    queries = examples_query(
        rows, ("user", "item", "at", "price"), Selection(10, "buyer", Split(), 0)
    ).queries
    assert list(queries) == list(SPLITS)
    for query in queries.values():
        parsed = sqlglot.parse_one(query, dialect="bigquery")
        assert all(name.quoted for name in parsed.find_all(exp.Identifier))
        assert "FROM `project`.`data`.`events` AS `t`" in query
        assert "LEFT JOIN `project`.`data`.`items` AS `items` ON `t`.`item` = `items`.`id`" in query
        assert "UNIX_MICROS(CAST(`t`.`at` AS TIMESTAMP))" in query
        assert f"> {START + 10 * DAY}" in query
        assert "SUBSTRING(TO_HEX(MD5(CONCAT('sample|0|', `user`))), 1, 8) < '1999999a'" in query
        assert "ORDER BY" not in query
    assert example_columns(rows, ("user", "at", "price")) == (
        Column(name="user", type="STRING"),
        Column(name="at", type="INT64"),
        Column(name="price", type="FLOAT"),
        Column(name="row_key", type="INT64"),
    )
