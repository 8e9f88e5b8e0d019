"""Verdicts of comparisons where the truth is known: two equal models, and a true 5% effect.

2,000 test rows of 200 products; the model that is compared with finds each row's product with
chance 0.5 (Recall@100 of 0.5). The other one equals it but for some rows: it loses a share of its
hits and gains a share of its misses.
"""

import numpy as np
import pytest

from engine.results import verdicts
from engine.spec import Split
from tests.engine.analysis.laboratory import Laboratory
from tests.studies.planted_data import PRODUCTS, measured, split_by_sql, truth_of, uniform_log

SMOKE, STUDY = range(5), range(100)
BY_TIME = Split(kind="time-holdout", holdout_days=10)


@pytest.fixture
def laboratory(tmp_path):
    (tmp_path / "config.toml").write_text("")
    made = Laboratory(tmp_path)
    yield made
    made.engine.close()


def outcome(laboratory, root, seed, *, gained, lost):
    """Return what comparing says of a model that gains and loses such shares of misses and hits."""
    rng = np.random.default_rng(seed)
    log = uniform_log(rng, old=4_000, new=2_000, buyers=150)
    splits = split_by_sql(root, log, BY_TIME, seed=seed)
    truth = truth_of(splits)
    rows = np.arange(len(truth))
    first = rng.random((len(truth), PRODUCTS), np.float32)
    own = first[rows, truth]
    hit = (first > own[:, None]).sum(axis=1) < 100
    chance = rng.random(len(truth))
    other = first.copy()
    other[rows, truth] = np.where(
        hit & (chance < lost), -1, np.where(~hit & (chance < gained), 2, own)
    )
    numbers = []
    for scores in (first, other):
        metrics, file = measured(splits, scores, seed=seed)
        numbers.append(laboratory.completed(rows=file, metrics=metrics))
    (pair,) = laboratory.engine.compare(numbers).pairs
    assert pair.primary.metric == "recall_at_100"
    assert (f"#{numbers[1]} is better than #{numbers[0]}" in pair.verdict) == (
        pair.primary.outcome == "better"
    )
    return pair.primary.outcome


def outcomes(laboratory, root, seeds, **planted):
    return [outcome(laboratory, root, seed, **planted) for seed in seeds]


# Of all rows 4% are gained and 1.5% lost: +0.025 of 0.5, 5%. The paired difference of a row has
# the variance 0.055 - 0.025², so the standard error is sqrt(0.0544 / 2,000) = 0.0052 and the
# effect 4.8 of them: a 99% interval excludes 0 with a chance of Φ(4.8 - 2.58) = 98.7%.
# 95% power would need 0.0544 · ((2.58 + 1.64) / 0.025)² = 1,550 rows.
TRUE_EFFECT = {"gained": 0.08, "lost": 0.03}
# 2.5% of all rows each way.
NO_EFFECT = {"gained": 0.05, "lost": 0.05}


def test_a_true_effect_of_5_percent_is_told(laboratory, tmp_path):
    assert outcomes(laboratory, tmp_path, SMOKE, **TRUE_EFFECT).count("better") >= 4


def test_equal_models_are_seldom_told_apart(laboratory, tmp_path):
    assert outcomes(laboratory, tmp_path, SMOKE, **NO_EFFECT).count("no difference") >= 4


@pytest.mark.slow
def test_a_true_effect_of_5_percent_is_told_in_95_of_100_seeds(laboratory, tmp_path):
    assert outcomes(laboratory, tmp_path, STUDY, **TRUE_EFFECT).count("better") >= 95


@pytest.mark.slow
def test_equal_models_are_told_apart_in_no_more_than_5_of_100_seeds(laboratory, tmp_path):
    found = outcomes(laboratory, tmp_path, STUDY, **NO_EFFECT)
    assert found.count("no difference") >= 95


def says_that_chance_equals_popularity(root, seed):
    """Whether a result claims nothing of a model that scores at random where all sell alike."""
    rng = np.random.default_rng(seed)
    log = uniform_log(rng, old=4_000, new=2_000, buyers=150)
    splits = split_by_sql(root, log, BY_TIME, seed=seed)
    scores = rng.random((len(truth_of(splits)), PRODUCTS), np.float32)
    metrics, _ = measured(splits, scores, seed=seed)
    about_popularity = verdicts(metrics)[0]
    return "is not distinguishable from popularity's" in about_popularity


def test_a_model_without_an_effect_is_seldom_told_from_popularity(tmp_path):
    assert sum(says_that_chance_equals_popularity(tmp_path, seed) for seed in SMOKE) >= 4


@pytest.mark.slow
def test_a_model_without_an_effect_equals_popularity_in_95_of_100_seeds(tmp_path):
    assert sum(says_that_chance_equals_popularity(tmp_path, seed) for seed in STUDY) >= 95
