"""BigQuery's SQL against DuckDB's, and both against the specification written down in Python.

There is no BigQuery here. Its SQL is parsed as BigQuery's and run through sqlglot's translation to
DuckDB, which shows that both queries mean the same by sqlglot's knowledge of the two engines; and
whatever they differ in silently (MD5's type, CONCAT with NULL, halves, division) is asserted.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow
import pyarrow.parquet
import pytest
import sqlglot
import sqlglot.expressions as exp

from engine.definitions.models import DatasetDefinition
from engine.query.bigquery import bigquery_rows
from engine.query.connection import fetch_one
from engine.query.examples import Selection, examples_query
from engine.query.statement import dataset_sql
from engine.spec import SPLITS, Split
from tests.engine.query.local_data import dataset, hash_of, key_of, number_of, prepared, write_table
from tests.engine.query.translation import as_duckdb

DAY = 86_400_000_000
TIMED = {"buyer": "user", "product": "item", "timestamp": "at", "revenue": "price"}
TEXTS = ["a", "ü", "日本", "it's", "", " ", "a|b", "1:a", "-", "\\", '"', "007", "é", "é"]


def nasty_rows(count: int, seed: int) -> pyarrow.Table:
    """Return rows with nulls, unicode, negative numbers, times before 1970 and no numbers."""
    draw = random.Random(seed)

    def some(make: Any) -> list[Any]:
        return [None if draw.random() < 0.1 else make() for _ in range(count)]

    def moment() -> int:
        return draw.randrange(-40 * DAY, 40 * DAY)

    times = some(moment)
    return pyarrow.table(
        {
            "user": some(lambda: draw.randrange(-9, 9)),
            "item": pyarrow.array(some(lambda: draw.choice(TEXTS)), pyarrow.string()),
            "at": pyarrow.array(times, pyarrow.timestamp("us")),
            "nanos": pyarrow.array(
                some(lambda: draw.choice([12, -3]) * 10**17 + draw.randrange(-(10**6), 10**6)),
                pyarrow.int64(),
            ),
            "price": some(lambda: draw.choice([1.5, -2.25, 0.1, float("nan"), float("inf"), 1e9])),
            "yes": some(lambda: draw.random() < 0.5),
            "kind": some(lambda: draw.choice(["x", "y"])),
        }
    )


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    pyarrow.parquet.write_table(nasty_rows(400, seed=1), folder / "t.parquet")
    write_table(
        folder / "kinds.parquet", "SELECT 'x' AS kind, 'ex' AS name UNION ALL SELECT 'z', 'zet'"
    )
    return folder


def definition(**changes: Any) -> DatasetDefinition:
    return dataset(**{"tables": {"t": "t.parquet"}, "roles": TIMED, **changes})


def run_both(
    root: Path, wanted: DatasetDefinition, selection: Selection
) -> Iterator[tuple[list[Any], list[Any]]]:
    """Yield the rows of each split by DuckDB's query and by BigQuery's, in any order."""
    with prepared(root, wanted) as (connection, found):

        def ask(relation: Any, values: list[Any]) -> tuple[Any, ...]:
            return fetch_one(connection, exp.select(*values).from_(relation))

        there = bigquery_rows(found.rows, None, ask)
        aliases = list(found.rows.columns)
        for name, path in wanted.tables.items():
            connection.execute(f"CREATE TABLE {name} AS FROM '{root / path}'")
        local = examples_query(found.rows, aliases, selection).queries
        cloud = examples_query(there, aliases, selection).queries
        lists = {i for i, alias in enumerate(aliases) if found.rows.columns[alias].form == "ids"}
        for split in SPLITS:
            here = connection.execute(local[split]).fetchall()
            translated = [
                # BigQuery returns an empty list where DuckDB's ARRAY(SELECT …) is null.
                tuple([] if v is None and i in lists else v for i, v in enumerate(row))
                for row in connection.execute(as_duckdb(cloud[split])).fetchall()
            ]
            yield sorted(here, key=repr), sorted(translated, key=repr)


TIME_HOLDOUT = Split(kind="time-holdout", holdout_days=9)
STRICT = Split(kind="strict-time", train_days=50, val_days=15, test_days=10)


@pytest.mark.parametrize("split", [Split(), TIME_HOLDOUT, STRICT], ids=lambda s: s.kind)
@pytest.mark.parametrize("sample_by", ["buyer", "row"])
def test_both_choose_the_same_rows(root: Path, split: Split, sample_by: Literal["buyer", "row"]):
    selection = Selection(60, sample_by, split, 3, newest=39 * DAY)
    pairs = list(run_both(root, definition(), selection))
    assert all(local == cloud for local, cloud in pairs)
    assert all(local for local, _ in pairs)


@pytest.mark.parametrize(
    "changes",
    [
        {"filters": [{"of": "products", "top_percent": 35}]},
        {"filters": [{"of": "customers", "min_count": 7}, {"column": "at", "last_days": 30}]},
        {"filters": [{"of": "customers", "min_spend": 1000}, {"column": "kind", "in": ["x", "y"]}]},
        {"filters": [{"column": "price", "min": -3}, {"column": "yes", "equals": True}]},
        {"roles": {**TIMED, "timestamp": "nanos"}},
        {"histories": {"bought": {"column": "item", "last": 3}}},
        {"roles": {**TIMED, "row_key": ["user", "yes", "kind", "at"]}},
        {
            "tables": {"t": "t.parquet", "kinds": "kinds.parquet"},
            "joins": [{"table": "kinds", "on": {"kind": "kind"}}],
            "columns": {"user": "t.user", "item": "t.item", "at": "t.at", "price": "t.price",
                        "named": "kinds.name"},
        },
    ],
    ids=["top", "count", "spend", "values", "nanoseconds", "history", "key", "join"],
)  # fmt: skip
def test_both_read_filters_times_and_keys_alike(root: Path, changes: dict[str, Any]):
    pairs = list(run_both(root, definition(**changes), Selection(100, "buyer", Split(), 0)))
    assert all(local == cloud for local, cloud in pairs)
    assert sum(len(local) for local, _ in pairs) > 20


def test_duckdb_chooses_what_the_specification_says(root: Path):
    table = pyarrow.parquet.read_table(root / "t.parquet").to_pylist()
    expected: dict[str, list[tuple[str, int]]] = {name: [] for name in SPLITS}
    for row in table:
        if row["user"] is None or row["item"] is None:
            continue
        nanos = row["nanos"]
        key = key_of(str(row["user"]), row["item"], None if nanos is None else nanos // 1_000)
        if hash_of("sample", 5, str(row["user"])) >= 0.6 * 2**32:
            continue
        share = hash_of("split", 5, key) / 2**32
        name = "train" if share < 0.8 else "eval" if share < 0.95 else "test"
        expected[name].append((str(row["user"]), number_of(key)))
    timed = definition(roles={**TIMED, "timestamp": "nanos"})
    with prepared(root, timed) as (connection, found):
        queries = examples_query(found.rows, ["user"], Selection(60, "buyer", Split(), 5)).queries
        for name, query in queries.items():
            assert sorted(connection.execute(query).fetchall()) == sorted(expected[name])


def test_seconds_with_a_fraction_are_rounded_alike(tmp_path: Path):
    write_table(
        tmp_path / "t.parquet",
        "SELECT 'u' AS user, 'i' AS item, "
        "unnest([1e9, -1e9 - 1e-7, 1.5e9 + 1e-7, 'nan'::DOUBLE]) AS at",
    )
    wanted = dataset(
        tables={"t": "t.parquet"}, roles={"buyer": "user", "product": "item", "timestamp": "at"}
    )
    pairs = list(run_both(tmp_path, wanted, Selection(100, "buyer", Split(), 0)))
    assert all(local == cloud for local, cloud in pairs)
    times = {row[2] for local, _ in pairs for row in local}
    assert times == {10**15, -(10**15), 15 * 10**14, None}


def test_where_the_engines_differ_the_sql_says_what_is_meant(root: Path):
    sql = dataset_sql(definition(), root=root, dialect="bigquery", part="train")
    parsed = sqlglot.parse_one(sql, dialect="bigquery")
    assert "MD5(" not in sql.replace("TO_HEX(MD5(", "")
    assert all(isinstance(cast.to, exp.DataType) for cast in parsed.find_all(exp.Cast))
    assert "IS_NAN(" in sql
    assert "IS_INF(" in sql
    nanos = definition(roles={**TIMED, "timestamp": "nanos"})
    assert "DIV(`t`.`nanos`" in dataset_sql(nanos, root=root, dialect="bigquery").replace(
        "CAST(`t`.`nanos` AS INT64)", "`t`.`nanos`"
    )


def test_tables_have_the_names_that_the_dataset_gives_them(root: Path):
    assert "FROM `PROJECT`.`DATASET`.`t` AS `t`" in dataset_sql(
        definition(), root=root, dialect="bigquery"
    )
    source = {"project": "p-1", "dataset": "shop"}
    named = definition(bigquery=source)
    assert "FROM `p-1`.`shop`.`t` AS `t`" in dataset_sql(named, root=root, dialect="bigquery")
    for table, told in (("events", "`p-1`.`shop`.`events`"), ("q.x.e", "`q`.`x`.`e`")):
        named = definition(bigquery={**source, "tables": {"t": table}})
        assert f"FROM {told} AS `t`" in dataset_sql(named, root=root, dialect="bigquery")
    with duckdb.connect() as connection:
        shown = dataset_sql(definition(), root=root, part="test")
        assert connection.execute(shown).fetchall()
