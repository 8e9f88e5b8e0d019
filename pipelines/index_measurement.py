"""How well and how fast the index that is exported answers, beside brute force."""

import time
from collections.abc import Sequence

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from engine.spec.run_folder import IndexReport
from pipelines.models.index import BruteForce, Recommender, Scann, recall
from pipelines.models.serving import Candidates

QUERIES = 1_000
"""For the recall: its standard error is below 0.01."""
_TIMED = 50
_BATCH = 50


def measured_index(
    recommender: Recommender,
    candidates: Candidates,
    queries: NDArray[np.float32],
    buyers: NDArray[np.int32],
) -> IndexReport:
    """Return what the index finds of brute force's answers, and how long one query takes both.

    Args:
        recommender: that is exported.
        candidates: what it was made of.
        queries: of the test split `[rows, dim] float32`, a sample of `QUERIES` at most.
        buyers: their vocabulary ids `[rows] int32`.
    """
    index = recommender.index
    exact = Recommender(BruteForce(candidates.vectors, index.top_k), candidates.history)
    leaves = index if isinstance(index, Scann) else None
    brute_force_milliseconds = _milliseconds(exact, queries, buyers)
    return IndexReport(
        kind="scann" if leaves else "brute_force",
        products=len(candidates.ids),
        top_k=index.top_k,
        num_leaves=leaves and leaves.num_leaves,
        leaves_to_search=leaves and leaves.leaves_to_search,
        recall=_recall(recommender, exact, queries, buyers) if leaves else 1.0,
        milliseconds=_milliseconds(recommender, queries, buyers)
        if leaves
        else brute_force_milliseconds,
        brute_force_milliseconds=brute_force_milliseconds,
    )


def spread(rows: int, most: int = QUERIES) -> NDArray[np.int64]:
    """Return which rows are taken where no more than so many are wanted, evenly spread."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(np.int64))


def _recall(
    recommender: Recommender,
    exact: Recommender,
    queries: NDArray[np.float32],
    buyers: NDArray[np.int32],
) -> float:
    found: list[float] = []
    for start in range(0, len(queries), _BATCH):
        some = slice(start, start + _BATCH)
        asked = tf.constant(queries[some]), tf.constant(buyers[some])
        share = recall(recommender.best(*asked), exact.best(*asked))
        found += [share] * len(queries[some])
    return float(np.mean(found))


def _milliseconds(
    recommender: Recommender, queries: NDArray[np.float32], buyers: NDArray[np.int32]
) -> float:
    best = tf.function(recommender.best, reduce_retracing=True)
    asked = [
        (tf.constant(queries[row : row + 1]), tf.constant(buyers[row : row + 1]))
        for row in spread(len(queries), _TIMED)
    ]
    best(*asked[0])
    return 1_000 * float(np.median([_seconds(best, query) for query in asked]))


def _seconds(best: tf.types.experimental.PolymorphicFunction, asked: Sequence[tf.Tensor]) -> float:
    start = time.perf_counter()
    best(*asked)
    return time.perf_counter() - start
