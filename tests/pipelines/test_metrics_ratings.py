import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.metrics import mean_absolute_error, mean_squared_error, roc_auc_score

from pipelines import metrics
from pipelines.metrics import Ratings
from pipelines.metrics.bias import DAMPINGS

UNKNOWN = metrics.UNKNOWN


def test_errors_are_in_the_labels_unit():
    labels, predictions = np.array([1.0, 2, 3]), np.array([1.0, 5, -1])
    assert metrics.rmse(labels, predictions) == pytest.approx((25 / 3) ** 0.5)
    assert metrics.mae(labels, predictions) == pytest.approx(7 / 3)


def test_errors_equal_an_independent_implementation():
    rng = np.random.default_rng(0)
    labels, predictions = rng.normal(size=(2, 500)).astype(np.float32)
    expected = mean_squared_error(labels, predictions) ** 0.5
    assert metrics.rmse(labels, predictions) == pytest.approx(expected)
    assert metrics.mae(labels, predictions) == pytest.approx(
        mean_absolute_error(labels, predictions)
    )


def test_auc_is_the_share_of_pairs_in_order_and_ties_are_half():
    # Ones at .9, .5 and .1, zeros at .5 and .2: 2 + 1.5 + 0 of 6 pairs.
    labels, predictions = np.array([1, 1, 1, 0, 0]), np.array([0.9, 0.5, 0.1, 0.5, 0.2])
    assert metrics.auc_roc(labels, predictions) == pytest.approx(3.5 / 6)


@pytest.mark.parametrize("levels", [4, 10_000])
def test_auc_equals_an_independent_implementation(levels):
    rng = np.random.default_rng(0)
    labels = (rng.random(3_000) < 0.3).astype(np.float32)
    predictions = np.round(levels * (rng.random(3_000) + 0.2 * labels)) / levels
    expected = roc_auc_score(labels, predictions)
    assert metrics.auc_roc(labels, predictions) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("labels", "binary"),
    [([0, 1, 1], True), ([1, 1], False), ([0, 1, 0.5], False), ([1, 2], False)],
)
def test_labels_are_binary_where_they_are_both_0_and_1(labels, binary):
    assert metrics.is_binary(np.array(labels, np.float32)) is binary


def test_a_bias_is_damped_towards_0():
    """One buyer's ratings 4, 4, 4, 0 of four products, with λ = 1.

    μ = 3. Products first: 1/2, 1/2, 1/2, -3/2; then the buyer: (½ + ½ + ½ - 3/2)/5 = 0, so that
    further sweeps change nothing.
    """
    train = Ratings(np.zeros(4, int), np.arange(4), np.array([4.0, 4, 4, 0]))
    biases = metrics.fit_biases(train, buyers=2, products=5, damping=1.0)
    assert biases.mean == 3
    np.testing.assert_allclose(biases.product, [0.5, 0.5, 0.5, -1.5, 0, 0])
    np.testing.assert_allclose(biases.buyer, [0, 0, 0], atol=1e-12)
    rows = Ratings(np.array([0, UNKNOWN, 1]), np.array([3, 0, UNKNOWN]), np.zeros(3))
    np.testing.assert_allclose(biases.predict(rows), [1.5, 3.5, 3])


def planted(rows, noise, seed=0):
    rng = np.random.default_rng(seed)
    buyer, product = rng.integers(0, 30, rows), rng.integers(0, 20, rows)
    of_buyer, of_product = np.random.default_rng(1).normal(size=(2, 30))
    label = 3 + of_buyer[buyer] + of_product[product] + noise * rng.normal(size=rows)
    return Ratings(buyer, product, label)


def test_biases_solve_the_ridge_regression():
    train = planted(2_000, 0.5)
    biases = metrics.fit_biases(train, buyers=30, products=20, damping=3.0)
    one_hot = np.concatenate([np.eye(30)[train.buyer], np.eye(20)[train.product]], axis=1)
    ridge = Ridge(alpha=3.0, fit_intercept=False).fit(one_hot, train.label - train.label.mean())
    expected = train.label.mean() + ridge.predict(one_hot)
    np.testing.assert_allclose(biases.predict(train), expected, atol=1e-3)


@pytest.mark.parametrize(("rows", "noise", "damped"), [(2_000, 0.1, False), (120, 6.0, True)])
def test_the_damping_is_the_one_that_fits_eval_best(rows, noise, damped):
    train, validation = planted(rows, noise), planted(500, noise, seed=2)
    chosen = metrics.choose_biases(train, validation, buyers=30, products=20)
    errors = {
        damping: metrics.rmse(
            validation.label,
            metrics.fit_biases(train, buyers=30, products=20, damping=damping).predict(validation),
        )
        for damping in DAMPINGS
    }
    assert chosen.damping == min(errors, key=errors.__getitem__)
    assert (chosen.damping >= 10) is damped
