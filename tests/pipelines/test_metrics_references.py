import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import metrics

UNKNOWN = metrics.UNKNOWN


def ranks_one_by_one(scores, counts, truth):
    """Return (above, ties) by scores, then counts, counting each row's candidates one by one."""
    ranks = []
    for row, true in zip(scores, truth, strict=True):
        keys = [(np.float32(score), count) for score, count in zip(row, counts, strict=True)]
        above = sum(key > keys[true] for key in keys)
        level = sum(key == keys[true] for key in keys)
        ranks.append((np.nan, 0) if true == UNKNOWN else (above, level - 1))
    return np.array(ranks, float).T


def pair_counts(buyer, product, buyers, products):
    """Return `[buyers + 1, products]`; the last row, that of an unknown buyer, has nothing."""
    pairs = np.zeros((buyers + 1, products))
    np.add.at(pairs, (buyer, product), 1)
    return pairs


def item_to_item_scores(pairs, neighbours=None):
    """Return the scores of the formula by dense matrices, from some buyers' co-occurrences."""
    weights = np.log1p(pairs)
    drawn = weights[:-1] if neighbours is None else weights[neighbours]
    squares = (weights**2).sum(axis=0)
    together = drawn.T @ drawn * (len(weights) - 1) / len(drawn)
    np.fill_diagonal(together, squares)
    return weights @ (together / np.outer(squares**0.8, squares**0.2))


@st.composite
def interactions(draw):
    """Return train pairs in which every buyer and product occurs, and some test pairs."""
    buyers, products = draw(st.integers(1, 6)), draw(st.integers(1, 7))
    rows = draw(st.lists(st.tuples(*map(st.integers, (0, 0), (buyers - 1, products - 1)))))
    rows += [(buyer, buyer % products) for buyer in range(buyers)]
    rows += [(product % buyers, product) for product in range(products)]
    train = np.array(rows)
    pair = st.tuples(st.integers(-1, buyers - 1), st.integers(-1, products - 1))
    test = np.array(draw(st.lists(pair, min_size=1, max_size=20)))
    return train[:, 0], train[:, 1], test[:, 0], test[:, 1]


@settings(deadline=None)
@given(interactions())
def test_all_references_have_the_ranks_of_brute_force(data):
    train_buyer, train_product, buyer, truth = data
    counts = np.bincount(train_product)
    pairs = pair_counts(train_buyer, train_product, train_buyer.max() + 1, len(counts))
    nothing = np.zeros((len(truth), len(counts)))
    np.testing.assert_array_equal(
        metrics.popularity_ranks(counts, truth), ranks_one_by_one(nothing, counts, truth)
    )
    np.testing.assert_array_equal(
        metrics.own_history_ranks(*data[:2], counts, *data[2:]),
        ranks_one_by_one(pairs[buyer], counts, truth),
    )
    np.testing.assert_array_equal(
        metrics.item_to_item_ranks(*data[:2], counts, *data[2:], seed=0),
        ranks_one_by_one(item_to_item_scores(pairs)[buyer], counts, truth),
    )


def test_popularity_ranks_products_by_their_counts():
    counts = np.array([5, 1, 5, 3, 1, 1])
    ranks = metrics.popularity_ranks(counts, np.array([0, 1, 2, 3, 4, UNKNOWN]))
    np.testing.assert_array_equal(ranks.mid, [0.5, 4, 0.5, 2, 4, np.nan])


def test_own_history_puts_what_the_buyer_had_first_and_popularity_behind():
    # Train: buyer 0 had product 2 twice and product 0 once; buyer 1 had 1, 3 and 3.
    train_buyer = np.array([0, 0, 0, 1, 1, 1])
    train_product = np.array([2, 2, 0, 1, 3, 3])
    counts = np.array([1, 1, 2, 2])
    buyer = np.array([0, 0, 0, 0, 1, UNKNOWN, 0])
    truth = np.array([2, 0, 3, 1, 1, 2, UNKNOWN])
    ranks = metrics.own_history_ranks(train_buyer, train_product, counts, buyer, truth)
    # 2, 0, then 3 before 1; buyer 1: 3, 1; a new buyer: 2 and 3 tie for the first two places.
    np.testing.assert_array_equal(ranks.mid, [0, 1, 2, 3, 1, 0.5, np.nan])


def item_to_item(pairs, buyer, truth):
    train_buyer, train_product = np.array(pairs).T
    return metrics.item_to_item_ranks(
        train_buyer, train_product, np.bincount(train_product), np.array(buyer),
        np.array(truth), seed=0,
    ).mid.tolist()  # fmt: skip


def test_item_to_item_ranks_what_the_same_buyers_have():
    # Buyer 0 has product 0, which buyer 1 has with 1; product 2 is the most popular.
    pairs = [(0, 0), (1, 0), (1, 1), (2, 2), (3, 2), (4, 2), (5, 2), (5, 3)]
    assert item_to_item(pairs, [0, 0, 0, 0], [0, 1, 2, 3]) == [0, 1, 2, 3]


def test_item_to_item_weighs_a_candidates_buyers_by_a_fifth():
    """Product 0 occurs once with 1, a product of one buyer, and twice with 2, one of nine.

    By the plain cosine 1/√1 > 2/√9 would put product 1 first; here 1/1^0.2 < 2/9^0.2 = 1.29.
    """
    pairs = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 2), (3, 0), (3, 2)]
    pairs += [(buyer, 2) for buyer in range(4, 11)]
    assert item_to_item(pairs, [0, 0, 0], [0, 2, 1]) == [0, 1, 2]


def test_item_to_item_offers_an_unknown_buyer_what_is_popular():
    pairs = [(0, 0), (1, 0), (1, 1), (2, 2), (3, 2), (4, 2)]
    assert item_to_item(pairs, [UNKNOWN] * 3, [2, 0, 1]) == [0, 1, 2]


def test_item_to_item_projects_from_a_sample_of_buyers_where_all_are_too_much_work():
    rng = np.random.default_rng(5)
    train_buyer, train_product = np.arange(600) % 20, rng.integers(0, 30, 600)
    counts = np.bincount(train_product, minlength=30)
    pairs = pair_counts(train_buyer, train_product, 20, 30)
    buyer, truth = rng.integers(0, 20, 200), rng.integers(0, 30, 200)
    half = 20 * np.count_nonzero(pairs) // 2
    ranks = metrics.item_to_item_ranks(
        train_buyer, train_product, counts, buyer, truth, seed=3, max_work=half
    )
    drawn = np.random.default_rng(3).choice(20, 10, replace=False)
    expected = ranks_one_by_one(item_to_item_scores(pairs, drawn)[buyer], counts, truth)
    np.testing.assert_array_equal(ranks, expected)
    everything = ranks_one_by_one(item_to_item_scores(pairs)[buyer], counts, truth)
    assert not np.array_equal(ranks, everything, equal_nan=True)


def test_references_agree_on_what_train_does_not_know():
    counts = np.array([2, 1])
    train, test = (np.array([0, 0, 1]), np.array([0, 1, 0])), (np.array([0]), np.array([UNKNOWN]))
    for ranks in (
        metrics.popularity_ranks(counts, test[1]),
        metrics.own_history_ranks(*train, counts, *test),
        metrics.item_to_item_ranks(*train, counts, *test, seed=0),
    ):
        assert ranks.above.tolist() == pytest.approx([np.nan], nan_ok=True)
        assert ranks.ties.tolist() == [0]
