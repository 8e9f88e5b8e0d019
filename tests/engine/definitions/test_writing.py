import tempfile
from pathlib import Path
from textwrap import dedent

from hypothesis import given, settings

from engine.definitions import (
    CrossDefinition,
    DatasetDefinition,
    Definition,
    FeatureConfigDefinition,
    FeatureDefinition,
    Filter,
    Join,
    ModelConfigDefinition,
    Roles,
)
from engine.definitions.reading import read_definitions
from engine.definitions.writing import dataset_toml, feature_config_toml, model_config_toml
from engine.spec import Dense, Dropout, Target
from tests.engine.definitions import definition_strategies as drawn


def read_back(text: str) -> list[Definition]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.toml").write_text(text, encoding="utf-8", newline="\n")
        found = read_definitions(Path(folder))
    assert found.problems == ()
    return [*found.datasets.values(), *found.features.values(), *found.models.values()]


def test_a_dataset_is_written_in_the_style_of_the_documentation():
    dataset = DatasetDefinition(
        name="grocery",
        description="A year",
        tables={"transactions": "data/transactions.parquet", "products": "p.csv"},
        primary="transactions",
        joins=(Join(table="products", on={"product_id": "product_id"}),),
        columns={"household id": "transactions.household_id", "product_id": "product_id"},
        roles=Roles(buyer="household id", product="product_id"),
        filters=(Filter(column="product_id", one_of=(1, "b", True)),),
    )
    assert dataset_toml(dataset) == dedent(
        """\
        [datasets.grocery]
        description = "A year"
        primary = "transactions"

        [datasets.grocery.tables]
        transactions = "data/transactions.parquet"
        products = "p.csv"

        [[datasets.grocery.joins]]
        table = "products"
        on = { product_id = "product_id" }

        [datasets.grocery.columns]
        "household id" = "transactions.household_id"
        product_id = "product_id"

        [datasets.grocery.roles]
        buyer = "household id"
        product = "product_id"

        [[datasets.grocery.filters]]
        column = "product_id"
        in = [1, "b", true]
        """
    )


def test_a_feature_config_is_written_feature_by_feature():
    features = FeatureConfigDefinition(
        name="basic",
        dataset="grocery",
        buyer=(FeatureDefinition(column="user", primary=True, dim=32),),
        product=(
            FeatureDefinition(column="item", primary=True),
            FeatureDefinition(column="price", transforms=("normalize", "bucketize")),
        ),
        target=Target(column="spent", clip=(1, 99)),
        product_crosses=(
            CrossDefinition(columns=("item", "price"), crossing_buckets={"price": 5}),
        ),
    )
    assert feature_config_toml(features) == dedent(
        """\
        [features.basic]
        dataset = "grocery"
        target = { column = "spent", clip = [1.0, 99.0] }
        product_crosses = [{ columns = ["item", "price"], crossing_buckets = { price = 5 } }]

        [[features.basic.buyer]]
        column = "user"
        primary = true
        dim = 32

        [[features.basic.product]]
        column = "item"
        primary = true

        [[features.basic.product]]
        column = "price"
        transforms = ["normalize", "bucketize"]
        """
    )


def test_the_layers_of_a_model_stand_on_one_line():
    model = ModelConfigDefinition(
        name="own",
        type="retrieval",
        buyer_tower=(Dense(units=128, l2=1e-4), Dropout(rate=0.2)),
        product_tower=(),
        output_dim=32,
    )
    assert model_config_toml(model) == dedent(
        """\
        [models.own]
        type = "retrieval"
        buyer_tower = [{ kind = "dense", units = 128, l2 = 0.0001 }, { kind = "dropout", rate = 0.2 }]
        product_tower = []
        output_dim = 32
        """  # noqa: E501
    )


@settings(deadline=None)
@given(drawn.datasets())
def test_any_dataset_reads_back_equal(dataset: DatasetDefinition):
    assert read_back(dataset_toml(dataset)) == [dataset]


@settings(deadline=None)
@given(drawn.feature_configs())
def test_any_feature_config_reads_back_equal(features: FeatureConfigDefinition):
    dataset = DatasetDefinition(
        name=features.dataset,
        tables={"t": "t.csv"},
        primary="t",
        roles=Roles(buyer="user", product="item"),
    )
    text = dataset_toml(dataset) + feature_config_toml(features)
    assert read_back(text) == [dataset, features]


@settings(deadline=None)
@given(drawn.model_configs)
def test_any_model_config_reads_back_equal(model: ModelConfigDefinition):
    assert read_back(model_config_toml(model)) == [model]
