import subprocess
import sys

import numpy as np
import pytest

from engine.spec.uncertainty import clustered_interval
from pipelines.errors import RunFailure
from pipelines.evaluation import candidates_of, evaluate_retrieval, recall_alone
from tests.pipelines.interactions import interactions

TRAIN = interactions([("a", "x"), ("a", "x"), ("b", "x"), ("b", "y"), ("c", "z")])
TEST = interactions([("a", "x"), ("b", "z"), ("new", "y"), ("c", "?")])
SCORES = np.array([[3, 2, 1], [0, 0, 9], [3, 2, 10], [3, 2, 1]], np.float32)  # of x, y, z


def evaluated(scores, train, test, seed=0):
    scores = np.asarray(scores, np.float32)
    return evaluate_retrieval(
        lambda rows: scores[rows],
        train=train, test=test, candidates=candidates_of(train), seed=seed,
    )  # fmt: skip


def test_every_row_has_its_ranks_and_unknown_products_have_none():
    found = evaluated(SCORES, TRAIN, TEST)
    assert found.rows.to_pydict() == {
        "row_key": [100, 101, 102, 103],
        "buyer": ["a", "b", "new", "c"],
        "product": ["x", "z", "y", "?"],
        "seen_in_train": [True, False, False, False],
        "rank": [0, 0, 2, None],
        "rank_ties": [0, 0, 0, 0],
        "popularity_rank": [0, 1.5, 1.5, None],
        "popularity_rank_ties": [0, 1, 1, 0],
        "own_history_rank": [0, 2, 1.5, None],
        "own_history_rank_ties": [0, 0, 1, 0],
        "item_to_item_rank": [0, 2, 1.5, None],
        "item_to_item_rank_ties": [0, 0, 1, 0],
    }


def test_shares_count_what_train_knows():
    assert evaluated(SCORES, TRAIN, TEST).shares._asdict() == {
        "unknown_product_share": 0.25,
        "unknown_buyer_share": 0.25,
        "seen_in_train_share": 0.25,
    }


def test_metrics_are_those_of_the_test_rows():
    found = evaluated(SCORES, TRAIN, TEST)
    ndcg = (1 + 1 + 1 / np.log2(4) + 0) / 4
    assert found.metrics == {
        **{f"{on}recall_at_{k}": 0.75 for on in ("", "test_") for k in (5, 10, 50, 100)},
        "ndcg_at_10": pytest.approx(ndcg),
        "test_ndcg_at_10": pytest.approx(ndcg),
        "catalogue_coverage": 1.0,
    }
    assert (found.interval.metric, found.interval.value) == ("recall_at_100", 0.75)


def test_new_products_are_those_whose_pair_train_does_not_have():
    found = evaluated(SCORES, TRAIN, TEST).new_products
    assert found is not None
    assert found.rows == 3
    assert found.metrics["recall_at_5"] == found.popularity["recall_at_5"] == pytest.approx(2 / 3)


def test_there_are_no_new_products_where_train_has_every_pair():
    assert evaluated(SCORES[:1], TRAIN, interactions([("a", "x")])).new_products is None


def hits(rows, name):
    """Return the share of each tie that is among the first 100."""
    above, ties = rows[name] - rows[f"{name}_ties"] / 2, rows[f"{name}_ties"]
    return np.minimum(1, np.maximum(0, (100 - above) / (ties + 1))).fillna(0).to_numpy()


def test_references_have_the_paired_difference_from_the_model():
    rng = np.random.default_rng(0)
    train = interactions([(f"b{row % 40}", f"p{row % 300}") for row in range(600)])
    test = interactions([(f"b{b}", f"p{p}") for b, p in rng.integers(0, (40, 300), (400, 2))])
    found = evaluated(rng.random((400, 300)), train, test, seed=4)
    rows = found.rows.to_pandas()
    for baseline in (found.baseline, *found.references):
        own = hits(rows, f"{baseline.name}_rank")
        assert baseline.metrics["recall_at_100"] == pytest.approx(own.mean())
        expected = clustered_interval(hits(rows, "rank") - own, rows.buyer, seed=4, level=0.99)
        difference = baseline.difference
        recorded = (difference.value, difference.low, difference.high, difference.level)
        assert recorded == pytest.approx(tuple(expected))
    assert [baseline.name for baseline in found.references] == ["own_history", "item_to_item"]


def test_coverage_asks_once_a_buyer_with_the_last_row():
    """Of 20 products each list shows 10; a's two lists are disjoint, and only one counts."""
    train = interactions([("a", f"p{number}") for number in range(20)])
    test = interactions([("a", "p0"), ("a", "p0"), ("b", "p0")], timestamps=[9, 5, 7])
    low, high = np.arange(20) < 10, np.arange(20) >= 10
    assert evaluated([low, high, low], train, test).metrics["catalogue_coverage"] == 0.5
    assert evaluated([high, low, low], train, test).metrics["catalogue_coverage"] == 1.0


def test_scores_that_are_no_numbers_are_refused():
    scores = SCORES.copy()
    scores[1, 2] = np.nan
    with pytest.raises(RunFailure, match="not numbers"):
        evaluated(scores, TRAIN, TEST)


def test_evaluation_needs_no_tensorflow():
    code = "import sys, pipelines.evaluation; assert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_recall_alone_is_that_of_the_whole_evaluation():
    rng = np.random.default_rng(0)
    pairs = [(f"b{b}", f"p{p}") for b, p in rng.integers(0, 300, (900, 2))]
    train, test = interactions(pairs[:600]), interactions(pairs[600:])
    candidates = candidates_of(train)
    scores = rng.integers(0, 40, (300, len(candidates.ids))).astype(np.float32)
    alone = recall_alone(lambda rows: scores[rows], test.product, candidates)
    assert alone == evaluated(scores, train, test).interval.value
    assert 0 < alone < 1
