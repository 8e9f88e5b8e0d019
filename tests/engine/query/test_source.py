import os
import tempfile
from pathlib import Path

import pytest
import sqlglot.expressions as exp
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InvalidInput
from engine.query.connection import open_duckdb, run
from engine.query.source import find_files, inspect_source
from engine.query.tables import inspect_table
from engine.query.types import kind_of
from tests.engine.query.local_data import dataset, read_rows, write_table


def refusal(path: Path) -> str:
    with open_duckdb() as connection, pytest.raises(InvalidInput) as refused:
        inspect_table(connection, "t", [path])
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "raw", "told"),
    [
        ("t.csv", b"", "is empty."),
        ("t.parquet", b"PAR1 and then nothing", "cannot be read: "),
        ("t.parquet", b"user,item\n1,2\n", "cannot be read: "),
        ("t.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8, "cannot be read: "),
        ("t.csv", "user,item\né,1\n".encode("latin-1"), "cannot be read: "),
        ("t.xlsx", b"PK", "is neither Parquet nor CSV by its name. Known endings are .parquet"),
        ("t", b"a,b", "is neither Parquet nor CSV by its name."),
    ],
)
def test_a_file_that_is_no_table_is_told_with_table_and_path(
    tmp_path: Path, name: str, raw: bytes, told: str
):
    path = tmp_path / name
    path.write_bytes(raw)
    message = refusal(path)
    assert message.startswith(f'Table "t": {path} ')
    assert told in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("u,i,3,4", "line 4 has 4 fields, but the header has 3."),
        ("u", "line 4 has 1 field, but the header has 3."),
    ],
)
def test_a_line_of_another_length_is_told_with_its_number(tmp_path: Path, line: str, told: str):
    lines = ["user,item,at", "u,i,1", '"u,1",i,2', line, *["u,i,4"] * 50]
    (tmp_path / "t.csv").write_text("\n".join(lines))
    assert told in refusal(tmp_path / "t.csv")


def test_a_truncated_parquet_file_is_told(tmp_path: Path):
    path = write_table(tmp_path / "t.parquet", "SELECT range AS user FROM range(10000)")
    path.write_bytes(path.read_bytes()[:-200])
    assert f'Table "t": {path} cannot be read: ' in refusal(path)


def test_a_file_damaged_in_the_middle_is_told_when_it_is_read(tmp_path: Path):
    path = write_table(tmp_path / "t.parquet", "SELECT md5(range::text) AS user FROM range(10000)")
    raw = bytearray(path.read_bytes())
    raw[1_000:3_000] = bytes(2_000)
    path.write_bytes(raw)
    with open_duckdb() as connection:
        table = inspect_table(connection, "t", [path])
        with pytest.raises(InvalidInput, match="The data cannot be read: "):
            run(connection, exp.select("*").from_(table.relation))


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("gone.csv", 'Table "t": there is no file '),
        ("gone/*.parquet", 'Table "t": no file matches '),
        ("folder", 'is a folder. Name its files, as "folder/*.parquet".'),
        ("x" * 5_000, "cannot be read: file name too long."),
        ("a\0*", 'Table "t": no file matches '),
        ("a\0b", 'Table "t": there is no file '),
    ],
)
def test_a_missing_file_is_told(tmp_path: Path, pattern: str, told: str):
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidInput) as refused:
        find_files("t", pattern, tmp_path)
    assert told in str(refused.value)


def test_a_glob_reads_all_of_its_files_with_one_schema(tmp_path: Path):
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "1.csv").write_text("user,item\n1,a\n")
    (tmp_path / "days" / "2.csv").write_text('item,user,more\n"b,c",x7,3\n')
    found = read_rows(tmp_path, dataset(tables={"t": "days/*.csv"}))
    assert found == [("1", "a"), ("x7", "b,c")]


def test_a_glob_of_two_formats_is_refused(tmp_path: Path):
    write_table(tmp_path / "1.csv", "SELECT 1 AS user")
    write_table(tmp_path / "1.parquet", "SELECT 1 AS user")
    with open_duckdb() as connection, pytest.raises(InvalidInput, match="mixes Parquet and CSV"):
        inspect_table(connection, "t", find_files("t", "1.*", tmp_path))


@pytest.mark.parametrize(
    "name",
    ["a*b.csv", "a[1].csv", "it's.csv", "a?.csv", "a{b,c}.csv", "é ü.csv", '"q".csv', "a\nb.csv"],
)
def test_a_file_name_is_never_a_pattern_or_sql(tmp_path: Path, name: str):
    (tmp_path / "a1.csv").write_text("user,item\nwrong,wrong\n")
    (tmp_path / "axb.csv").write_text("user,item\nwrong,wrong\n")
    (tmp_path / name).write_text("user,item\nu,i\n")
    assert read_rows(tmp_path, dataset(tables={"t": name})) == [("u", "i")]


def test_the_fingerprint_changes_with_path_size_and_time(tmp_path: Path):
    path = tmp_path / "t.csv"
    path.write_text("user,item\n1,2\n")
    seen: set[str] = set()

    def look(name: str = "t.csv") -> None:
        with open_duckdb() as connection:
            found = inspect_source(connection, dataset(tables={"t": name}), tmp_path)
            seen.add(found.fingerprint)

    look()
    look()
    assert len(seen) == 1
    os.utime(path, ns=(1, 1))
    look()
    path.write_text("user,item\n1,2\n3,4\n")
    look()
    path.rename(tmp_path / "u.csv")
    look("u.csv")
    assert len(seen) == 4


def test_nothing_may_be_installed_or_loaded_from_elsewhere():
    with open_duckdb() as connection:
        settings = dict(
            connection.execute(
                "SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%known%'"
            ).fetchall()
        )
    assert set(settings.values()) == {"false"}
    assert len(settings) == 2


@settings(max_examples=40, deadline=None)
@given(
    st.binary(max_size=400)
    | st.lists(st.sampled_from(["1", "x", '"', ",", "\n", "\r", "\t", "é", "\\", ";", "'"])).map(
        lambda parts: "".join(parts).encode()
    )
)
def test_a_file_of_anything_is_read_or_refused(raw: bytes):
    with tempfile.TemporaryDirectory() as folder, open_duckdb() as connection:
        for name in ("t.csv", "t.parquet"):
            path = Path(folder) / name
            path.write_bytes(b"user,item\n" + raw)
            try:
                table = inspect_table(connection, "t", [path])
                run(connection, exp.select("*").from_(table.relation))
            except InvalidInput:
                continue


@pytest.mark.parametrize(
    ("sql_type", "kind"),
    [
        ("BIGINT", "integer"), ("UTINYINT", "integer"), ("UBIGINT", "float"), ("HUGEINT", "float"),
        ("DECIMAL(18,3)", "float"), ("DOUBLE", "float"), ("FLOAT", "float"), ("BOOLEAN", "boolean"),
        ("VARCHAR", "text"), ("ENUM('a', 'b')", "text"), ("UUID", "text"), ("DATE", "time"),
        ("TIMESTAMP", "time"), ("TIMESTAMP WITH TIME ZONE", "time"), ("TIMESTAMP_NS", "time"),
        ("TIME", "other"), ("INTERVAL", "other"), ("BLOB", "other"), ("BIGINT[]", "list"),
        ("VARCHAR[3]", "list"), ("ARRAY<STRING>", "list"), ("DOUBLE[]", "other"),
        ("INTEGER[][]", "other"), ("STRUCT(a INTEGER)", "other"),
        ("MAP(VARCHAR, INTEGER)", "other"),
        ("INT64", "integer"), ("FLOAT64", "float"), ("STRING", "text"), ("DATETIME", "time"),
    ],
)  # fmt: skip
def test_types_are_sorted_into_kinds(sql_type: str, kind: str):
    assert kind_of(sql_type) == kind
