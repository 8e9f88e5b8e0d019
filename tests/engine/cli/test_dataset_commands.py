"""`datasets summary|sql`."""

import sqlite3
from contextlib import closing

import duckdb
import pytest
import sqlglot

from tests.engine.cli.command import Command


def test_a_summary_is_a_table_and_one_json_object(empty: Command):
    shown = empty("datasets", "summary", "ratings")
    assert shown.code == 0, shown.err
    assert "Rows" in shown.out
    assert "300" in shown.out
    assert "rating" in shown.out
    found = empty("datasets", "summary", "ratings", "--json").json
    assert found["rows"] == 300
    columns = {column["name"]: column for column in found["columns"]}
    assert columns["rating"]["minimum"] < columns["rating"]["mean"] < columns["rating"]["maximum"]
    assert sum(top["rows"] for top in columns["user"]["top"]) <= 300


def test_the_sql_runs_and_bigquerys_says_what_is_missing(empty: Command):
    shown = empty("datasets", "sql", "ratings")
    with duckdb.connect() as connection:
        assert len(connection.execute(shown.out).fetchall()) == 300
        split = [
            len(connection.execute(empty("datasets", "sql", "ratings", "--rows", s).out).fetchall())
            for s in ("train", "eval", "test")
        ]
    assert sum(split) == 300
    cloud = empty("datasets", "sql", "ratings", "--dialect", "bigquery")
    sqlglot.parse_one(cloud.out, dialect="bigquery")
    assert "`PROJECT`.`DATASET`.`ratings`" in cloud.out
    assert "PROJECT and DATASET are placeholders" in cloud.err
    found = empty("datasets", "sql", "ratings", "--dialect", "bigquery", "--json").json
    assert (found["dialect"], found["rows"]) == ("bigquery", None)
    assert found["sql"] in cloud.out


@pytest.mark.parametrize(
    "split",
    [
        ("time-holdout", "--holdout-days", "3"),
        ("strict-time", "--train-days", "6", "--val-days", "2", "--test-days", "2"),
    ],
)
def test_the_sql_of_a_split_by_time_holds_the_days_it_names(empty: Command, split: tuple[str, ...]):
    times: dict[str, list[int]] = {}
    with duckdb.connect() as connection:
        for part in ("train", "test"):
            sql = empty("datasets", "sql", "ratings", "--rows", part, "--split", *split).out
            rows = connection.execute(f'SELECT "at" FROM ({sql})').fetchall()
            times[part] = [at for (at,) in rows]
    day = 86_400_000_000
    assert max(times["train"]) <= min(times["test"])
    assert max(times["test"]) - min(times["test"]) <= int(split[-1]) * day


def test_a_split_without_its_part_or_its_days_is_refused(empty: Command):
    lacking = empty("datasets", "sql", "ratings", "--rows", "test", "--split", "time-holdout")
    assert (lacking.code, "--holdout-days N" in lacking.err) == (2, True)
    all_rows = empty("datasets", "sql", "ratings", "--split", "time-holdout", "--holdout-days", "3")
    assert (all_rows.code, "--rows train" in all_rows.err) == (2, True)


def test_a_bigquery_source_gives_the_tables_their_names(empty: Command):
    definitions = empty.folder / "definitions" / "datasets.toml"
    source = '\n[datasets.ratings.bigquery]\nproject = "p-1"\ndataset = "shop"\n'
    definitions.write_text(definitions.read_text() + source)
    cloud = empty("datasets", "sql", "ratings", "--dialect", "bigquery")
    assert "FROM `p-1`.`shop`.`ratings`" in cloud.out
    assert cloud.err == ""


def test_what_is_wrong_is_told_with_file_line_and_key(empty: Command):
    missing = empty("datasets", "summary", "rating")
    assert (missing.code, missing.out) == (2, "")
    assert 'Did you mean "ratings"?' in missing.err
    definitions = empty.folder / "definitions" / "datasets.toml"
    with closing(sqlite3.connect(empty.folder / "shop.db")) as connection:
        connection.execute("CREATE TABLE orders (x)")
    definitions.write_text(definitions.read_text().replace("ratings.csv", "shop.db::order"))
    told = empty("datasets", "sql", "ratings")
    assert told.code == 2
    assert "definitions/datasets.toml:" in told.err
    assert "datasets.ratings.tables.ratings:" in told.err
    assert 'Did you mean "orders"?' in told.err


@pytest.mark.parametrize("width", [None, "60", "100"])
def test_what_is_piped_has_no_spaces_at_the_ends_of_its_lines(empty: Command, width: str | None):
    shown = empty("datasets", "summary", "ratings", env={"COLUMNS": width}).out.splitlines()
    assert max(map(len, shown)) <= int(width or 10_000)
    assert not [line for line in shown if line.endswith(" ")]


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        ("31198437603", "41481282915", "31,198,437,603 to 41,481,282,915, mean 36,339,860,259"),
        ("0.25", "1234567.75", "0.25 to 1,234,568, mean 617,284"),
        ("1", "1e20", "1 to 1e+20, mean 5e+19"),
    ],
)
def test_numbers_are_shown_whole_where_people_can_read_them(
    empty: Command, low: str, high: str, shown: str
):
    rows = "".join(f"u{i},i{i % 7},{low}\nu{i},i{i % 5},{high}\n" for i in range(30))
    (empty.folder / "ratings.csv").write_text(f"user,item,rating\n{rows}")
    definitions = empty.folder / "definitions" / "datasets.toml"
    kept = [line for line in definitions.read_text().splitlines() if line[:2] not in {"at", "ti"}]
    definitions.write_text("\n".join(kept))
    done = empty("datasets", "summary", "ratings")
    assert shown in done.out, done.err + done.out


def test_validate_tells_a_join_that_makes_more_rows(empty: Command):
    (empty.folder / "shops.csv").write_text("user,shop\n" + "u1,a\nu1,b\nu1,c\nu2,a\n")
    definitions = empty.folder / "definitions" / "datasets.toml"
    text = definitions.read_text()
    joined = '[[datasets.ratings.joins]]\ntable = "shops"\non = { user = "user" }\n\n'
    text = text.replace("tables]\n", 'tables]\nshops = "shops.csv"\n')
    definitions.write_text(
        text.replace("[datasets.ratings.columns]", f"{joined}[datasets.ratings.columns]")
    )
    rows = (empty.folder / "ratings.csv").read_text().splitlines()[1:]
    joined_rows = 300 + 2 * sum(row.startswith("u1,") for row in rows)
    told = (
        'Dataset "ratings": Table "shops" has several rows of the same key: joining it makes '
        f"{joined_rows} rows of 300 ({joined_rows / 300:.3g}x)."
    )
    done = empty("datasets", "validate")
    assert done.code == 0
    assert done.out == "1 dataset, all valid.\n"
    assert told in " ".join(done.err.split())
    (warning,) = empty("datasets", "validate", "--json").json["warnings"]
    assert warning.startswith(told)
