"""Verdicts on experiments whose set-up is flawed, and on their sound counterparts."""

import numpy as np
import pytest

from engine.planning import leak_warnings
from engine.results import verdicts
from engine.spec import Feature, FeatureConfig, Split
from tests.studies.planted_data import PRODUCTS, measured, split_by_sql, uniform_log

SMOKE, STUDY = range(5), range(100)
BY_TIME = Split(kind="time-holdout", holdout_days=10)
_ID = {"data_type": "text", "transforms": ("embed",), "dim": 8, "primary": True}
WITH_HISTORY = FeatureConfig(
    name="f",
    dataset="d",
    buyer=(
        Feature(column="user", **_ID),
        Feature(
            column="bought",
            data_type="history",
            transforms=("average",),
            dim=8,
            max_length=50,
            vocabulary="item",
        ),
    ),
    product=(Feature(column="item", **_ID),),
)


def leaking_scores(splits, candidates, rng):
    """Return scores of a model that has learned from train's histories what test holds.

    A row's history lists its buyer's earlier rows of all splits, so a random split shows the
    products of all test rows but those later than the buyer's last train row.
    """
    train, test = splits["train"], splits["test"]
    last: dict[bytes, int] = {}
    for buyer, at in zip(train.buyer, train.timestamp, strict=True):
        last[buyer] = max(last.get(buyer, at), at)
    scores = rng.random((len(test.buyer), len(candidates.ids)), np.float32)
    truth = candidates.index_of(test.product)
    for row, (buyer, at) in enumerate(zip(test.buyer, test.timestamp, strict=True)):
        if at < last.get(buyer, at):
            scores[row, truth[row]] = 2
    return scores


def leak_is_judged_right(root, seed):
    """Whether a leak is told first, though the result looks good, and none where there is none."""
    from pipelines.evaluation import candidates_of

    rng = np.random.default_rng(seed)
    log = uniform_log(rng, old=3_000, new=1_000, buyers=100)
    told = {}
    for split in (Split(), BY_TIME):
        splits = split_by_sql(root, log, split, seed=seed)
        scores = leaking_scores(splits, candidates_of(splits["train"]), rng)
        metrics, _ = measured(splits, scores, seed=seed)
        if split.kind == "random":
            assert metrics.baseline.difference.low > 0, "the leak flatters the model"
        warnings = tuple(leak_warnings(split, WITH_HISTORY))
        told[split.kind] = verdicts(metrics, warnings)
    return told["random"][0].startswith("The split is random") and not any(
        "The split is random" in sentence for sentence in told["time-holdout"]
    )


def cold_buyers_are_judged_right(root, seed):
    """Whether buyers who are new in test are told where most rows are theirs, and only there."""
    found = []
    for share in (0.7, 0.3):
        rng = np.random.default_rng(seed)
        log = uniform_log(rng, old=3_000, new=500, buyers=100, new_buyer_share=share)
        splits = split_by_sql(root, log, BY_TIME, seed=seed)
        scores = rng.random((len(splits["test"].buyer), PRODUCTS), np.float32)
        metrics, _ = measured(splits, scores, seed=seed)
        told = verdicts(metrics)
        found.append(any("of buyers who are not in train" in sentence for sentence in told))
    return found == [True, False]


@pytest.mark.parametrize("judged_right", [leak_is_judged_right, cold_buyers_are_judged_right])
def test_a_planted_flaw_is_told(tmp_path, judged_right):
    assert all(judged_right(tmp_path, seed) for seed in SMOKE)


@pytest.mark.slow
@pytest.mark.parametrize("judged_right", [leak_is_judged_right, cold_buyers_are_judged_right])
def test_a_planted_flaw_is_told_in_95_of_100_seeds(tmp_path, judged_right):
    assert sum(judged_right(tmp_path, seed) for seed in STUDY) >= 95
