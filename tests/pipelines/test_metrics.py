import subprocess
import sys

import numpy as np

from pipelines import metrics

UNKNOWN = metrics.UNKNOWN


def ranks_of(scores, truth):
    scores = np.array(scores, float)
    return metrics.candidate_ranks(lambda rows: scores[rows], np.array(truth), scores.shape[1])


def test_a_rank_counts_the_greater_scores():
    ranks = ranks_of([[0.1, 0.9, 0.5], [3, 2, 1], [1, 2, 3]], [2, 0, 0])
    assert ranks.tolist() == [1, 0, 2]


def test_ties_count_half_of_the_others():
    ranks = ranks_of([[7, 7, 7, 7], [7, 7, 7, 9], [5, 7, 7, 9]], [0, 0, 2])
    assert ranks.tolist() == [1.5, 2, 1.5]


def test_an_unknown_product_has_no_rank_and_is_a_miss():
    ranks = ranks_of([[1, 2], [1, 2]], [UNKNOWN, 1])
    assert np.isnan(ranks[0])
    assert metrics.recalls(ranks)["recall_at_5"] == 0.5


def test_ranks_do_not_depend_on_the_batching(monkeypatch):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, (57, 11)).astype(float)
    truth = rng.integers(-1, 11, 57)
    whole = ranks_of(scores, truth)
    monkeypatch.setattr(metrics, "_SCORES_PER_BATCH", 33)
    np.testing.assert_array_equal(whole, ranks_of(scores, truth))


def test_recall_is_the_share_of_rows_within_the_first_k():
    ranks = np.array([0, 4, 4.5, 5, 9.5, 10, 49, 50, 99, np.nan])
    assert metrics.recalls(ranks) == {
        "recall_at_5": 0.3,
        "recall_at_10": 0.5,
        "recall_at_50": 0.7,
        "recall_at_100": 0.9,
    }


def test_popularity_ranks_products_by_their_counts():
    counts = np.array([5, 1, 5, 3, 1, 1])
    ranks = metrics.popularity_ranks(counts, np.array([0, 1, 2, 3, 4, UNKNOWN]))
    np.testing.assert_array_equal(ranks, [0.5, 4, 0.5, 2, 4, np.nan])


def test_own_history_puts_what_the_buyer_had_first_and_popularity_behind():
    # Train: buyer 0 had product 2 twice and product 0 once; buyer 1 had 1, 3 and 3.
    train_buyer = np.array([0, 0, 0, 1, 1, 1])
    train_product = np.array([2, 2, 0, 1, 3, 3])
    counts = np.array([1, 1, 2, 2])
    buyer = np.array([0, 0, 0, 0, 1, UNKNOWN, 0])
    truth = np.array([2, 0, 3, 1, 1, 2, UNKNOWN])
    ranks = metrics.own_history_ranks(train_buyer, train_product, counts, buyer, truth)
    # 2, 0, then 3 before 1; buyer 1: 3, 1; a new buyer: 2 and 3 tie for the first two places.
    np.testing.assert_array_equal(ranks, [0, 1, 2, 3, 1, 0.5, np.nan])


def test_own_history_equals_ranks_of_pair_counts_before_counts():
    rng = np.random.default_rng(0)
    train_buyer = rng.integers(12, size=400)
    train_product = (rng.random(400) ** 2 * 30).astype(int)
    counts = np.bincount(train_product, minlength=30)
    buyer, truth = rng.integers(-1, 14, size=300), rng.integers(-1, 30, size=300)
    pairs = np.zeros((15, 30))
    np.add.at(pairs, (train_buyer, train_product), 1)  # row -1, a buyer of nothing, is empty
    scores = pairs[buyer] * 1_000 + counts
    expected = metrics.candidate_ranks(lambda rows: scores[rows], truth, 30)
    ranks = metrics.own_history_ranks(train_buyer, train_product, counts, buyer, truth)
    np.testing.assert_array_equal(ranks, expected)


def test_popularity_equals_ranks_of_the_counts_as_scores():
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 9, 40)
    truth = rng.integers(-1, 40, 200)
    expected = ranks_of(np.broadcast_to(counts, (200, 40)), truth)
    np.testing.assert_array_equal(metrics.popularity_ranks(counts, truth), expected)


def test_metrics_need_numpy_only():
    code = (
        "import sys, pipelines.metrics;"
        "assert not {'tensorflow', 'tfx', 'pandas', 'pyarrow'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
