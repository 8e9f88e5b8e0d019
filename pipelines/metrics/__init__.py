"""Exact metrics over arrays of integers and scores; nothing here knows TensorFlow or a run.

`ranks` has what is measured of a ranking, `references` and `item_to_item` the rankings that a model
is held against, `ratings` the errors of predictions, `bias` the predictions they are held against.
"""

from pipelines.metrics.bias import Biases, Ratings, choose_biases, fit_biases
from pipelines.metrics.item_to_item import item_to_item_ranks
from pipelines.metrics.ranks import (
    PRIMARY_K,
    SHOWN_K,
    UNKNOWN,
    Floats,
    Ints,
    Ranks,
    hits,
    rank_candidates,
    ranking_metrics,
    recalls,
)
from pipelines.metrics.ratings import auc_roc, is_binary, mae, rmse, squared_errors
from pipelines.metrics.references import own_history_ranks, popularity_ranks

__all__ = [
    "PRIMARY_K",
    "SHOWN_K",
    "UNKNOWN",
    "Biases",
    "Floats",
    "Ints",
    "Ranks",
    "Ratings",
    "auc_roc",
    "choose_biases",
    "fit_biases",
    "hits",
    "is_binary",
    "item_to_item_ranks",
    "mae",
    "own_history_ranks",
    "popularity_ranks",
    "rank_candidates",
    "ranking_metrics",
    "recalls",
    "rmse",
    "squared_errors",
]
