"""What the intervals claim where the truth is known."""

import numpy as np
import pytest

from engine.spec.uncertainty import clustered_interval
from pipelines.evaluation import candidates_of, evaluate_retrieval
from tests.pipelines.interactions import interactions

SEEDS = range(100)


def difference_from_popularity(seed, lift, popular=100):
    """Return the interval of a model that ranks at random, its true products raised by `lift`.

    `popular` random products have two rows of train and the others one, which says nothing of the
    test rows: popularity's first 100 are random too, and a tie where they are not 100.
    """
    rng = np.random.default_rng(seed)
    train_product = np.append(np.arange(250), rng.permutation(250)[:popular])
    train = interactions([("nobody", f"p{product}") for product in train_product])
    buyer, truth = np.repeat(np.arange(60), 8), rng.integers(0, 250, 480)
    test = interactions([(f"b{b}", f"p{p}") for b, p in zip(buyer, truth, strict=True)])
    scores = rng.random((480, 250), np.float32)
    scores[np.arange(480), truth] += lift
    return evaluate_retrieval(
        lambda rows: scores[rows],
        train=train, test=test, candidates=candidates_of(train), seed=seed,
    ).baseline.difference  # fmt: skip


@pytest.mark.parametrize("popular", [20, 60, 100, 140])
def test_an_equal_ranker_is_told_from_popularity_in_1_percent(popular):
    """Wherever the ties of popularity lie: across the first 100, or not."""
    differences = [difference_from_popularity(seed, 0.0, popular) for seed in SEEDS]
    covering = sum(found.low <= 0 <= found.high for found in differences)
    assert covering >= 95


def test_a_better_ranker_is_told_from_popularity():
    assert all(difference_from_popularity(seed, lift=0.2).low > 0 for seed in range(20))


def test_buyers_who_differ_are_no_claim():
    """Each buyer has a true difference of their own; their mean is 0."""
    covering = 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        buyer = np.repeat(np.arange(80), rng.integers(5, 40, 80))
        values = rng.normal(0, 0.3, 80)[buyer] + rng.normal(0, 0.5, len(buyer))
        found = clustered_interval(values, buyer, seed=seed)
        covering += found.low <= 0 <= found.high
    assert 90 <= covering <= 99


def test_equal_rating_models_are_told_apart_in_5_percent():
    covering = 0
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        buyer = np.repeat(np.arange(80), 10)
        common = rng.normal(0, 0.5, len(buyer))
        squares = (common[:, None] + rng.normal(0, 1, (len(buyer), 2))) ** 2
        found = clustered_interval(
            squares, buyer, seed=seed, statistic=lambda m: np.sqrt(m[..., 0]) - np.sqrt(m[..., 1])
        )
        covering += found.low <= 0 <= found.high
    assert 90 <= covering <= 99
