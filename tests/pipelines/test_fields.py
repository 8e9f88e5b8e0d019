"""Fields of a tower: what is embedded, what is averaged, and which table it is."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pipelines.tf_environment  # noqa: F401
from engine.previews import tower_features
from engine.spec import TRANSFORMS, Cross, CrossPart, Feature, FeatureConfig

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.data import stack_tensors  # noqa: E402
from pipelines.models.fields import Fields, SharedTables  # noqa: E402

SIZES = {"user": 3, "item": 4, "word": 5, "empty": 0}
USER = Feature(column="user", data_type="text", transforms=("embed",), dim=4, primary=True)
ITEM = Feature(column="item", data_type="text", transforms=("embed",), dim=2, primary=True)


def history(column: str = "bought", length: int = 3) -> Feature:
    return Feature(
        column=column,
        data_type="history",
        transforms=("average",),
        dim=2,
        max_length=length,
        vocabulary="item",
    )


def both_towers(*buyer: Feature | Cross) -> tuple[Fields, Fields]:
    """Return the fields of a query and a candidate tower with their weights."""
    shared = SharedTables(SIZES)
    query, candidate = Fields((USER, *buyer), SIZES, shared), Fields((ITEM,), SIZES, shared)
    candidate(stack_tensors({}, (ITEM,), tf.constant(1)))
    return query, candidate


def test_a_history_is_the_mean_of_the_candidate_towers_embeddings():
    features = (USER, history())
    query, candidate = both_towers(history())
    lists = tf.constant([[1, 3, 0], [5, 5, 2], [0, 0, 0]], tf.int64)
    inputs = stack_tensors({"bought.average_3": lists}, features, tf.constant(3))
    _, found = query(inputs)
    table = candidate.get_weights()[0]
    expected = [(table[1] + table[3]) / 2, (2 * table[5] + table[2]) / 3, [0, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-7)


def test_the_shared_table_learns_from_both_towers_and_belongs_to_the_candidates():
    query, candidate = both_towers(history())
    inputs = stack_tensors(
        {"bought.average_3": tf.constant([[1, 3, 0]], tf.int64)}, (USER, history()), tf.constant(1)
    )
    query(inputs)
    assert [weight.shape[0] for weight in query.trainable_variables] == [1 + 3 + 1]
    (table,) = candidate.trainable_variables
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(query(inputs)[1])
    gradient = tf.convert_to_tensor(tape.gradient(loss, table)).numpy()
    assert gradient[[1, 3]].tolist() == [[0.5, 0.5], [0.5, 0.5]]
    assert not gradient[[0, 2, 4, 5]].any()


def test_a_history_without_the_other_towers_tables_is_refused():
    with pytest.raises(ValueError, match="tables of the other tower"):
        Fields((USER, history()), SIZES)


def test_two_histories_read_their_own_columns():
    features = (USER, history("bought", 1), history("seen", 2))
    query, candidate = both_towers(*features[1:])
    tensors = {
        "bought.average_1": tf.constant([[2]], tf.int64),
        "seen.average_2": tf.constant([[4, 0]], tf.int64),
    }
    _, bought, seen = query(stack_tensors(tensors, features, tf.constant(1)))
    table = candidate.get_weights()[0]
    np.testing.assert_allclose([bought[0], seen[0]], [table[2], table[4]])


@st.composite
def features_of(draw: st.DrawFn, column: str) -> Feature:
    """Return a feature of any data type with any of its transforms."""
    kind = draw(st.sampled_from(sorted(TRANSFORMS)))
    if kind == "history":
        return history(column, draw(st.integers(1, 5)))
    if kind == "text":
        column = draw(st.sampled_from(["word", "empty"]))
    chosen = draw(st.sets(st.sampled_from(TRANSFORMS[kind]), min_size=1))
    embeds = {"embed", "bucketize"} & chosen
    return Feature(
        column=column,
        data_type=kind,
        transforms=tuple(t for t in TRANSFORMS[kind] if t in chosen),
        dim=draw(st.integers(1, 7)) if embeds else None,
        buckets=draw(st.integers(2, 9)) if "bucketize" in chosen else None,
    )


@st.composite
def crosses(draw: st.DrawFn) -> Cross:
    parts = [
        CrossPart(column="user", data_type="text"),
        CrossPart(column="age", data_type="numeric", buckets=draw(st.integers(2, 9))),
        CrossPart(column="at", data_type="temporal", buckets=3),
    ]
    return Cross(
        parts=tuple(parts[: draw(st.integers(2, 3))]),
        buckets=draw(st.integers(2, 99)),
        dim=draw(st.integers(1, 7)),
    )


@st.composite
def feature_configs(draw: st.DrawFn) -> FeatureConfig:
    def rest(prefix: str) -> list[Feature]:
        count = draw(st.integers(0, 4))
        found = [draw(features_of(f"{prefix}{i}")) for i in range(count)]
        return list({feature.column: feature for feature in found}.values())

    return FeatureConfig(
        name="f",
        dataset="d",
        buyer=(USER, *rest("b")),
        product=(*rest("p"), ITEM),
        buyer_crosses=tuple(draw(st.lists(crosses(), max_size=2))),
        product_crosses=tuple(draw(st.lists(crosses(), max_size=1))),
    )


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(feature_configs())
def test_widths_and_weights_of_any_features_are_those_that_the_app_shows(config: FeatureConfig):
    shared = SharedTables(SIZES)
    sides = (
        (config.buyer_inputs, config.buyer_dim),
        (config.product_inputs, config.product_dim),
    )
    towers = [(Fields(inputs, SIZES, shared), inputs, dim) for inputs, dim in sides]
    for fields, inputs, dim in towers:
        joined = tf.concat(fields(stack_tensors({}, inputs, tf.constant(2))), axis=1)
        shown = tower_features(inputs, SIZES)
        assert joined.shape[1] == dim == shown.tensor_dim
        assert sum(row.tensor_dim for row in shown.features) == dim
        assert fields.count_params() == shown.embedding_parameters
