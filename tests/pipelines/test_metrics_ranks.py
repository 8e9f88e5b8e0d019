import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import ndcg_score, top_k_accuracy_score
from sklearn.neighbors import NearestNeighbors

from pipelines import metrics
from pipelines.metrics import Ranks
from pipelines.metrics import ranks as ranking

UNKNOWN = metrics.UNKNOWN


def ranked(scores, truth, queries=None):
    scores = np.array(scores, float)
    queries = np.zeros(len(scores), bool) if queries is None else np.array(queries, bool)
    return metrics.rank_candidates(
        lambda rows: scores[rows], np.array(truth), scores.shape[1], queries
    )


def test_a_rank_counts_the_greater_scores():
    assert ranked([[0.1, 0.9, 0.5], [3, 2, 1], [1, 2, 3]], [2, 0, 0]).ranks.mid.tolist() == [
        1,
        0,
        2,
    ]


def test_ties_count_half_of_the_others():
    ranks = ranked([[7, 7, 7, 7], [7, 7, 7, 9], [5, 7, 7, 9]], [0, 0, 2]).ranks
    assert ranks.mid.tolist() == [1.5, 2, 1.5]
    assert ranks.above.tolist() == [0, 1, 1]
    assert ranks.ties.tolist() == [3, 2, 1]


def test_an_unknown_product_has_no_rank_and_is_a_miss():
    ranks = ranked([[1, 2], [1, 2]], [UNKNOWN, 1]).ranks
    assert np.isnan(ranks.above[0])
    assert metrics.ranking_metrics(ranks)["recall_at_5"] == 0.5
    assert metrics.ranking_metrics(ranks)["ndcg_at_10"] == 0.5


def test_a_score_that_is_no_number_has_no_rank():
    assert np.isnan(ranked([[np.nan, 2, 3]], [0]).ranks.above[0])


def test_the_result_does_not_depend_on_the_blocks(monkeypatch):
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 5, (57, 31)).astype(float)
    truth, queries = rng.integers(-1, 31, 57), rng.random(57) < 0.05
    whole = ranked(scores, truth, queries)
    monkeypatch.setattr(ranking, "_SCORES_PER_BLOCK", 93)
    in_blocks = ranked(scores, truth, queries)
    np.testing.assert_array_equal(whole.ranks.above, in_blocks.ranks.above)
    np.testing.assert_array_equal(whole.ranks.ties, in_blocks.ranks.ties)
    assert 0 < whole.coverage == in_blocks.coverage < 1


def test_recall_is_the_share_of_rows_within_the_first_k():
    above = np.array([0, 4, 4, 5, 9, 10, 49, 50, 99, np.nan])
    assert metrics.recalls(Ranks(above, np.zeros(10))) == {
        "recall_at_5": 0.3,
        "recall_at_10": 0.5,
        "recall_at_50": 0.7,
        "recall_at_100": 0.9,
    }


def test_a_tie_across_the_cut_is_a_hit_as_often_as_in_a_random_order():
    # 3 above and 3 level: the places 4 to 7, of which 2 are among the first 5.
    ranks = Ranks(np.array([3.0, 5, 0]), np.array([3.0, 3, 9]))
    assert metrics.hits(ranks, 5).tolist() == [2 / 4, 0, 5 / 10]
    # Places 9 to 12: the 9th and 10th are worth something.
    ninth, tenth = 1 / np.log2(10), 1 / np.log2(11)
    across = Ranks(np.array([8.0]), np.array([3.0]))
    assert metrics.ranking_metrics(across)["ndcg_at_10"] == pytest.approx((ninth + tenth) / 4)


def test_a_model_that_scores_everything_alike_has_the_recall_of_chance():
    found = metrics.recalls(ranked(np.zeros((3, 150)), [0, 70, 149]).ranks)
    assert found["recall_at_100"] == pytest.approx(100 / 150)
    assert found["recall_at_5"] == pytest.approx(5 / 150)


def test_ties_are_worth_the_mean_over_random_orders():
    rng = np.random.default_rng(0)
    scores, truth = rng.integers(0, 4, (40, 30)).astype(float), rng.integers(0, 30, 40)
    found = metrics.ranking_metrics(ranked(scores, truth).ranks)
    shuffled = [
        metrics.ranking_metrics(ranked(scores + 0.5 * rng.random(scores.shape), truth).ranks)
        for _ in range(400)
    ]
    for name in ("recall_at_5", "recall_at_10", "ndcg_at_10"):
        assert found[name] == pytest.approx(np.mean([s[name] for s in shuffled]), abs=0.005)


def test_recall_equals_top_k_accuracy():
    rng = np.random.default_rng(0)
    scores, truth = rng.random((300, 200)), rng.integers(0, 200, 300)
    found = metrics.recalls(ranked(scores, truth).ranks)
    for k in ranking.RECALL_AT:
        expected = top_k_accuracy_score(truth, scores, k=k, labels=np.arange(200))
        assert found[f"recall_at_{k}"] == pytest.approx(expected)


def test_ndcg_discounts_by_the_logarithm_of_the_place():
    # First place 1, third 1/log2(4), ninth and tenth shared, eleventh and unknown 0.
    ranks = Ranks(np.array([0, 2, 8, 10, np.nan]), np.array([0.0, 0, 1, 0, 0]))
    shared = (1 / np.log2(10) + 1 / np.log2(11)) / 2
    expected = (1 + 1 / 2 + shared) / 5
    assert metrics.ranking_metrics(ranks)["ndcg_at_10"] == pytest.approx(expected)


def test_ndcg_equals_an_independent_implementation():
    rng = np.random.default_rng(0)
    scores, truth = rng.random((300, 40)), rng.integers(0, 40, 300)
    expected = ndcg_score(np.eye(40)[truth], scores, k=10)
    found = metrics.ranking_metrics(ranked(scores, truth).ranks)["ndcg_at_10"]
    assert found == pytest.approx(expected)


def test_coverage_is_the_share_of_candidates_on_any_list():
    # 40 candidates; the first query shows 0 to 9, the second 5 to 14, the third isn't one.
    scores = np.zeros((3, 40))
    scores[0, :10] = scores[1, 5:15] = scores[2, 20:30] = 1
    assert ranked(scores, [0, 0, 0], [True, True, False]).coverage == 15 / 40


def test_coverage_equals_that_of_the_nearest_neighbours():
    """Of unit vectors the highest products are the nearest ones."""
    rng = np.random.default_rng(0)
    queries, candidates = (
        vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        for vectors in (rng.normal(size=(20, 4)), rng.normal(size=(150, 4)))
    )
    asked = rng.random(20) < 0.5
    lists = NearestNeighbors(n_neighbors=10).fit(candidates).kneighbors(queries[asked])[1]
    found = ranked(queries @ candidates.T, rng.integers(0, 150, 20), asked).coverage
    assert 0.1 < found == len(np.unique(lists)) / 150 < 0.9


def test_lists_prefer_the_lower_index_among_equal_scores():
    assert sorted(ranking.first(np.array([1.0, 3, 2, 2, 2, 0]), 3)) == [1, 2, 3]
    assert sorted(ranking.first(np.array([1.0, 3]), 10)) == [0, 1]


def test_metrics_need_neither_tensorflow_nor_the_run_folder():
    code = (
        "import sys, pipelines.metrics;"
        "heavy = {'tensorflow', 'tfx', 'pyarrow', 'engine.spec.run_folder'};"
        "assert not heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
