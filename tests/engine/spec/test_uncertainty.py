import numpy as np
import pytest
from scipy.stats import bootstrap

from engine.spec import uncertainty


def test_the_interval_equals_drawing_the_rows_of_whole_buyers():
    rng = np.random.default_rng(2)
    buyers = rng.integers(0, 12, 90)
    values = rng.integers(-1, 2, 90).astype(float)
    rows_of = [np.flatnonzero(buyers == buyer) for buyer in range(12)]
    draws = np.random.default_rng(7)
    means = []
    for _ in range(uncertainty.RESAMPLES):
        drawn = draws.integers(12, size=12)
        means.append(values[np.concatenate([rows_of[buyer] for buyer in drawn])].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    bounds = uncertainty.clustered_interval(values, buyers, seed=7)
    assert bounds == pytest.approx((values.mean(), low, high, 0.95))


def test_resamples_may_be_drawn_in_parts(monkeypatch):
    rng = np.random.default_rng(2)
    values, buyers = rng.random((90, 2)), rng.integers(0, 12, 90)
    whole = uncertainty.clustered_interval(values, buyers, seed=7)
    monkeypatch.setattr(uncertainty, "_DRAWS_AT_ONCE", 100)
    assert uncertainty.clustered_interval(values, buyers, seed=7) == pytest.approx(whole)


def test_the_interval_agrees_with_an_independent_bootstrap():
    rng = np.random.default_rng(2)
    buyers = rng.integers(0, 300, 4_000)
    values = rng.random(4_000) + 0.3 * rng.random(300)[buyers]
    sums, rows = np.bincount(buyers, weights=values), np.bincount(buyers)
    expected = bootstrap(
        (sums, rows),
        lambda sums, rows, axis=-1: sums.sum(axis=axis) / rows.sum(axis=axis),
        n_resamples=20_000, paired=True, method="percentile", random_state=0, batch=1_000,
    ).confidence_interval  # fmt: skip
    bounds = uncertainty.clustered_interval(values, buyers, seed=0)
    width = expected.high - expected.low
    assert bounds.low == pytest.approx(expected.low, abs=width / 15)
    assert bounds.high == pytest.approx(expected.high, abs=width / 15)


def test_alike_rows_of_a_buyer_widen_the_interval():
    hits = np.repeat([0.0, 1.0] * 20, 25)
    by_buyer = uncertainty.clustered_interval(hits, np.repeat(np.arange(40), 25), seed=0)
    by_row = uncertainty.clustered_interval(hits, np.arange(1000), seed=0)
    assert by_buyer.high - by_buyer.low > 4 * (by_row.high - by_row.low)


def test_one_buyer_gives_an_interval_of_no_width():
    bounds = uncertainty.clustered_interval(np.array([1.0, 0.0]), ["a", "a"], seed=0)
    assert bounds == (0.5, 0.5, 0.5, 0.95)


def test_a_difference_of_roots_is_paired():
    rng = np.random.default_rng(3)
    errors = rng.normal(size=400)
    squared = np.stack([(errors + 0.1) ** 2, errors**2], axis=1)
    bounds = uncertainty.clustered_interval(
        squared,
        np.arange(400),
        seed=0,
        statistic=lambda m: np.sqrt(m[..., 0]) - np.sqrt(m[..., 1]),
    )
    expected = np.sqrt(squared[:, 0].mean()) - np.sqrt(squared[:, 1].mean())
    assert bounds.value == pytest.approx(expected)
    alone = uncertainty.clustered_interval(
        squared[:, 0], np.arange(400), seed=0, statistic=lambda m: np.sqrt(m[..., 0])
    )
    assert bounds.high - bounds.low < (alone.high - alone.low) / 3
