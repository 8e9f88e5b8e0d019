"""What a plan says of its data before a run, with the figures."""

from pathlib import Path
from textwrap import dedent

import duckdb
import pytest

from engine.definitions.misfits import DataMisfit
from engine.definitions.reading import read_definitions
from engine.errors import InvalidInput
from engine.planning import Plan, QuickTestRequest, leak_warnings, plan_quick_test
from engine.query.connection import open_duckdb
from engine.query.features import check_labels, measure_features
from engine.query.measuring import TargetRange
from engine.query.preparation import prepare_rows
from engine.spec import Feature, FeatureConfig, Split, Target

DEFINITIONS = dedent(
    """\
    [datasets.sales]
    primary = "sales"
    tables = { sales = "sales.csv", items = "items.csv" }
    roles = { buyer = "user", product = "item", timestamp = "at" }
    [datasets.sales.columns]
    user = "sales.user"
    item = "sales.item"
    at = "sales.at"
    rating = "sales.rating"
    shop = "sales.shop"
    colour = "items.colour"
    [[datasets.sales.joins]]
    table = "items"
    on = { item = "id" }

    [features.rated]
    dataset = "sales"
    target = "rating"
    buyer = [{ column = "user", primary = true }]
    product = [{ column = "item", primary = true }, { column = "shop" }]

    [models.m]
    type = "retrieval"
    preset = "minimal"

    [models.rank]
    type = "ranking"
    preset = "minimal"
    """
)


def write_sales(root: Path) -> None:
    """Write 200 sales; every 20th without a rating, and item 0 twice among the items."""
    rows = [
        f"u{i % 20},{i % 10},2024-01-{1 + i // 10:02},{'' if i % 20 == 0 else i % 5},main"
        for i in range(200)
    ]
    (root / "sales.csv").write_text("user,item,at,rating,shop\n" + "\n".join(rows) + "\n")
    items = [f"{i},red" for i in range(10)] + ["0,blue"]
    (root / "items.csv").write_text("id,colour\n" + "\n".join(items) + "\n")
    (root / "definitions").mkdir(exist_ok=True)
    (root / "definitions" / "all.toml").write_text(DEFINITIONS)


def plan(root: Path, **asked: object) -> Plan:
    definitions = read_definitions(root / "definitions")
    assert definitions.problems == ()
    request = QuickTestRequest.model_validate(
        {"feature_config": "rated", "model_config_name": "m", **asked}
    )
    return plan_quick_test(request, definitions, root=root)


def test_joins_targets_and_columns_are_told_with_their_figures(tmp_path: Path):
    write_sales(tmp_path)
    warnings = plan(tmp_path).warnings
    assert (
        'Table "items" has several rows of the same key: joining it makes 220 rows of 200 (1.1x). '
        "If that isn't meant, keep one row of each key, or join on more columns."
    ) in warnings
    one = 'Column "shop" holds one value only: it tells no rows apart, so it can be left out.'
    assert one in warnings
    # Rows 0, 20, 40 … are of item 0, which the join doubles.
    missing = '20 of 220 rows have no number in the target "rating": ranking losses leave them out.'
    assert missing in plan(tmp_path, model_config_name="rank").warnings
    assert missing not in warnings  # what doesn't learn the target doesn't miss it


def test_products_that_are_new_in_the_test_split_are_told(tmp_path: Path):
    write_sales(tmp_path)
    with (tmp_path / "sales.csv").open("a") as file:
        file.writelines(f"u1,new{i},2024-03-01,1,main\n" for i in range(10))
        file.writelines("u1,1,2024-03-01,1,main\n" for _ in range(10))
    warnings = plan(tmp_path, split="time-holdout", holdout_days=5).warnings
    assert (
        "50% of the test rows are of products that are not in train: retrieval can't find them."
    ) in warnings


def test_a_plan_names_its_files_as_they_were(tmp_path: Path):
    write_sales(tmp_path)
    files = plan(tmp_path).examples.files
    assert [Path(file.path).name for file in files] == ["items.csv", "sales.csv"]
    stat = (tmp_path / "sales.csv").stat()
    assert (files[1].size, files[1].modified_ns) == (stat.st_size, stat.st_mtime_ns)


def test_a_history_and_a_cross_of_real_data_are_planned(tmp_path: Path):
    write_sales(tmp_path)
    path = tmp_path / "definitions" / "all.toml"
    buyer = """buyer = [{ column = "user", primary = true }, { column = "bought", max_length = 5 }]
    buyer_crosses = [{ columns = ["user", "at"], dim = 3 }]"""
    text = path.read_text().replace('buyer = [{ column = "user", primary = true }]', buyer)
    user = '{ column = "user", primary = true }, '
    text = text.replace(user, user + '{ column = "at" }, ')
    histories = 'histories = { bought = { column = "item", last = 9 } }\n'
    path.write_text(
        text.replace("[datasets.sales.columns]", histories + "[datasets.sales.columns]")
    )
    found = plan(tmp_path)
    user, at, bought = found.features.buyer
    assert (bought.data_type, bought.vocabulary, bought.max_length) == ("history", "item", 5)
    assert bought.dim == found.features.product[0].dim
    assert found.features.buyer_dim == user.tensor_dim + at.tensor_dim + bought.tensor_dim + 3
    assert [c.repeated for c in found.examples.columns if c.name == "bought"] == [True]


def test_a_logarithm_of_minus_one_or_less_is_told_before_the_run(tmp_path: Path):
    write_sales(tmp_path)
    path = tmp_path / "definitions" / "all.toml"
    steps = 'target = { column = "rating", log1p = true, clip = [0, 99] }'
    path.write_text(path.read_text().replace('target = "rating"', steps))
    sales = (tmp_path / "sales.csv").read_text()
    (tmp_path / "sales.csv").write_text(sales.replace(",4,", ",-3,"))
    target = plan(tmp_path).features.target
    assert target == Target(column="rating", log1p=True, clip=(0, 99))
    path.write_text(path.read_text().replace(", clip = [0, 99]", ""))
    with pytest.raises(
        InvalidInput, match=r"features.rated.target.log1p: the target \"rating\" has"
    ):
        plan(tmp_path)


def test_a_target_has_a_range_and_only_labels_suit_binary_crossentropy(tmp_path: Path):
    write_sales(tmp_path)
    definitions = read_definitions(tmp_path / "definitions")
    features = definitions.feature_config("rated")
    with open_duckdb() as connection:
        rows = prepare_rows(connection, definitions.dataset("sales"), features, tmp_path).rows
        measurement, _ = measure_features(connection, rows, features)
        found = measurement.target_range("rating")
    assert found == TargetRange(least=0, greatest=4, missing=20, rows=220)
    with pytest.raises(DataMisfit) as refused:
        check_labels(features, found)
    assert refused.value.path == ("features", "rated", "target")
    assert 'labels from 0 to 1, but "rating" holds 0 to 4.' in str(refused.value)
    check_labels(features, TargetRange(0, 1, 0, 10))
    clipped = features.replace(target=Target(column="rating", clip=(1, 99)))
    with pytest.raises(DataMisfit, match='but "rating" is transformed: clipped to percentiles 1'):
        check_labels(clipped, TargetRange(0, 1, 0, 10))
    check_labels(features, TargetRange(0.25, 0.5, 0, 10))


def test_a_random_split_with_a_history_leaks():
    item = Feature(column="item", data_type="text", transforms=("embed",), dim=8, primary=True)
    history = Feature(
        column="bought",
        data_type="history",
        transforms=("average",),
        dim=8,
        max_length=50,
        vocabulary="item",
    )
    user = item.replace(column="user")
    leaking = FeatureConfig(name="f", dataset="d", buyer=(user, history), product=(item,))
    (told,) = leak_warnings(Split(), leaking)
    assert told == (
        'The split is random and "bought" lists what was bought in other rows: train rows may list '
        "what is to be predicted in test. Choose a split by time."
    )
    assert not list(leak_warnings(Split(kind="time-holdout", holdout_days=1), leaking))
    assert not list(leak_warnings(Split(), leaking.replace(buyer=(user,))))


@pytest.mark.parametrize("made_here", [True, False])
def test_a_list_that_a_table_holds_may_know_the_future(tmp_path: Path, made_here: bool):
    write_sales(tmp_path)
    lists = "SELECT 'u' || i AS id, ['1', '2'] AS bought FROM range(20) r(i)"
    duckdb.sql(lists).write_parquet(str(tmp_path / "lists.parquet"))
    text = DEFINITIONS.replace(
        '[{ column = "user", primary = true }]',
        '[{ column = "user", primary = true }, { column = "bought" }]',
    )
    if made_here:
        more = '[datasets.sales.histories]\nbought = { column = "item", last = 5 }\n'
    else:
        text = text.replace('items = "items.csv"', 'items = "items.csv", l = "lists.parquet"')
        text = text.replace('colour = "items', 'bought = "l.bought"\ncolour = "items')
        more = '[[datasets.sales.joins]]\ntable = "l"\non = { "sales.user" = "id" }\n'
    path = tmp_path / "definitions" / "all.toml"
    text = text.replace("[features.rated]", f"{more}\n[features.rated]")
    path.write_text(text)
    warnings = plan(tmp_path, split="time-holdout", holdout_days=3).warnings
    told = [warning for warning in warnings if "is a list that a table holds" in warning]
    assert len(told) == (0 if made_here else 1)
    assert all("[datasets.sales.histories] holds only what precedes a row." in w for w in told)
