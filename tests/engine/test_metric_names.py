"""Names and order of metrics, and how one model stands to another."""

import pytest

from engine.metric_names import (
    RECALL_AT_100,
    TEST_RMSE,
    in_results,
    metric_label,
    standing,
)
from engine.snapshots import Metrics


@pytest.mark.parametrize("primary", [RECALL_AT_100, TEST_RMSE])
def test_every_figure_of_a_result_is_listed_once_and_the_primary_one_first(primary):
    names = in_results(primary)
    assert names[0] == primary
    assert sorted(names) == sorted(Metrics.model_fields)


def test_recalls_come_from_the_longest_list_to_the_shortest():
    assert in_results(RECALL_AT_100)[:5] == (
        "recall_at_100",
        "recall_at_50",
        "recall_at_10",
        "recall_at_5",
        "new_recall_at_100",
    )


@pytest.mark.parametrize(
    ("metric", "low", "high", "stands"),
    [
        (RECALL_AT_100, 0.1, 0.2, "better"),
        (RECALL_AT_100, -0.2, -0.1, "worse"),
        (RECALL_AT_100, -0.1, 0.0, "alike"),
        (TEST_RMSE, -0.2, -0.1, "better"),
        (TEST_RMSE, 0.1, 0.2, "worse"),
        (RECALL_AT_100, 0.0, 0.0, "alike"),
        (RECALL_AT_100, 0.1, 0.1, "alike"),
        (TEST_RMSE, 0.1, 0.1, "alike"),
    ],
)
def test_an_interval_with_zero_or_without_width_tells_nothing_apart(metric, low, high, stands):
    assert standing(metric, low, high) == stands


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        ("recall_at_100", "Recall@100"),
        ("new_recall_at_100", "R@100 new"),
        ("val_recall_at_5", "val Recall@5"),
        ("test_rmse", "test RMSE"),
        ("val_rmse", "val RMSE"),
        ("auc_roc", "AUC-ROC"),
        ("ndcg_at_10", "NDCG@10"),
        ("catalogue_coverage", "coverage"),
        ("loss", "loss"),
    ],
)
def test_metrics_have_labels(metric, label):
    assert metric_label(metric) == label
