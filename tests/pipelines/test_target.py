"""Hand-computed targets: clip, then logarithm, then z-score, and back."""

import math

import numpy as np
import pytest

from engine.spec import Target
from pipelines.errors import RunFailure

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.target import TargetTransform  # noqa: E402


def fit(*labels: float, **steps: object) -> TargetTransform:
    return TargetTransform.fit(Target(column="spent", **steps), np.array(labels, np.float32))


def values(*labels: float) -> np.ndarray:
    return np.array(labels, np.float32)


def test_without_steps_labels_stay_as_they_are():
    transform = fit(1, 2, math.nan)
    np.testing.assert_array_equal(transform.forward(values(5, math.nan)), [5, math.nan])
    np.testing.assert_array_equal(transform.inverse(values(7)), [7])


def test_labels_are_clipped_at_percentiles_of_train():
    """Of 0 … 10 the 10th percentile is 1, the 80th 8."""
    transform = fit(*range(11), math.nan, clip=(10, 80))
    assert transform.forward(values(-5, 1, 4, 8, 100)).tolist() == [1, 1, 4, 8, 8]
    assert transform.inverse(values(4, 9)).tolist() == [4, 9]


def test_the_logarithm_is_of_one_more():
    transform = fit(0, 3, log1p=True)
    np.testing.assert_allclose(transform.forward(values(0, math.e - 1)), [0, 1], atol=1e-6)
    np.testing.assert_allclose(transform.inverse(values(0, 1)), [0, math.e - 1], atol=1e-6)


def test_scores_have_the_mean_and_deviation_of_train():
    """Mean 2, standard deviation 1."""
    transform = fit(1, 3, 1, 3, math.nan, normalize=True)
    assert transform.forward(values(1, 5)).tolist() == [-1, 3]
    assert transform.inverse(values(-1, 3)).tolist() == [1, 5]


def test_the_steps_are_clip_logarithm_score_in_this_order():
    """After the clip at the median and the maximum: 1, 1, 7; log(1 + x) = log 2 · (1, 1, 3)."""
    transform = fit(0, 1, 7, clip=(50, 100), log1p=True, normalize=True)
    mean, deviation = 5 / 3, math.sqrt(8 / 9)
    expected = [(1 - mean) / deviation, (1 - mean) / deviation, (3 - mean) / deviation]
    np.testing.assert_allclose(transform.forward(values(0, 1, 7)), expected, rtol=1e-5)


def test_equal_labels_of_train_become_zero():
    transform = fit(5, 5, 5, log1p=True, normalize=True)
    np.testing.assert_allclose(transform.forward(values(5)), [0], atol=1e-6)
    np.testing.assert_allclose(transform.inverse(transform.forward(values(9))), [9], rtol=1e-5)


@pytest.mark.parametrize("log1p", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("clip", [None, (0, 100)])
def test_the_inverse_gives_labels_back_as_array_and_as_tensor(log1p, normalize, clip):
    labels = np.random.default_rng(0).gamma(2, 3, 1_000).astype(np.float32)
    transform = fit(*labels, log1p=log1p, normalize=normalize, clip=clip)
    learnt = transform.forward(labels)
    assert learnt.dtype == np.float32
    np.testing.assert_allclose(transform.inverse(learnt), labels, rtol=1e-4)
    as_tensor = transform.forward(tf.constant(labels))
    np.testing.assert_allclose(as_tensor.numpy(), learnt, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(transform.inverse(as_tensor).numpy(), labels, rtol=1e-4)


def test_a_value_without_a_logarithm_is_told():
    with pytest.raises(RunFailure, match='target "spent" has values down to -2; log'):
        fit(-2, 3, log1p=True, normalize=True)
    with pytest.raises(RunFailure, match="down to -1;"):
        fit(0, 3, log1p=True).forward(values(-1))
    clipped = fit(-2, 1, 3, log1p=True, clip=(50, 100)).forward(values(-2))
    np.testing.assert_allclose(clipped, [math.log(2)], rtol=1e-6)


def test_train_without_a_label_is_told():
    with pytest.raises(RunFailure, match="No row of the train split has a target"):
        fit(math.nan)
