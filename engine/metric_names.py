"""What metrics are called, which of them a model is judged by, and which way is better.

The standard library only: lists and the app's first frame need it.
"""

RECALL_AT_100, TEST_RMSE = "recall_at_100", "test_rmse"
_ERRORS = frozenset({"rmse", "mae", "test_rmse", "test_mae"})
_LABELS = {
    "ndcg_at_10": "NDCG@10",
    "catalogue_coverage": "catalogue coverage",
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
