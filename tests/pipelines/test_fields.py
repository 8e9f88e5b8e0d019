"""Fields of a tower: what is embedded, what is averaged, and which table it is."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import pipelines.tf_environment  # noqa: F401
from engine.previews import tower_features
from engine.spec import Cross, Feature, FeatureConfig
from tests.pipelines.any_features import ITEM, SIZES, USER, feature_configs, history

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.data import stack_tensors  # noqa: E402
from pipelines.models.fields import Fields, SharedTables  # noqa: E402


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
