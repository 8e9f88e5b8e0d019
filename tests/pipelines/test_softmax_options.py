"""Each option of the in-batch softmax against values computed by hand."""

import math

import numpy as np
import pytest

import pipelines.tf_environment  # noqa: F401
from engine.spec import RetrievalSettings

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.models.softmax import in_batch_softmax  # noqa: E402

SCORES = np.array([[2.0, 1.0, 0.0], [0.5, 1.5, 0.0], [1.0, -1.0, 0.0]], np.float32)
"""Of 3 rows; as a product of embeddings: rows times the identity."""


def loss(scores=SCORES, product=(0, 1, 2), **settings: object) -> float:
    rows = len(scores)
    found = in_batch_softmax(
        tf.constant(scores),
        tf.eye(rows),
        settings=RetrievalSettings(temperature=1.0, **settings),
        probability=tf.fill([rows], 0.1),
        product=tf.constant(product, tf.int32),
    )
    return float(found)


def cross_entropy(own: float, *others: float) -> float:
    return math.log(sum(math.exp(score) for score in (own, *others))) - own


def test_without_options_a_row_meets_the_whole_batch():
    rows = (cross_entropy(2, 1, 0), cross_entropy(1.5, 0.5, 0), cross_entropy(0, 1, -1))
    assert loss() == pytest.approx(sum(rows) / 3, rel=1e-5)
    assert loss(softmax_group=64) == pytest.approx(sum(rows) / 3, rel=1e-5)


def test_groups_have_a_softmax_each_and_the_rest_meets_the_last_of_the_batch():
    """Rows 0 and 1 are a group; row 2 is left over and meets the last two candidates."""
    rows = (cross_entropy(2, 1), cross_entropy(1.5, 0.5), cross_entropy(0, -1))
    assert loss(softmax_group=2) == pytest.approx(sum(rows) / 3, rel=1e-5)


def test_a_row_is_not_its_own_negative_when_accidental_hits_are_removed():
    rows = (cross_entropy(2, 1), cross_entropy(1.5, 0.5, 0), cross_entropy(0, -1))
    found = loss(product=(7, 1, 7), remove_accidental_hits=True)
    assert found == pytest.approx(sum(rows) / 3, rel=1e-5)


def test_hard_negatives_are_the_highest_scores():
    rows = (cross_entropy(2, 1), cross_entropy(1.5, 0.5), cross_entropy(0, 1))
    assert loss(hard_negatives=1) == pytest.approx(sum(rows) / 3, rel=1e-5)


def test_label_smoothing_spreads_a_share_of_the_target():
    plain = loss()
    lost = [own - np.mean(row) for own, row in zip(np.diag(SCORES), SCORES, strict=True)]
    assert loss(label_smoothing=0.3) == pytest.approx(plain + 0.3 * np.mean(lost), rel=1e-5)


def test_smoothing_leaves_removed_hits_out():
    options = {"product": (7, 1, 7), "remove_accidental_hits": True}
    lost = (2 - 1.5, 1.5 - 2 / 3, 0 - -0.5)
    expected = loss(**options) + 0.3 * np.mean(lost)
    assert loss(**options, label_smoothing=0.3) == pytest.approx(expected, rel=1e-5)
