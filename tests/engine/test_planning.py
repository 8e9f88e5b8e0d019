"""Plans from files on disk: defaults from the data, and one sentence for everything wrong."""

import csv
import re
from datetime import datetime
from pathlib import Path
from textwrap import dedent
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.definitions.reading import read_definitions
from engine.errors import NotFound
from engine.parameters import batch_size_for
from engine.planning import Plan, preview_features
from engine.spec import SPLITS, ExperimentSpec, Target
from tests.engine.planned import RATINGS, Workspace
from tests.engine.query.local_data import hash_of, key_of
from tests.sample_data import write_groceries


@pytest.fixture
def ratings(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


def examples_of(plan: Plan) -> dict[str, list[dict[str, Any]]]:
    with duckdb.connect() as connection:
        found: dict[str, list[dict[str, Any]]] = {}
        for name, query in plan.examples.queries.items():
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description or ()]
            found[name] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        return found


def test_a_plan_is_a_spec_whose_queries_give_the_promised_rows(ratings: Workspace):
    plan = ratings.plan()
    examples = examples_of(plan)
    assert {name: len(rows) for name, rows in examples.items()} == plan.rows.model_dump()
    assert sum(plan.rows.model_dump().values()) == 300
    names = [column.name for column in plan.examples.columns]
    assert names == ["user", "item", "at", "title", "rating", "row_key"]
    assert [c.type for c in plan.examples.columns] == [
        "STRING", "STRING", "INT64", "STRING", "FLOAT", "INT64",
    ]  # fmt: skip
    assert all(list(row) == names for rows in examples.values() for row in rows)
    spec = plan.spec("0123456789abcdef", 1)
    assert ExperimentSpec.model_validate_json(spec.model_dump_json()) == spec


def test_no_row_key_is_in_two_splits(ratings: Workspace):
    keys = [{row["row_key"] for row in rows} for rows in examples_of(ratings.plan()).values()]
    assert len(set.union(*keys)) == sum(len(k) for k in keys)


@pytest.mark.parametrize(
    ("percent", "sample_by", "seed"), [(60, "buyer", 0), (60, "row", 0), (40, "row", 11)]
)
def test_a_run_reads_the_rows_that_the_hash_chooses(
    ratings: Workspace, percent: int, sample_by: str, seed: int
):
    plan = ratings.plan(sample_percent=percent, sample_by=sample_by, seed=seed)
    assert plan.params.split_seed == seed
    expected: dict[str, set[str]] = {name: set() for name in SPLITS}
    for row in csv.DictReader((ratings.root / "ratings.csv").read_text("utf-8").splitlines()):
        at = int(datetime.fromisoformat(row["at"] + "+00:00").timestamp()) * 1_000_000
        key = key_of(row["user"], row["item"], at)
        unit = row["user"] if sample_by == "buyer" else key
        if hash_of("sample", seed, unit) < percent / 100 * 2**32:
            share = hash_of("split", seed, key) / 2**32
            name = "train" if share < 0.8 else "eval" if share < 0.95 else "test"
            expected[name].add(key)
    for name, rows in examples_of(plan).items():
        assert {key_of(row["user"], row["item"], row["at"]) for row in rows} == expected[name]


def test_defaults_come_from_the_data_and_the_model_config(ratings: Workspace):
    params = ratings.plan().params
    assert params.sample_percent == 100
    assert params.sample_by == "buyer"
    assert params.batch_size == 32
    assert params.learning_rate == 0.003
    assert params.epochs == 3
    assert params.machine_type is None
    asked = ratings.plan(
        sample_percent=50, batch_size=16, learning_rate=0.2, epochs=7, seed=5, hardware="large"
    ).params
    assert (asked.sample_percent, asked.batch_size, asked.learning_rate) == (50, 16, 0.2)
    assert (asked.epochs, asked.seed, asked.split_seed, asked.machine_type) == (7, 5, 5, None)


def test_features_are_resolved_by_type_and_cardinality(ratings: Workspace):
    features = ratings.plan().features
    assert [(f.column, f.data_type, f.transforms, f.dim, f.buckets) for f in features.product] == [
        ("item", "text", ("embed",), 8, None),
        ("title", "text", ("embed",), 8, None),
        ("rating", "numeric", ("normalize", "bucketize"), 8, 10),
        ("at", "temporal", ("normalize", "cyclical_weekly"), None, None),
    ]
    assert (features.buyer_dim, features.product_dim) == (8, 8 + 8 + 9 + 3)
    assert preview_features("basic", ratings.definitions, root=ratings.root) == features


def test_embedding_dims_follow_the_distinct_values(tmp_path: Path):
    workspace = Workspace(tmp_path, rows=6_000, users=60, items=700)
    features = workspace.plan().features
    assert [f.dim for f in (*features.buyer, *features.product[:2])] == [16, 32, 32]
    workspace.edit('{ column = "title" }', '{ column = "title", dim = 5 }')
    assert workspace.plan().features.product[1].dim == 5


def test_dims_do_not_depend_on_the_sample(tmp_path: Path):
    workspace = Workspace(tmp_path, rows=6_000, users=60, items=700)
    assert workspace.plan(sample_percent=20).features == workspace.plan().features


@pytest.mark.parametrize(
    ("train", "batch"),
    [(1, 1), (3, 2), (31, 16), (40, 32), (3_199, 32), (6_400, 64), (6_399, 32), (117_544, 1024),
     (409_600, 4096), (10_000_000, 4096)],
)  # fmt: skip
def test_the_batch_gives_a_hundred_steps_where_it_can(train: int, batch: int):
    assert batch_size_for(train, "retrieval") == batch_size_for(train, "multitask") == batch


@pytest.mark.parametrize(
    ("train", "batch"), [(1, 1), (10_000, 32), (80_000, 128), (1_180_000, 2048), (9_000_000, 4096)]
)
def test_ratings_are_learnt_in_five_hundred_steps_where_they_can(train: int, batch: int):
    assert batch_size_for(train, "ranking") == batch


def test_a_model_configs_batch_that_is_too_large_falls_back_with_a_warning(ratings: Workspace):
    plan = ratings.plan(model_config_name="large-batch")
    assert plan.params.batch_size == 32
    assert plan.params.learning_rate == 0.5
    assert any("batch size of 4,096 is larger than the train split" in w for w in plan.warnings)


def test_large_data_is_sampled_by_buyer(tmp_path: Path):
    workspace = Workspace(tmp_path)
    (tmp_path / "ratings.csv").unlink()
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT 'u' || i % 5000 AS user, 'i' || i % 997 AS item, i % 5 AS rating,
            TIMESTAMP '2024-01-01' + to_minutes(i::INT) AS at, 't' AS title FROM range(200000) r(i))
            TO '{tmp_path / "ratings.csv"}' (HEADER)"""
        )
    plan = workspace.plan()
    assert plan.params.sample_percent == 10
    assert 15_000 < sum(plan.rows.model_dump().values()) < 25_000
    examples = examples_of(plan)
    by_user = {row["user"]: 0 for rows in examples.values() for row in rows}
    for row in (row for rows in examples.values() for row in rows):
        by_user[row["user"]] += 1
    assert set(by_user.values()) == {40}


def test_hashes_and_definitions_are_kept_as_written(ratings: Workspace):
    plan = ratings.plan()
    assert plan.definition_hashes["dataset"] == ratings.definitions.datasets["ratings"].hash
    assert plan.definitions["model_config"] == {
        "name": "standard", "type": "retrieval", "preset": "standard",
    }  # fmt: skip


def test_joined_tables_and_a_target_are_planned(tmp_path: Path):
    write_groceries(tmp_path / "data")
    workspace = Workspace(tmp_path)
    workspace.define(
        dedent(
            """\
            [datasets.grocery]
            primary = "t"
            tables = { t = "data/transactions.parquet", p = "data/products.parquet" }
            joins = [{ table = "p", on = { product_id = "product_id" } }]
            [datasets.grocery.columns]
            household = "t.household_id"
            product = "t.product_id"
            spent = "sales_value"
            department = "p.department"
            category = "product_category"
            [datasets.grocery.roles]
            buyer = "household"
            product = "product"
            [features.basic]
            dataset = "grocery"
            target = "spent"
            buyer = [{ column = "household", primary = true }]
            product = [{ column = "product", primary = true }, { column = "category" }]
            [models.standard]
            type = "retrieval"
            preset = "standard"
            """
        )
    )
    plan = workspace.plan()
    names = [c.name for c in plan.examples.columns]
    assert names == ["household", "product", "category", "spent", "row_key"]
    assert plan.features.target == Target(column="spent")
    assert plan.examples.timestamp is None
    assert sum(plan.rows.model_dump().values()) == 3_000
    assert "needs times, but dataset" in workspace.refusal(split="time-holdout", holdout_days=3)


def test_splits_by_time(ratings: Workspace):
    holdout = ratings.plan(split="time-holdout", holdout_days=60)
    examples = examples_of(holdout)
    first_test = min(row["at"] for row in examples["test"])
    assert first_test > max(row["at"] for name in SPLITS[:2] for row in examples[name])
    strict = ratings.plan(split="strict-time", train_days=200, val_days=60, test_days=60)
    times = {n: [row["at"] for row in rows] for n, rows in examples_of(strict).items()}
    assert max(times["train"]) < min(times["eval"])
    assert max(times["eval"]) < min(times["test"])


@pytest.mark.parametrize("rows", [20, 27, 50, 51, 64, 99, 150])
def test_it_works_at_any_size(tmp_path: Path, rows: int):
    plan = Workspace(tmp_path, rows).plan()
    counts = plan.rows.model_dump()
    assert min(counts.values()) > 0
    assert sum(counts.values()) == rows
    assert plan.params.batch_size <= counts["train"]
    products = {row["item"] for row in examples_of(plan)["train"]}
    assert len(products) >= 2


def test_the_seed_moves_on_until_no_split_is_empty(tmp_path: Path):
    workspace = Workspace(tmp_path, 20)
    plan = workspace.plan()
    seeds = {plan.params.split_seed}
    for seed in range(plan.params.split_seed):
        moved = workspace.plan(seed=seed)
        seeds.add(moved.params.split_seed)
        assert moved.params.seed == seed
    assert seeds == {plan.params.split_seed}
    later = workspace.plan(seed=plan.params.split_seed + 1)
    assert later.params.split_seed > plan.params.split_seed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user,item\n" + "u,i\n" * 19, "has too little data: 19 rows; at least 20 are needed."),
        ("user,item\n" + "u,i\n" * 30, "too little data: 1 buyer and 1 product; at least 2 of"),
        ("user,item\n" + "u,i\nv,j\n" * 30, "fewer than 3 row keys"),
        (
            "user,item\n",
            'datasets.ratings.primary: dataset "ratings" has no rows: its primary table has none.',
        ),
        (
            "user,item\n" + ",i\n" * 30,
            'dataset "ratings" lacks a buyer or a product: of 30 rows 0 have a "user",',
        ),
    ],
)
def test_too_little_data_is_refused_with_the_figures(ratings: Workspace, text: str, told: str):
    (ratings.root / "ratings.csv").write_text(text)
    ratings.define(
        RATINGS.replace(', timestamp = "at"', "")
        .replace('  { column = "title" },\n', "")
        .replace('  { column = "rating", transforms = ["bucketize", "normalize"] },\n', "")
        .replace('  { column = "at", transforms = ["cyclical_weekly", "normalize"] },\n', "")
    )
    assert told in ratings.refusal()


def test_a_sample_that_is_too_small_is_refused_with_the_figures(ratings: Workspace):
    message = ratings.refusal(sample_percent=0.01)
    assert message == (
        'A sample of 0.01% of the 300 rows of dataset "ratings" is less than 20 rows. '
        "Sample at least 7%."
    )


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"feature_config": "basik"}, 'no feature config "basik". Did you mean "basic"?'),
        ({"model_config_name": "standart"}, 'no model config "standart". Did you mean "standard"?'),
        ({"dataset": "raitings"}, 'There is no dataset "raitings". Did you mean "ratings"?'),
        ({"backend": "vertex"}, 'Dataset "ratings" has no BigQuery source, which Vertex AI would'),
        ({"epochs": 0}, "Epochs must be from 1 to 1,000, not 0."),
        ({"epochs": 1001}, "Epochs must be from 1 to 1,000, not 1,001."),
        ({"sample_percent": 0}, "The sample must be above 0 and at most 100, not 0."),
        ({"sample_percent": 101}, "The sample must be above 0 and at most 100, not 101."),
        ({"learning_rate": 0}, "The learning rate must be from 0.0001 to 1, not 0."),
        ({"learning_rate": 0.00001}, "The learning rate must be from 0.0001 to 1, not 1e-05."),
        ({"learning_rate": 1.5}, "The learning rate must be from 0.0001 to 1, not 1.5."),
        ({"batch_size": 0}, "The batch size must be from 1 to 65,536, not 0."),
        ({"batch_size": 512}, "A batch of 512 is larger than the train split (2"),
        ({"seed": -1}, "The seed must be from 0 to"),
        ({"holdout_days": 5}, "Holdout days don't go with the split random. Add --split time-h"),
        ({"test_days": 5}, "Test days don't go with the split random. Add --split strict-time."),
        ({"split": "time-holdout"}, "The split time-holdout needs holdout days."),
        ({"split": "strict-time", "train_days": 5}, "needs val days and test days."),
        (
            {"split": "time-holdout", "holdout_days": 4000},
            "2024-12-30, which gives train 0, eval 0, test 300 rows.",
        ),
    ],
)  # fmt: skip
def test_a_request_that_cannot_work_is_told(ratings: Workspace, asked: dict[str, Any], told: str):
    assert told in ratings.refusal(**asked)


def test_an_unknown_name_is_not_found(ratings: Workspace):
    with pytest.raises(NotFound):
        ratings.plan(feature_config="x")


def test_a_feature_config_of_another_dataset_is_told(ratings: Workspace):
    other = RATINGS.replace("datasets.ratings", "datasets.others").split("[features")[0]
    ratings.define(RATINGS + other)
    message = ratings.refusal(dataset="others")
    assert message == (
        'Feature config "basic" belongs to dataset "ratings", not to "others". '
        'Of "others" there is none.'
    )


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('column = "title"', 'column = "titel"',
         'features.basic.product[1].column: feature config "basic": the dataset "ratings" has no '
         'column "titel". Did you mean "title"?'),
        ('column = "title"', 'column = "title", data_type = "numeric"',
         'features.basic.product[1].data_type: column "title" holds text and cannot be read as '
         'numeric. Leave data_type out'),
        ('column = "title"', 'column = "title", transforms = ["normalize"]',
         'features.basic.product[1].transforms: column "title" is text, which takes embed, not n'),
        ('column = "title"', 'column = "title", buckets = 5',
         'features.basic.product[1].buckets: column "title" is text, whose buckets go with'),
        ('dataset = "ratings"', 'dataset = "ratings"\ntarget = "title"',
         'features.basic.target: the target "title" holds text; a target is a number. Name a'),
        ('{ column = "user", primary = true }', '{ column = "title", primary = true }',
         'the primary feature of the buyer tower must be "user", the buyer of dataset "ratings".'),
        ('"ratings.csv"', '"gone.csv"', 'tables.ratings: table "ratings": there is no file '),
        ('timestamp = "at"', 'timestamp = "title"',
         'datasets.ratings.roles.timestamp: column "title" is no timestamp: "Title '),
        ('buyer = "user"', 'buyer = "usr"',
         'roles.buyer: the buyer: the dataset "ratings" has no column "usr". Did you mean "user"?'),
        ('roles = {', 'filters = [{ column = "rating", min = 9 }]\nroles = {',
         "datasets.ratings.filters[0]: the filter rating: min = 9 leaves no rows of 300. Chan"),
    ],
)  # fmt: skip
def test_a_definition_that_does_not_fit_the_data_is_told(
    ratings: Workspace, old: str, new: str, told: str
):
    ratings.edit(old, new)
    refusal = ratings.refusal()
    assert told in refusal
    key = re.match(r"definitions/all\.toml:(\d+): (\S+): ", refusal)
    assert key is not None
    file = (ratings.root / "definitions" / "all.toml").read_text().splitlines()
    assert key[2].split(".")[-1].split("[")[0] in file[int(key[1]) - 1]


def test_an_empty_column_is_told(ratings: Workspace):
    lines = (ratings.root / "ratings.csv").read_text().splitlines()
    rows = [line.split(",")[:4] for line in lines[1:]]
    text = "\n".join(["user,item,rating,at,title", *(",".join([*row, ""]) for row in rows)])
    (ratings.root / "ratings.csv").write_text(text)
    assert 'column "title" of dataset "ratings" holds no value in any of the 300' in (
        ratings.refusal()
    )


def test_what_is_odd_but_works_is_a_warning(ratings: Workspace):
    with (ratings.root / "ratings.csv").open("a", newline="") as file:
        file.write(",i1,3,2024-01-01 00:00:00,x\r\nu1,i1,3,,x\r\n")
    warnings = ratings.plan(epochs=60).warnings
    assert "1 of 302 rows lacks a buyer or a product and is left out." in warnings
    assert "1 of 301 rows have no timestamp." in warnings
    assert "60 epochs are many for a quick test." in warnings
    assert any(w.startswith("Only ") and "test rows" in w for w in warnings)


def test_buyers_never_seen_in_training_are_a_warning(tmp_path: Path):
    plan = Workspace(tmp_path, rows=300, users=5_000).plan()
    (warning,) = [w for w in plan.warnings if "who are not in train" in w]
    examples = examples_of(plan)
    known = {row["user"] for row in examples["train"]}
    unknown = [row for row in examples["test"] if row["user"] not in known]
    assert warning.startswith(f"{len(unknown) / plan.rows.test:.0%} of the test rows")


def test_an_invalid_edit_is_told_and_the_last_valid_version_used(ratings: Workspace):
    folder = ratings.root / "definitions"
    (folder / "all.toml").write_text(RATINGS.replace('"standard"', '"standart"', 1))
    ratings.definitions = read_definitions(folder, ratings.definitions)
    (warning,) = [w for w in ratings.plan().warnings if "last valid version" in w]
    assert "definitions/all.toml" in warning


@settings(max_examples=12, deadline=None)
@given(
    header=st.text(
        st.characters(exclude_categories=["C", "Z"], exclude_characters='"'), min_size=1, max_size=8
    ).filter(lambda name: name.casefold() not in {"user", "item", "row_key"}),
    values=st.lists(
        st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters='"'), min_size=1),
        min_size=30,
        max_size=60,
    ),
)
def test_hostile_headers_and_ids_are_only_data(
    tmp_path_factory: pytest.TempPathFactory, header: str, values: list[str]
):
    import pyarrow
    import pyarrow.parquet

    root = tmp_path_factory.mktemp("hostile")
    columns = {
        "user": [f"{v}{i % 7}" for i, v in enumerate(values)],
        "item": [f"{i % 5}{v}" for i, v in enumerate(values)],
        header: values,
    }
    pyarrow.parquet.write_table(pyarrow.table(columns), root / "t.parquet")
    workspace = Workspace(root)
    quoted = header.replace("\\", "\\\\")
    workspace.define(
        f"""\
        [datasets.d]
        primary = "t"
        tables = {{ t = "t.parquet" }}
        roles = {{ buyer = "user", product = "item" }}
        filters = [{{ column = "user", min = "" }}]
        [features.basic]
        dataset = "d"
        buyer = [{{ column = "user", primary = true }}]
        product = [{{ column = "item", primary = true }}, {{ column = "{quoted}" }}]
        [models.standard]
        type = "retrieval"
        preset = "minimal"
        """
    )
    examples = examples_of(workspace.plan())
    rows = sorted((r["user"], r["item"], r[header]) for rs in examples.values() for r in rs)
    assert rows == sorted(zip(*columns.values(), strict=True))
    keys = [{row["row_key"] for row in rows} for rows in examples.values()]
    assert len(set.union(*keys)) == sum(len(k) for k in keys)
