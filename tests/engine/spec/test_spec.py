"""The contract's values: strict, frozen, hashed by content."""

from typing import Literal

import duckdb
import pytest
from pydantic import ValidationError

from engine.spec import (
    SPLITS,
    Column,
    Dense,
    Dropout,
    ExamplesQuery,
    Feature,
    FeatureConfig,
    ModelConfig,
    RatingSettings,
    Target,
    Tower,
    default_dim,
)
from engine.spec.base import content_hash

ID = Feature(column="user", data_type="text", transforms=("embed",), dim=8, primary=True)


@pytest.mark.parametrize(
    ("cardinality", "dim"),
    [(1, 8), (49, 8), (50, 16), (499, 16), (500, 32), (4_999, 32), (5_000, 64), (49_999, 64),
     (50_000, 96), (499_999, 96), (500_000, 128)],
)  # fmt: skip
def test_embedding_dimension_follows_cardinality(cardinality, dim):
    assert default_dim(cardinality) == dim


def test_a_features_width_is_the_sum_of_its_transforms():
    feature = Feature(
        column="at",
        data_type="temporal",
        transforms=("normalize", "cyclical_weekly", "cyclical_daily", "bucketize"),
        dim=8,
        buckets=10,
    )
    assert feature.tensor_dim == 1 + 2 + 2 + 8


@pytest.mark.parametrize(
    "wrong",
    [
        {"data_type": "text", "transforms": ("normalize",)},
        {"data_type": "numeric", "transforms": ()},
        {"data_type": "text", "transforms": ("embed",)},
        {"data_type": "numeric", "transforms": ("bucketize",), "dim": 4},
        {"data_type": "numeric", "transforms": ("bucketize",), "dim": 4, "buckets": 1},
    ],
)
def test_an_impossible_feature_is_refused(wrong):
    with pytest.raises(ValidationError):
        Feature(column="c", **wrong)


def test_each_tower_has_exactly_one_id():
    with pytest.raises(ValidationError, match="product tower needs exactly one"):
        FeatureConfig(name="f", dataset="d", buyer=(ID,), product=(ID, ID))


def test_a_target_stored_as_a_column_is_one_without_transforms():
    config = FeatureConfig(name="f", dataset="d", buyer=(ID,), product=(ID,))
    stored = config.model_dump_json().replace('"target":null', '"target":"spent"')
    assert FeatureConfig.model_validate_json(stored).target == Target(column="spent")


def test_a_target_reads_as_its_steps_in_order():
    target = Target(column="spent", normalize=True, log1p=True, clip=(1, 99.5))
    assert str(target) == "spent, clipped to percentiles 1 to 99.5, log(1 + x), z-score"
    assert str(Target(column="spent")) == "spent"


@pytest.mark.parametrize("clip", [(5, 5), (-1, 50), (50, 101)])
def test_percentiles_are_an_interval(clip):
    with pytest.raises(ValidationError, match="two percentiles from 0 to 100"):
        Target(column="spent", clip=clip)


def test_a_tower_reads_as_its_units():
    tower = Tower(layers=(Dense(units=128), Dropout(rate=0.2), Dense(units=64)))
    assert tower.structure(32) == "128→64→32"


def test_the_hash_is_of_content_not_of_order_or_description():
    config = FeatureConfig(name="f", description="one", dataset="d", buyer=(ID,), product=(ID,))
    other = config.replace(name="g", description="two")
    without = frozenset({"name", "description"})
    assert config.content_hash(without=without) == other.content_hash(without=without)
    assert config.content_hash() != other.content_hash()
    assert content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})


@pytest.mark.parametrize(
    ("model_type", "weight", "primary"),
    [
        ("retrieval", 1.0, "recall_at_100"),
        ("ranking", 1.0, "test_rmse"),
        ("multitask", 0.5, "recall_at_100"),
        ("multitask", 0.0, "test_rmse"),
    ],
)
def test_a_multitask_model_without_retrieval_is_judged_by_its_ratings(model_type, weight, primary):
    model = ModelConfig(
        name="m",
        type=model_type,
        buyer_tower=Tower(),
        product_tower=Tower(),
        output_dim=8,
        rating=None if model_type == "retrieval" else RatingSettings(),
        retrieval_weight=weight,
        learning_rate=0.01,
    )
    assert model.primary_metric == primary


def test_a_stored_spec_with_a_query_a_split_is_still_read():
    columns = [{"name": "a", "type": "INT64"}]
    stored = {"dialect": "duckdb", "queries": {s: f"SELECT '{s}' AS a" for s in SPLITS},
              "columns": columns, "buyer": "a", "product": "a", "timestamp": None}  # fmt: skip
    query = ExamplesQuery.model_validate(stored)
    for split in SPLITS:
        assert duckdb.sql(query.queries[split]).fetchall() == [(split,)]


@pytest.mark.parametrize(
    ("dialect", "sql"),
    [
        ("duckdb", 'SELECT "a ""b""" FROM (x) AS "examples" WHERE "towerlab_split" = \'eval\''),
        ("bigquery", "SELECT `a \"b\"` FROM (x) AS `examples` WHERE `towerlab_split` = 'eval'"),
    ],
)
def test_a_split_is_a_part_of_the_one_query(dialect: Literal["duckdb", "bigquery"], sql: str):
    columns = (Column(name='a "b"', type="INT64"),)
    query = ExamplesQuery(
        dialect=dialect, sql="x", columns=columns, buyer="a", product="a", timestamp=None
    )
    assert query.queries["eval"] == sql
