"""Exact ranks over all candidates, and what is measured of them.

A rank is 0-based and counts ties half: candidates with a greater score, plus half of the others
with an equal one. So a model that scores everything alike ranks in the middle, not first.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RECALL_AT = (5, 10, 50, 100)
PRIMARY_K = 100
SHOWN_K = 10
"""Length of the list that NDCG and catalogue coverage look at."""
UNKNOWN = -1
"""In place of an index: a product that isn't among the candidates, a buyer that train lacks."""

_SCORES_PER_BLOCK = 2_000_000

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


class Ranking(NamedTuple):
    """What one pass over all scores yields.

    Attributes:
        ranks: mid-ranks `[rows] float64`, NaN where the true product is unknown or has no number
            as its score.
        coverage: share of the candidates that are among the first `SHOWN_K` of at least one query.
    """

    ranks: Floats
    coverage: float


def rank_candidates(
    scores: Callable[[slice], Floats], truth: Ints, candidates: int, queries: NDArray[np.bool_]
) -> Ranking:
    """Return each row's mid-rank of its true candidate, and the catalogue coverage.

    Args:
        scores: gives the scores `[rows of the slice, candidates]` of some rows; called once for
            each block of rows, in order.
        truth: index of each row's true candidate `[rows]`, `UNKNOWN` where it isn't one.
        candidates: how many there are.
        queries: the rows whose first candidates count for the coverage `[rows]`; of equal scores
            the lower index comes first.
    """
    ranks = np.full(len(truth), np.nan)
    shown = np.zeros(candidates, np.bool_)
    for rows in blocks(len(truth), candidates):
        block = scores(rows)
        ranks[rows] = mid_ranks(block, truth[rows])
        for row in np.flatnonzero(queries[rows]):
            shown[first(block[row], SHOWN_K)] = True
    return Ranking(ranks, float(np.mean(shown)))


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Return slices of the rows, so that a block of that width stays near the processor's cache."""
    step = max(1, _SCORES_PER_BLOCK // width)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def mid_ranks(scores: Floats, truth: Ints) -> Floats:
    """Return the mid-rank of each row's true candidate.

    Args:
        scores: `[rows, candidates]`.
        truth: index of each row's true candidate `[rows]`, `UNKNOWN` where it isn't one.

    Returns:
        Ranks `[rows] float64`, NaN where the true product is unknown or its score is NaN.
    """
    ranks = np.full(len(truth), np.nan)
    # Row by row: a comparison's result stays in the cache until it is counted.
    for row in np.flatnonzero(truth != UNKNOWN):
        ranks[row] = mid_rank(scores[row], int(truth[row]))
    return ranks


def mid_rank(scores: Floats, true: int, popularity: Ints | None = None) -> float:
    """Return the mid-rank of one candidate; NaN if its score is NaN.

    Args:
        scores: `[candidates]`.
        true: the candidate's index.
        popularity: decides between equal scores `[candidates]`; without it they are ties.
    """
    own = scores[true]
    if np.isnan(own):
        return np.nan
    above = np.count_nonzero(scores > own)
    level = scores == own
    if popularity is None:
        return above + (np.count_nonzero(level) - 1) / 2
    tied = popularity[level]
    above += np.count_nonzero(tied > popularity[true])
    return above + (np.count_nonzero(tied == popularity[true]) - 1) / 2


def first(scores: Floats, k: int) -> Ints:
    """Return the indices of the k greatest of `[candidates]` scores; of equals, lower ones."""
    if k >= len(scores):
        return np.arange(len(scores))
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    greater = np.flatnonzero(scores > least)
    return np.append(greater, np.flatnonzero(scores == least)[: k - len(greater)])


def hits(ranks: Floats, k: int) -> NDArray[np.bool_]:
    """Return which rows have their true product among the first k; unknown products never do."""
    return ranks < k


def recalls(ranks: Floats) -> dict[str, float]:
    """Return `recall_at_K` for every K of `RECALL_AT`: the share of rows that are hits."""
    return {f"recall_at_{k}": float(np.mean(hits(ranks, k))) for k in RECALL_AT}


def ndcg(ranks: Floats, k: int) -> float:
    """Return NDCG@k where each row has one relevant product: the mean of 1/log2(2 + rank).

    The ideal list has that product first, so its DCG is 1 and nothing is left to divide by
    (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002). Ties are
    by mid-rank: 2 candidates that share the first 2 places each count 1/log2(2.5), and nothing is
    counted from rank k on.
    """
    gains = np.where(hits(ranks, k), 1 / np.log2(2 + ranks), 0.0)
    return float(np.mean(gains))


def ranking_metrics(ranks: Floats) -> dict[str, float]:
    """Return `recall_at_K` for every K and `ndcg_at_10`."""
    return {**recalls(ranks), f"ndcg_at_{SHOWN_K}": ndcg(ranks, SHOWN_K)}
