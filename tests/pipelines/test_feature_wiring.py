"""What the model does with histories, crosses and transformed targets, from end to end."""

import numpy as np
import pytest

import pipelines.tf_environment  # noqa: F401
from engine.previews import tower_features
from engine.spec import Cross, CrossPart, Feature, RatingSettings, Target
from pipelines.errors import RunFailure
from tests.pipelines.small_examples import VOCABULARIES, small_spec

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.data import TowerInput  # noqa: E402
from pipelines.models.rating import Rating, RatingInput, labels_of  # noqa: E402
from pipelines.models.two_tower import TwoTowerModel  # noqa: E402

LABELS = np.array([0, 1, 7, np.nan], np.float32)


def rating(target: Target | None) -> Rating:
    settings = RatingSettings(loss="mse", layers=None, biases=False)
    return Rating(settings, labels_of(LABELS, "mse", target), buyer_ids=3, product_ids=3)


def first_prediction(head: Rating) -> float:
    vectors, ids = tf.zeros([1, 2]), tf.zeros([1], tf.int32)
    raw, _ = head(RatingInput(vectors, vectors, ids, ids))
    return float(head.ratings(raw)[0])


def test_ratings_and_losses_are_of_the_transformed_target():
    """Means: of 0, 1, 7 it is 8/3; log(1 + x) is log 2 · (0, 1, 3), whose mean is log 2 · 4/3."""
    assert first_prediction(rating(None)) == pytest.approx(8 / 3)
    logarithmic = rating(Target(column="spent", log1p=True))
    assert first_prediction(logarithmic) == pytest.approx(2 ** (4 / 3) - 1, rel=1e-5)
    loss = logarithmic.losses_of(tf.constant([7.0]), tf.constant([0.0]))
    np.testing.assert_allclose(loss, [(3 * np.log(2)) ** 2], rtol=1e-5)
    assert float(logarithmic.ratings(tf.constant([99.0]))[0]) == 7


def test_cross_entropy_refuses_transformed_labels():
    labels = np.array([0, 1], np.float32)
    with pytest.raises(RunFailure, match="labels as they are"):
        labels_of(labels, "binary_crossentropy", Target(column="x", normalize=True))


def test_both_towers_read_one_table_and_the_previews_count_it_once():
    spec = small_spec()
    bought = Feature(
        column="bought", data_type="history", transforms=("average",), dim=4, max_length=3,
        vocabulary="product",
    )  # fmt: skip
    parts = (CrossPart(column="buyer", data_type="text"), CrossPart(column="bin", data_type="text"))
    cross = Cross(parts=parts, buckets=9, dim=3)
    buyer = (*spec.features.buyer, bought)
    features = spec.features.replace(buyer=buyer, buyer_crosses=(cross,))
    model = TwoTowerModel(spec.replace(features=features), VOCABULARIES)
    query = TowerInput(tf.constant([[1, 9]]), tf.zeros([1, 0]), tf.constant([[2, 5, 0]], tf.int32))
    candidate = TowerInput(tf.constant([[1, 1, 1]]), tf.zeros([1, 3]), tf.zeros([1, 0], tf.int32))
    model.query_tower(query)
    model.candidate_tower(candidate)
    names = [v.ref() for part in model.parts.values() for v in part.trainable_variables]
    assert len(names) == len(set(names))
    shown = [
        tower_features(side, VOCABULARIES).embedding_parameters
        for side in (features.buyer_inputs, features.product_inputs)
    ]
    tables = [
        sum(t.count_params() for t in part.submodules if isinstance(t, tf.keras.layers.Embedding))
        for part in model.parts.values()
    ]
    assert shown == tables
