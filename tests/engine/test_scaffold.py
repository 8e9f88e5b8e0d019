import csv
import re
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engine.errors import InvalidInput, NotFound
from engine.scaffold import Scaffold, scaffold
from engine.scaffold.roles import words
from tests.sample_data import write_groceries, write_ratings


def definitions(root: Path, kind: str) -> dict[str, dict[str, Any]]:
    return tomllib.loads((root / "definitions" / f"{kind}.toml").read_text())[kind]


def write_csv(path: Path, header: list[str], rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def columns_of(made: Scaffold, side: str) -> list[str]:
    return [f.column for f in getattr(made.feature_configs[0], side)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "workspace"


@pytest.mark.parametrize("rows", [50, 2_000])
def test_a_file_of_ratings_becomes_a_workspace(tmp_path: Path, rows: int) -> None:
    file = write_ratings(tmp_path / "ratings.csv", rows)
    made = scaffold([file], tmp_path, given={"target": "rating"})
    assert made.roles.buyer == "user"
    assert made.roles.product == "item"
    assert made.roles.timestamp == "at"
    dataset = definitions(tmp_path, "datasets")["ratings"]
    assert dataset["tables"] == {"ratings": "ratings.csv"}
    assert dataset["roles"] == {"buyer": "user", "product": "item", "timestamp": "at"}
    features = definitions(tmp_path, "features")
    assert set(features) == {"basic", "rated"}
    assert "target" not in features["basic"]
    assert features["rated"]["target"] == {"column": "rating", "normalize": True}
    assert set(definitions(tmp_path, "models")) == {
        f"{model_type}-{preset}"
        for model_type in ("retrieval", "ranking", "multitask")
        for preset in ("sum", "minimal", "standard", "deep", "asymmetric", "regularized")
    } | {"retrieval-sum-history"}


def models_of_sales(folder: Path, products: int) -> dict[str, dict[str, Any]]:
    """Return what `init` writes for 400 sales of so many products to 20 buyers."""
    rows: list[list[object]] = [[f"u{i % 20}", f"p{i % products}", i] for i in range(400)]
    scaffold([write_csv(folder / "sales.csv", ["user", "item", "at"], rows)], folder)
    return definitions(folder, "models")


def test_where_products_are_bought_again_the_buyers_own_history_is_a_model_to_compare_with(
    tmp_path: Path,
) -> None:
    first, second, *_ = models_of_sales(tmp_path, products=5).items()
    assert first[0] == "retrieval-sum"
    assert first[1]["retrieval"] == {"temperature": 0.12, "softmax_group": 256}
    assert second[0] == "retrieval-sum-history"
    assert second[1]["retrieval"] == {
        "temperature": 0.3,
        "softmax_group": 256,
        "popularity_weight": 1.5,
        "own_history": True,
        "own_history_weight": 20.0,
    }
    assert (first[1]["output_dim"], second[1]["output_dim"]) == (256, 128)
    same = {"type": "retrieval", "combine": "sum", "row_wise": True}
    assert first[1].items() >= same.items() <= second[1].items()


def test_where_products_are_not_bought_again_history_is_no_model(tmp_path: Path) -> None:
    written = models_of_sales(tmp_path, products=10_000)
    assert written["retrieval-sum"]["combine"] == "sum"
    assert written["retrieval-sum"]["retrieval"] == {"temperature": 0.3, "softmax_group": 256}
    assert "retrieval-sum-history" not in written


def test_files_outside_the_workspace_are_named_by_absolute_path(tmp_path: Path, root: Path) -> None:
    file = write_ratings(tmp_path / "ratings.csv", 50)
    scaffold([file], root)
    assert definitions(root, "datasets")["ratings"]["tables"] == {"ratings": str(file)}


def test_the_files_of_a_shop_are_joined_by_their_keys(tmp_path: Path) -> None:
    folder = write_groceries(tmp_path / "shop")
    made = scaffold([folder], tmp_path)
    assert made.dataset.name == "shop"
    assert made.dataset.primary == "transactions"
    assert {j.table: j.on for j in made.dataset.joins} == {
        "products": {"product_id": "product_id"},
        "demographics": {"household_id": "household_id"},
    }
    assert columns_of(made, "buyer") == ["household_id", "age"]
    assert columns_of(made, "product") == ["product_id", "department", "product_category"]
    assert made.roles.revenue == "sales_value"
    assert "row to row" in made.left_out["quantity"]


def test_a_column_belongs_to_the_tower_whose_id_determines_it(tmp_path: Path, root: Path) -> None:
    rows = [
        [f"u{i % 20}", f"p{i % 33}", ["F", "M"][i % 20 % 2], f"genre {i % 33 % 4}", i % 33 * 2.5, i]
        for i in range(400)
    ]
    header = ["user", "item", "gender", "genre", "weight", "position"]
    made = scaffold([write_csv(tmp_path / "x.csv", header, rows)], root)
    assert columns_of(made, "buyer") == ["user", "gender"]
    assert columns_of(made, "product") == ["item", "genre", "weight"]
    assert made.feature_configs[0].product[2].data_type == "numeric"
    assert set(made.left_out) == {"position"}


def test_headers_may_hold_anything(tmp_path: Path, root: Path) -> None:
    header = ['us"er', "select", "at", "a b", "A-B", "row_key", "x'); DROP TABLE t; --", "ünï.côde"]
    rows = [
        [f"u{i % 9}", f"i{i % 13}", f"2024-01-{1 + i % 28:02}", i % 13, i % 9, i, i % 13 % 2, "x"]
        for i in range(200)
    ]
    file = write_csv(tmp_path / "hostile [1]*.csv", header, rows)
    made = scaffold([file], root, given={"buyer": 'us"er', "product": "select", "timestamp": "at"})
    columns = definitions(root, "datasets")["hostile_1"]["columns"]
    assert isinstance(columns, dict)
    assert sorted(str(v).removeprefix("hostile_1.") for v in columns.values()) == sorted(header)
    assert all(name.isidentifier() for name in columns)
    assert len({name.lower() for name in columns}) == len(header)
    assert "row_key" not in columns
    assert made.dataset.roles.product == "select"
    # The path is a glob that finds the one file.
    (source,) = made.dataset.tables.values()
    found = duckdb.connect().execute("SELECT file FROM glob(?)", [source]).fetchall()
    assert found == [(str(file),)]


@pytest.mark.parametrize("written_out", [True, False])
def test_a_glob_is_one_table_whoever_resolves_it(
    tmp_path: Path, root: Path, written_out: bool
) -> None:
    folder = tmp_path / "sales"
    folder.mkdir()
    files = [write_ratings(folder / f"part-{part}.csv", 60, seed=part) for part in range(3)]
    (folder / "readme.txt").write_text("none of them")
    made = scaffold(files if written_out else [folder / "*.csv"], root)
    assert made.dataset.tables == {"sales": f"{folder}/*.csv"}
    assert made.tables[0].rows == 180
    some = scaffold(files[:2], root)
    assert some.left_out["part_1"].startswith("table not joined: it is like part_0; a folder or a")
    with pytest.raises(NotFound, match=r"No file matches .*sales/\*\.parquet"):
        scaffold([folder / "*.parquet"], root)


def test_alike_files_of_a_folder_are_one_table(tmp_path: Path, root: Path) -> None:
    folder = tmp_path / "2024 sales"
    folder.mkdir()
    for part in range(3):
        write_ratings(folder / f"part-{part}.csv", 60, seed=part)
    made = scaffold([folder], root)
    assert made.dataset.tables == {"data_2024_sales": f"{folder}/*.csv"}
    assert made.tables[0].rows == 180


def test_nothing_that_exists_is_changed(tmp_path: Path) -> None:
    first = write_ratings(tmp_path / "ratings.csv", 60)
    scaffold([first], tmp_path)
    features = tmp_path / "definitions" / "features.toml"
    features.write_text("# mine\n" + features.read_text().replace("dim = 8", "dim = 12"))
    before = {f: f.read_text() for f in tmp_path.rglob("*.toml")}
    again = scaffold([first], tmp_path)
    assert not again.created
    assert "definitions/features.toml: basic" in again.kept
    assert {f: f.read_text() for f in tmp_path.rglob("*.toml")} == before


def test_other_data_gets_names_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    scaffold([write_ratings(tmp_path / "ratings.csv", 60)], tmp_path)
    text = (tmp_path / "definitions" / "features.toml").read_text()
    made = scaffold([write_ratings(tmp_path / "b" / "ratings.csv", 60)], tmp_path)
    assert made.dataset.name == "ratings_2"
    assert made.feature_configs[0].name == "ratings_2-basic"
    assert made.feature_configs[0].dataset == "ratings_2"
    assert set(definitions(tmp_path, "datasets")) == {"ratings", "ratings_2"}
    assert (tmp_path / "definitions" / "features.toml").read_text().startswith(text)


def test_an_id_that_cannot_be_guessed_is_asked_for_or_named(tmp_path: Path, root: Path) -> None:
    file = write_csv(
        tmp_path / "x.csv", ["a", "b", "n"], [[i % 7, i % 5, i / 2] for i in range(60)]
    )
    with pytest.raises(InvalidInput, match="--buyer with one of: a, b"):
        scaffold([file], root)
    assert not root.exists()
    asked: list[tuple[str, list[str]]] = []

    def choose(role: str, table: object, candidates: list[str]) -> str:
        asked.append((role, candidates))
        return candidates[0]

    made = scaffold([file], root, choose=choose)
    assert asked == [("buyer", ["a", "b"]), ("product", ["b"])]
    assert (made.roles.buyer, made.roles.product) == ("a", "b")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"buyer": "usr"}, 'no column "usr"'),
        ({"timestamp": "when"}, 'no column "when"'),
        ({"target": "title"}, "can't be the target"),
        ({"buyer": "item", "product": "item"}, "both the buyer and the product"),
    ],
)
def test_a_wrong_column_is_refused_in_a_sentence(
    tmp_path: Path, root: Path, given: dict, complaint: str
) -> None:
    with pytest.raises(InvalidInput, match=complaint):
        scaffold([write_ratings(tmp_path / "ratings.csv", 60)], root, given=given)
    assert not root.exists()


def test_a_column_without_values_or_with_one_plays_no_part(tmp_path: Path, root: Path) -> None:
    duckdb.sql(
        "SELECT i % 20 AS user_id, i % 9 AS item_id, NULL::DOUBLE AS revenue, 1.0 AS price, "
        "3 AS rating, i % 4 AS score FROM range(200) r(i)"
    ).write_parquet(str(tmp_path / "sales.parquet"))
    roles = scaffold([tmp_path / "sales.parquet"], root).roles
    assert (roles.revenue, roles.target) == (None, "score")
    with pytest.raises(InvalidInput, match=r"can't be the revenue: it holds no values\.$"):
        scaffold([tmp_path / "sales.parquet"], root, given={"revenue": "revenue"})


def test_what_cannot_be_read_is_refused(tmp_path: Path, root: Path) -> None:
    with pytest.raises(NotFound, match="does not exist"):
        scaffold([tmp_path / "missing.csv"], root)
    (tmp_path / "empty.csv").write_text("user,item\n")
    with pytest.raises(InvalidInput, match="has no rows"):
        scaffold([tmp_path / "empty.csv"], root)
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 this is none")
    with pytest.raises(InvalidInput, match=r"broken\.parquet cannot be read"):
        scaffold([tmp_path / "broken.parquet"], root)
    (tmp_path / "folder").mkdir()
    with pytest.raises(NotFound, match=r"holds no \.parquet"):
        scaffold([tmp_path / "folder"], root)


def test_a_broken_definition_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "definitions").mkdir()
    broken = tmp_path / "definitions" / "features.toml"
    broken.write_text("[features.basic\n")
    with pytest.raises(InvalidInput, match=r"features\.toml can't be read"):
        scaffold([write_ratings(tmp_path / "ratings.csv", 60)], tmp_path)
    assert broken.read_text() == "[features.basic\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("userId", ["user", "id"]),
        ("household_id", ["household", "id"]),
        ("CUSTOMERID", ["customer", "id"]),
        ("product-key", ["product", "key"]),
        ("paid", ["paid"]),
    ],
)
def test_names_are_read_word_by_word(name: str, expected: list[str]) -> None:
    assert words(name) == expected


def _rows(count: int, at: str = "2024-01-{day:02d}") -> list[list[object]]:
    return [[f"u{i % 9}", f"p{i % 7}", i % 5 + 1, at.format(day=i % 28 + 1)] for i in range(count)]


_HEADER = ["user", "item", "rating", "at"]


@pytest.mark.parametrize(
    ("column", "at", "told"),
    [
        ("at", "{day:02d}/02/2024 05:27", 'Column "at" is no timestamp: "01/02/2024 05:27"'),
        ("at", "soon", 'Column "at" is no timestamp: "soon"'),
        ("rating", "2024-01-01", 'Column "rating" holds no times: its largest number is 5.'),
    ],
)
def test_a_named_time_that_a_run_would_refuse_is_refused_before_anything_is_written(
    tmp_path: Path, root: Path, column: str, at: str, told: str
) -> None:
    file = write_csv(tmp_path / "r.csv", _HEADER, _rows(60, at))
    with pytest.raises(InvalidInput, match=re.escape(told)):
        scaffold([file], root, given={"timestamp": column})
    assert not root.exists()


def test_a_guessed_time_that_is_none_is_left_out_with_the_reason(
    tmp_path: Path, root: Path
) -> None:
    rows = [[*row, 7 + i] for i, row in enumerate(_rows(60, "soon"))]
    file = write_csv(tmp_path / "r.csv", ["user", "item", "rating", "word", "ts"], rows)
    made = scaffold([file], root)
    assert made.roles.timestamp is None
    assert made.left_out["ts"].startswith('Column "ts" holds no times')
    assert made.refusal == ""


def test_rows_without_ids_and_data_that_is_too_small_are_told(tmp_path: Path, root: Path) -> None:
    rows = [["" if i % 5 == 0 else row[0], *row[1:]] for i, row in enumerate(_rows(60))]
    file = write_csv(tmp_path / "r.csv", _HEADER, rows)
    made = scaffold([file], root)
    assert made.warnings == ("12 of 60 rows lack a buyer or a product and are left out.",)
    alone = write_csv(tmp_path / "one.csv", _HEADER, [["u", *row[1:]] for row in _rows(60)])
    assert "1 buyer and 7 products" in scaffold([alone], root).refusal
    few = write_csv(tmp_path / "few.csv", _HEADER, _rows(10))
    assert "10 rows; at least 20 are needed" in scaffold([few], root).refusal


def test_paths_are_written_without_detours(tmp_path: Path, root: Path) -> None:
    write_ratings(tmp_path / "ratings.csv", 50)
    (tmp_path / "side").mkdir()
    scaffold([tmp_path / "side" / ".." / "ratings.csv"], root)
    expected = {"ratings": str(tmp_path / "ratings.csv")}
    assert definitions(root, "datasets")["ratings"]["tables"] == expected


def write_shop(path: Path, *, extra: int = 0) -> Path:
    rows = [(f"u{i % 20}", f"p{i % 33}", i * 86_400) for i in range(400)]
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE orders (user_id TEXT, item_id TEXT, at INTEGER)")
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?)", rows)
        connection.execute("CREATE TABLE items (item_id TEXT, color TEXT)")
        connection.executemany(
            "INSERT INTO items VALUES (?, ?)", [(f"p{i}", f"c{i % 4}") for i in range(33)]
        )
        connection.execute("CREATE TABLE empty (item_id TEXT)")
        for number in range(extra):
            connection.execute(f"CREATE TABLE t{number} (x)")
        connection.commit()
    return path


def test_the_tables_of_a_database_are_joined_like_the_files_of_a_folder(tmp_path: Path) -> None:
    made = scaffold([write_shop(tmp_path / "shop.db")], tmp_path)
    assert made.dataset.name == "shop"
    assert made.dataset.tables == {"orders": "shop.db::orders", "items": "shop.db::items"}
    assert made.dataset.primary == "orders"
    assert made.joins == {"items": "item_id"}
    assert made.refusal == ""


def test_one_table_of_a_database_outside_the_workspace(tmp_path: Path, root: Path) -> None:
    database = write_shop(tmp_path / "shop [1].db")
    made = scaffold([Path(f"{database}::orders")], root)
    assert made.dataset.name == "orders"
    assert made.refusal == ""


def test_a_table_that_a_database_lacks_is_told(tmp_path: Path) -> None:
    database = write_shop(tmp_path / "shop.db")
    with pytest.raises(InvalidInput, match='has no table "order"') as told:
        scaffold([Path(f"{database}::order")], tmp_path)
    assert '"orders"' in told.value.hint
    assert not (tmp_path / "config.toml").exists()


def test_of_a_database_with_many_tables_some_must_be_named(tmp_path: Path) -> None:
    database = write_shop(tmp_path / "app.db", extra=18)
    with pytest.raises(InvalidInput, match=r"has 21 tables: .*orders") as told:
        scaffold([database], tmp_path)
    assert "app.db::" in told.value.hint


def test_attributes_of_others_than_the_rows_buyers_are_left_out(tmp_path: Path, root: Path) -> None:
    folder = write_groceries(tmp_path / "groceries")
    duckdb.execute(
        f"COPY (SELECT household_id + 1000 AS household_id, age"
        f" FROM '{folder / 'demographics.parquet'}')"
        f" TO '{tmp_path / 'others.parquet'}' (FORMAT parquet)"
    )
    (tmp_path / "others.parquet").replace(folder / "demographics.parquet")
    made = scaffold([folder], root)
    assert made.refusal == ""
    assert made.left_out["age"] == "no row of the interactions has a value of it"
    assert columns_of(made, "buyer") == ["household_id"]
