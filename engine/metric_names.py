"""What metrics are called, which of them a model is judged by, and which way is better.

The standard library only: lists and the app's first frame need it.
"""

from typing import Literal

Standing = Literal["better", "worse", "alike"]

RECALL_AT_100, TEST_RMSE, LOSS = "recall_at_100", "test_rmse", "loss"
NEW_RECALL_AT_100 = "new_recall_at_100"
"""Recall@100 over the test rows whose buyer doesn't have the product in train."""
ENOUGH_TEST_ROWS = 100
"""With fewer, nothing is claimed of a result."""
_ERRORS = frozenset({"rmse", "mae", "test_rmse", "test_mae"})
_OF_RANKING = (
    RECALL_AT_100,
    "recall_at_50",
    "recall_at_10",
    "recall_at_5",
    NEW_RECALL_AT_100,
    "ndcg_at_10",
    "catalogue_coverage",
)
_OF_RATINGS = (TEST_RMSE, "test_mae", "rmse", "mae", "auc_roc")
_LABELS = {
    NEW_RECALL_AT_100: "R@100 new",
    "ndcg_at_10": "NDCG@10",
    "catalogue_coverage": "coverage",
    "auc_roc": "AUC-ROC",
}
_UPPER = {"rmse": "RMSE", "mae": "MAE", "auc": "AUC", "ndcg": "NDCG"}


def in_results(primary: str) -> tuple[str, ...]:
    """Return the metrics of a result in the order in which they are shown, the primary one first.

    Args:
        primary: what the model is judged by.
    """
    if primary == TEST_RMSE:
        return (*_OF_RATINGS, *_OF_RANKING, LOSS)
    return (*_OF_RANKING, *_OF_RATINGS, LOSS)


def lower_is_better(metric: str) -> bool:
    """Whether a metric is an error."""
    return metric in _ERRORS


def metric_label(metric: str) -> str:
    """Return a metric as people write it: "Recall@100", "test RMSE", "val Recall@5"."""
    if metric in _LABELS:
        return _LABELS[metric]
    before, found, k = metric.partition("recall_at_")
    if found:
        return f"{before.replace('_', ' ')}Recall@{k}"
    return " ".join(_UPPER.get(word, word) for word in metric.split("_"))


def reference_label(name: str) -> str:
    """Return a reference model as people write it: "own history"."""
    return name.replace("_", " ")


def standing(metric: str, low: float, high: float) -> Standing:
    """Return how a model stands to another, by the interval of the metric's difference.

    An interval without width comes of rows that are all of one buyer, or alike: it shows nothing
    about chance.
    """
    if low <= 0 <= high or low == high:
        return "alike"
    return "better" if (high < 0) == lower_is_better(metric) else "worse"
