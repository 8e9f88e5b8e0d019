"""Tables of SQLite and DuckDB files; whatever reads them later needs SQL and nothing else."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from pyarrow import parquet

from engine.definitions import Definitions
from engine.definitions.snapshot import Problem
from engine.errors import InvalidInput
from engine.query.examples import Selection, examples_query
from engine.query.source import unused_copies
from engine.spec import Split
from engine.workspace import Workspace
from tests.engine.query.local_data import dataset, prepared, read_rows

MIXED = [
    ("u1", 7, 1.5, "x", b"\x00", 1, None),
    ("u2", "b", 2, 3, b"\xff", 0, None),
    ("ü", 8, None, "y", None, None, None),
]


def make_sqlite(path: Path, rows: list[tuple[Any, ...]] = MIXED) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            'CREATE TABLE "my orders" (user TEXT, item INTEGER, price REAL, tag, raw, yes BOOLEAN, '
            "blank INTEGER)"
        )
        connection.executemany('INSERT INTO "my orders" VALUES (?, ?, ?, ?, ?, ?, ?)', rows)
        connection.execute('CREATE VIEW cheap AS SELECT user, item FROM "my orders" LIMIT 1')
        connection.commit()
    return path


def from_sqlite(table: str = "my orders", file: str = "shop.db", **changes: Any) -> Any:
    return dataset(tables={"t": f"{file}::{table}"}, **changes)


def test_a_sqlite_column_has_the_type_that_holds_all_its_values(tmp_path: Path):
    make_sqlite(tmp_path / "shop.db")
    with prepared(tmp_path, from_sqlite()) as (_, found):
        types = found.rows.tables["t"].types
    assert types == {
        "user": "VARCHAR", "item": "VARCHAR", "price": "DOUBLE", "tag": "VARCHAR", "raw": "BLOB",
        "yes": "BIGINT", "blank": "BIGINT",
    }  # fmt: skip
    columns = ("user", "item", "price", "tag", "yes")
    assert read_rows(tmp_path, from_sqlite(), None, columns) == [
        ("u1", "7", 1.5, "x", 1), ("u2", "b", 2.0, "3", 0), ("ü", "8", None, "y", None),
    ]  # fmt: skip


def test_a_view_and_a_glob_of_databases_are_tables_too(tmp_path: Path):
    make_sqlite(tmp_path / "a.sqlite")
    make_sqlite(tmp_path / "b.sqlite", [("v", "z", 1, 1, b"", 1, 1)])
    assert read_rows(tmp_path, from_sqlite("cheap", "a.sqlite")) == [("u1", "7")]
    found = read_rows(tmp_path, from_sqlite("cheap", "*.sqlite"))
    assert found == [("u1", "7"), ("v", "z")]


def test_the_queries_run_without_the_database(tmp_path: Path):
    path = make_sqlite(tmp_path / "shop.db")
    with prepared(tmp_path, from_sqlite()) as (_, found):
        queries = examples_query(
            found.rows, ("user", "item"), Selection(100, "buyer", Split(), 0)
        ).queries
    path.unlink()
    with duckdb.connect() as connection:
        rows = [row[:2] for q in queries.values() for row in connection.execute(q).fetchall()]
    assert sorted(rows) == [("u1", "7"), ("u2", "b"), ("ü", "8")]


def test_a_change_is_seen_even_while_it_is_in_the_write_ahead_log(tmp_path: Path):
    path = make_sqlite(tmp_path / "shop.db")
    with prepared(tmp_path, from_sqlite()) as (_, first):
        pass
    with closing(sqlite3.connect(path)) as writer:
        writer.execute("PRAGMA journal_mode = wal")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("INSERT INTO \"my orders\" (user, item) VALUES ('new', 1)")
        writer.commit()
        with prepared(tmp_path, from_sqlite()) as (_, second):
            pass
        assert ("new", "1") in read_rows(tmp_path, from_sqlite())
    assert first.fingerprint != second.fingerprint
    assert [Path(file.path).name for file in second.files] == ["shop.db", "shop.db-wal"]
    copies = list((tmp_path / ".towerlab" / "tables").iterdir())
    assert len(copies) == 1


def test_a_duckdb_table_is_read_with_its_types(tmp_path: Path):
    with duckdb.connect(str(tmp_path / "shop.duckdb")) as connection:
        connection.execute(
            "CREATE TABLE orders AS SELECT 'u' AS user, 7 AS item, ['a', 'b'] AS seen"
        )
    definition = dataset(tables={"t": "shop.duckdb::orders"})
    found = read_rows(tmp_path, definition, None, ("user", "item", "seen"))
    assert found == [("u", "7", ["a", "b"])]


def refusal(root: Path, tables: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        read_rows(root, dataset(tables={"t": tables}))
    return str(refused.value)


def test_what_is_no_table_of_a_database_is_told(tmp_path: Path):
    make_sqlite(tmp_path / "shop.db")
    (tmp_path / "t.csv").write_text("user,item\nu,i\n")
    told = refusal(tmp_path, "shop.db::my order")
    assert told == f'{tmp_path}/shop.db has no table "my order". Did you mean "my orders"?'
    told = refusal(tmp_path, "shop.db")
    assert "is a database; it has the tables cheap, my orders." in told
    assert 'Name one, as "shop.db::cheap".' in told
    assert "is neither a DuckDB nor a SQLite database" in refusal(tmp_path, "t.csv::x")
    assert "there is no file" in refusal(tmp_path, "gone.db::x")


def test_a_damaged_database_is_told(tmp_path: Path):
    (tmp_path / "bad.db").write_bytes(b"SQLite format 3\0" + b"rubbish" * 100)
    (tmp_path / "bad.duckdb").write_bytes(b"12345678DUCK" + b"rubbish" * 1000)
    assert "bad.db cannot be read: file is not a database" in refusal(tmp_path, "bad.db::x")
    assert "bad.duckdb cannot be read" in refusal(tmp_path, "bad.duckdb::x")


def test_a_locked_database_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("engine.query.databases.LOCK_SECONDS", 0.1)
    path = make_sqlite(tmp_path / "shop.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        told = refusal(tmp_path, "shop.db::my orders")
    assert "cannot be read: database is locked" in told
    assert "Another program is writing to it" in told


def test_copies_that_no_dataset_names_are_unused_unless_a_definition_is_wrong(tmp_path: Path):
    make_sqlite(tmp_path / "shop.db")
    for table in ("my orders", "cheap"):
        read_rows(tmp_path, from_sqlite(table), None, ("user",))
    workspace = Workspace(tmp_path)
    named = Definitions(datasets={"d": from_sqlite("cheap")})
    (unused,) = unused_copies(named, workspace)
    assert parquet.read_table(unused).num_rows == len(MIXED)
    wrong = Problem(file="datasets.toml", line=1, key="datasets.e", reason="is wrong")
    assert unused_copies(replace(named, problems=(wrong,)), workspace) == []
