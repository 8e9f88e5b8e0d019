"""What is filled in where the author of a feature config left it to the data."""

from collections.abc import Mapping

import pytest

from engine.definitions import CrossDefinition, FeatureConfigDefinition, FeatureDefinition
from engine.definitions.misfits import DataMisfit
from engine.definitions.resolving import resolve_features
from engine.spec import Cross, CrossPart, DataType, FeatureConfig, Target
from engine.spec.base import content_hash

TYPES: Mapping[str, DataType] = {
    "user": "text",
    "item": "text",
    "age": "numeric",
    "at": "temporal",
    "bought": "history",
}


def config(*features: FeatureDefinition, **rest: object) -> FeatureConfigDefinition:
    user = FeatureDefinition(column="user", primary=True)
    item = FeatureDefinition(column="item", primary=True)
    return FeatureConfigDefinition.model_validate(
        {"name": "f", "dataset": "d", "buyer": (user, *features), "product": (item,), **rest}
    )


def resolved(*features: FeatureDefinition, **rest: object) -> FeatureConfig:
    return resolve_features(config(*features, **rest), TYPES, {"user": 49, "item": 50_000})


def test_what_is_not_used_leaves_the_hash_of_older_definitions_alone():
    feature = {"primary": True, "data_type": None, "transforms": None, "buckets": None, "dim": None}
    assert config().hash == content_hash(
        {
            "dataset": "d",
            "target": None,
            "buyer": [{"column": "user", **feature}],
            "product": [{"column": "item", **feature}],
        }
    )
    cross = CrossDefinition(columns=("user", "age"))
    assert config(buyer_crosses=(cross,)).hash != config().hash
    bought = FeatureDefinition(column="bought")
    assert config(bought.replace(max_length=9)).hash != config(bought).hash


def test_a_target_is_a_column_or_a_table():
    assert resolved().target is None
    assert resolved(target="age").target == Target(column="age")
    table = Target(column="age", log1p=True)
    assert resolved(target=table).target == table


def test_numeric_and_temporal_parts_of_a_cross_have_ten_buckets_unless_told_otherwise():
    columns = ("user", "age", "at")
    features = [FeatureDefinition(column=column) for column in columns[1:]]
    cross = CrossDefinition(columns=columns, buckets=500, crossing_buckets={"at": 4})
    found = resolved(*features, buyer_crosses=(cross,))
    assert found.buyer_crosses == (
        Cross(
            parts=(
                CrossPart(column="user", data_type="text"),
                CrossPart(column="age", data_type="numeric", buckets=10),
                CrossPart(column="at", data_type="temporal", buckets=4),
            ),
            buckets=500,
            dim=32,
        ),
    )
    assert found.buyer_dim == 8 + 1 + 1 + 32


def test_a_history_shares_vocabulary_and_dim_of_the_product_id():
    bought = FeatureDefinition(column="bought")
    found = resolved(bought).buyer[1]
    assert (found.transforms, found.vocabulary, found.dim) == (("average",), "item", 96)
    assert (found.max_length, found.tensor_dim) == (50, 96)
    same = resolved(bought.replace(max_length=7, dim=96)).buyer[1]
    assert (same.max_length, same.dim) == (7, 96)
    # Before the data is read, the dim that depends on it can't be compared.
    assert resolve_features(config(bought.replace(dim=96)), TYPES, {}).buyer[1].dim == 8


@pytest.mark.parametrize(
    ("feature", "told", "key"),
    [
        (
            {"column": "bought", "dim": 32},
            'whose embeddings are those of "item"',
            "dim",
        ),
        ({"column": "bought", "buckets": 5}, "whose buckets go with the transform", "buckets"),
        ({"column": "bought", "transforms": ["embed"]}, "which takes average", "transforms"),
        ({"column": "age", "max_length": 5}, "whose max_length goes with hist", "max_length"),
    ],
)
def test_what_a_history_does_not_take_is_told(feature, told, key):
    with pytest.raises(DataMisfit, match=told) as refused:
        resolved(FeatureDefinition.model_validate(feature))
    assert refused.value.path == ("features", "f", "buyer", 1, key)


@pytest.mark.parametrize(
    ("cross", "told", "key"),
    [
        (
            CrossDefinition(columns=("user", "bought")),
            'Column "bought" is a history, which can\'t be crossed.',
            ("columns", 1),
        ),
        (
            CrossDefinition(columns=("user", "age"), crossing_buckets={"user": 5}),
            'Column "user" is text, which is crossed as it is.',
            ("crossing_buckets", "user"),
        ),
    ],
)
def test_a_cross_that_its_columns_do_not_take_is_told(cross, told, key):
    features = config(FeatureDefinition(column="age"), buyer_crosses=(cross,))
    with pytest.raises(DataMisfit) as refused:
        resolve_features(features, TYPES, {})
    assert refused.value.message == told
    assert refused.value.path == ("features", "f", "buyer_crosses", 0, *key)
