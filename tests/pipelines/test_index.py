"""The index against brute force in numpy: scores, leaves, own histories, and what is recorded."""

import numpy as np
import pytest

import pipelines.tf_environment  # noqa: F401
from engine.spec import RetrievalSettings

pytestmark = pytest.mark.pipeline
tf = pytest.importorskip("tensorflow")

from pipelines.index_measurement import measured_index, spread  # noqa: E402
from pipelines.models.index import (  # noqa: E402
    ENOUGH_PRODUCTS,
    BruteForce,
    Recommender,
    Scann,
    build_index,
)
from pipelines.models.own_history import own_history  # noqa: E402
from pipelines.models.serving import Candidates  # noqa: E402

DIM = 8


def vectors_of(products: int, *, seed: int = 0) -> np.ndarray:
    """Return products around 20 centres, their prior last."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(20, DIM))
    near = centres[rng.integers(0, 20, products)] + 0.3 * rng.normal(size=(products, DIM))
    prior = -rng.exponential(size=(products, 1))
    return np.append(near, prior, axis=1).astype(np.float32)


def queries_of(rows: int) -> np.ndarray:
    queries = vectors_of(rows, seed=1)
    queries[:, -1] = 1
    return queries


def found_by(index, queries) -> tuple[np.ndarray, np.ndarray]:
    scores, products = index.search(tf.constant(queries))
    return scores.numpy(), products.numpy()


def test_scann_gives_exact_scores_of_different_products_best_first():
    vectors, queries = vectors_of(2_000), queries_of(50)
    index = Scann(vectors, 10, num_leaves=20, leaves_to_search=5)
    scores, products = found_by(index, queries)
    exact = np.take_along_axis(queries @ vectors.T, products, axis=1)
    np.testing.assert_allclose(scores, exact, rtol=1e-5, atol=1e-5)
    assert all(len(set(row)) == 10 for row in products)
    assert (np.diff(scores, axis=1) <= 0).all()


def test_all_leaves_find_nearly_all_that_brute_force_finds():
    vectors, queries = vectors_of(2_000), queries_of(50)
    scores, _ = found_by(Scann(vectors, 10, num_leaves=20, leaves_to_search=20), queries)
    least = np.sort(queries @ vectors.T, axis=1)[:, -10][:, None]
    assert np.mean(scores >= least - 1e-4) > 0.98


def test_leaves_that_hold_too_few_products_leave_the_answer_to_brute_force():
    """300 products in 100 leaves: the one that is searched has 3 or so, and 10 are asked for."""
    vectors, queries = vectors_of(300), queries_of(20)
    index = Scann(vectors, 10, num_leaves=100, leaves_to_search=1)
    scores, products = found_by(index, queries)
    expected = np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    np.testing.assert_array_equal(products, expected)
    assert np.isfinite(scores).all()


def test_equal_vectors_give_equal_indexes():
    vectors, queries = vectors_of(3_000), queries_of(50)
    first, again = (
        found_by(Scann(vectors, 10, num_leaves=50, leaves_to_search=3), queries) for _ in range(2)
    )
    np.testing.assert_array_equal(first[1], again[1])


def kind_of(products: int, **settings: object) -> str:
    index = build_index(vectors_of(products), RetrievalSettings(**settings), queries_of(20))
    return type(index).__name__


def test_brute_force_answers_where_products_are_fewer_than_leaves():
    assert kind_of(99, num_leaves=100, top_k=5) == "BruteForce"
    assert kind_of(100, num_leaves=100, top_k=5) == "Scann"
    assert kind_of(15, num_leaves=2, top_k=5) == "BruteForce"  # codebooks take 16 products
    assert kind_of(16, num_leaves=2, top_k=5) == "Scann"


def test_brute_force_answers_small_catalogues_and_where_it_is_asked_for():
    assert kind_of(ENOUGH_PRODUCTS - 1) == "BruteForce"
    assert kind_of(ENOUGH_PRODUCTS) == "Scann"
    assert kind_of(ENOUGH_PRODUCTS, index="brute_force") == "BruteForce"
    assert kind_of(ENOUGH_PRODUCTS, top_k=1_001) == "BruteForce"


def test_leaves_are_added_until_the_recall_is_reached():
    vectors, queries = vectors_of(ENOUGH_PRODUCTS), queries_of(200)
    index = build_index(vectors, RetrievalSettings(top_k=20), queries)
    assert index.num_leaves == 100
    found = found_by(index, queries)[0]
    least = np.sort(queries @ vectors.T, axis=1)[:, -20][:, None]
    assert np.mean(found >= least - 1e-4) >= 0.95
    fewer = Scann(vectors, 20, num_leaves=100, leaves_to_search=1)
    assert np.mean(found_by(fewer, queries)[0] >= least - 1e-4) < 0.95


def test_given_leaves_are_searched():
    settings = RetrievalSettings(num_leaves=40, leaves_to_search=7, top_k=5)
    index = build_index(vectors_of(500), settings, queries_of(20))
    assert (index.num_leaves, index.leaves_to_search) == (40, 7)


@pytest.mark.parametrize("kind", ["brute force", "scann"])
def test_own_products_are_merged_as_if_every_score_had_their_addition(kind):
    vectors, queries = vectors_of(400), queries_of(30)
    rng = np.random.default_rng(3)
    rows_buyers, rows_products = rng.integers(0, 9, 300), rng.integers(0, 400, 300)
    history = own_history(rows_buyers.astype(np.int32), rows_products, ids=12, weight=2.0)
    index = (
        BruteForce(vectors, 15)
        if kind == "brute force"
        else Scann(vectors, 15, num_leaves=10, leaves_to_search=10)
    )
    buyers = rng.integers(0, 12, 30).astype(np.int32)
    scores, products = Recommender(index, history).best(tf.constant(queries), tf.constant(buyers))
    exact = queries @ vectors.T
    history.add_to(exact, buyers)
    best = np.sort(exact, axis=1)[:, ::-1][:, :15]
    np.testing.assert_allclose(scores, best, rtol=1e-4, atol=1e-4)
    assert all(len(set(row)) == 15 for row in products.numpy())
    np.testing.assert_allclose(
        np.take_along_axis(exact, products.numpy(), axis=1), best, rtol=1e-4, atol=1e-4
    )


def test_own_products_come_up_that_no_leaf_has():
    """The buyer's own product is the worst of all for the query, and gains 1000·log(2)."""
    vectors, queries = vectors_of(1_000), queries_of(1)
    worst = int(np.argmin(queries @ vectors.T))
    history = own_history(np.array([1], np.int32), np.array([worst]), ids=3, weight=1_000.0)
    index = Scann(vectors, 5, num_leaves=30, leaves_to_search=3)
    scores, products = Recommender(index, history).best(tf.constant(queries), tf.constant([1]))
    assert products.numpy()[0, 0] == worst
    expected = float(queries[0] @ vectors[worst]) + 1_000 * np.log(2)
    assert scores.numpy()[0, 0] == pytest.approx(expected, rel=1e-5)
    assert np.isin(products.numpy()[0, 1:], index.search(queries).products.numpy()).all()


def test_the_report_says_what_the_index_finds_and_how_fast():
    vectors, queries = vectors_of(3_000), queries_of(101)
    candidates = Candidates(vectors, np.array([b"%d" % i for i in range(3_000)], object))
    index = Scann(vectors, 20, num_leaves=50, leaves_to_search=2)
    buyers = np.zeros(101, np.int32)
    report = measured_index(Recommender(index, None), candidates, queries, buyers)
    found = found_by(index, queries)[0]
    least = np.sort(queries @ vectors.T, axis=1)[:, -20][:, None]
    assert report.recall == pytest.approx(np.mean(found >= least - 1e-4), abs=1e-3)
    assert report.recall < 1
    assert (report.kind, report.products, report.top_k) == ("scann", 3_000, 20)
    assert (report.num_leaves, report.leaves_to_search) == (50, 2)
    assert 0 < report.milliseconds < 1_000
    assert 0 < report.brute_force_milliseconds < 1_000


def test_brute_force_reports_itself():
    vectors = vectors_of(30)
    candidates = Candidates(vectors, np.array([b"%d" % i for i in range(30)], object))
    recommender = Recommender(BruteForce(vectors, 30), None)
    report = measured_index(recommender, candidates, queries_of(3), np.zeros(3, np.int32))
    assert (report.kind, report.recall, report.num_leaves) == ("brute_force", 1.0, None)
    assert report.milliseconds == report.brute_force_milliseconds


def test_a_sample_of_queries_is_spread_over_the_rows():
    assert spread(3).tolist() == [0, 1, 2]
    assert spread(100, 3).tolist() == [0, 49, 99]
    assert len(spread(1)) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"index": "brute_force", "num_leaves": 9}, "are of the index scann"),
        ({"num_leaves": 9, "leaves_to_search": 10}, "leaves_to_search is above num_leaves"),
    ],
)
def test_settings_that_contradict_are_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        RetrievalSettings(**settings)
