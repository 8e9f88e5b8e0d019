"""What metrics are called, which of them a model is judged by, and which way is better.

The standard library only: lists and the app's first frame need it.
"""

from typing import Literal

Standing = Literal["better", "worse", "alike"]

RECALL_AT_100, TEST_RMSE = "recall_at_100", "test_rmse"
_ERRORS = frozenset({"rmse", "mae", "test_rmse", "test_mae"})
IN_RESULTS = (
    "recall_at_5",
    "recall_at_10",
    "recall_at_50",
    "recall_at_100",
    "ndcg_at_10",
    "catalogue_coverage",
    "test_rmse",
    "test_mae",
    "rmse",
    "mae",
    "auc_roc",
)
"""The metrics of a result in the order in which they are shown."""
_LABELS = {
    "ndcg_at_10": "NDCG@10",
    "catalogue_coverage": "coverage",
    "rmse": "RMSE",
    "mae": "MAE",
    "test_rmse": "test RMSE",
    "test_mae": "test MAE",
    "auc_roc": "AUC-ROC",
}


def usual_primary(model_type: str) -> str:
    """Return what a model type is judged by.

    A multitask model without a retrieval weight is judged by its test RMSE: the metric of the
    recorded interval says so.
    """
    return TEST_RMSE if model_type == "ranking" else RECALL_AT_100


def lower_is_better(metric: str) -> bool:
    """Whether a metric is an error."""
    return metric in _ERRORS


def metric_label(metric: str) -> str:
    """Return a metric as people write it: "Recall@100", "test RMSE"."""
    if metric.startswith("recall_at_"):
        return f"Recall@{metric.removeprefix('recall_at_')}"
    return _LABELS.get(metric, metric.replace("_", " "))


def reference_label(name: str) -> str:
    """Return a reference model as people write it: "own history"."""
    return name.replace("_", " ")


def standing(metric: str, low: float, high: float) -> Standing:
    """Return how a model stands to another, by the interval of the metric's difference."""
    if low <= 0 <= high:
        return "alike"
    return "better" if (high < 0) == lower_is_better(metric) else "worse"
