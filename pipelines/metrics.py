"""Exact retrieval metrics: ranks over all candidates, recall, and intervals that resample buyers.

A rank is 0-based and counts ties half: candidates with a greater score, plus half of the others
with an equal one. So a model that scores everything alike ranks in the middle, not first.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

RECALL_AT = (5, 10, 50, 100)
PRIMARY_K = 100
UNKNOWN = -1
"""In place of a candidate's index: a product that isn't among the candidates."""

_SCORES_PER_BATCH = 16_000_000

Floats = NDArray[np.floating]
Ints = NDArray[np.integer]


def candidate_ranks(scores: Callable[[slice], Floats], truth: Ints, candidates: int) -> Floats:
    """Return the mid-rank of each row's true candidate among all candidates.

    Args:
        scores: gives the scores `[rows of the slice, candidates]` of some rows.
        truth: index of each row's true candidate `[rows]`, `UNKNOWN` where it isn't one.
        candidates: how many there are.

    Returns:
        Ranks `[rows] float64`, NaN where the true product is unknown.
    """
    ranks = np.full(len(truth), np.nan)
    step = max(1, _SCORES_PER_BATCH // candidates)
    for start in range(0, len(truth), step):
        rows = slice(start, start + step)
        known = truth[rows] != UNKNOWN
        batch = scores(rows)[known]
        own = batch[np.arange(len(batch)), truth[rows][known]][:, None]
        greater = np.count_nonzero(batch > own, axis=1)
        equal = np.count_nonzero(batch == own, axis=1)
        ranks[rows][known] = greater + (equal - 1) / 2
    return ranks


def popularity_ranks(counts: Ints, truth: Ints) -> Floats:
    """Return each row's mid-rank when every buyer is offered the most frequent products.

    Args:
        counts: rows of train with each candidate `[candidates]`.
        truth: index of each row's true candidate `[rows]`, `UNKNOWN` where it isn't one.

    Returns:
        Ranks `[rows] float64`, NaN where the true product is unknown.
    """
    ascending = np.sort(counts)
    greater = len(counts) - np.searchsorted(ascending, counts, side="right")
    equal = len(counts) - greater - np.searchsorted(ascending, counts, side="left")
    ranks = greater + (equal - 1) / 2
    return np.where(truth == UNKNOWN, np.nan, ranks[truth])


def own_history_ranks(
    train_buyer: Ints, train_product: Ints, counts: Ints, buyer: Ints, truth: Ints
) -> Floats:
    """Return each row's mid-rank when buyers are offered what they had before, then the popular.

    A buyer's own products come first, by how often train has the pair, then by `counts`; all
    others follow by `counts`.

    Args:
        train_buyer: buyer of each train row `[train rows]`.
        train_product: index of each train row's candidate `[train rows]`.
        counts: rows of train with each candidate `[candidates]`.
        buyer: buyer of each row `[rows]`; one that train doesn't have gets popularity.
        truth: index of each row's true candidate `[rows]`, `UNKNOWN` where it isn't one.

    Returns:
        Ranks `[rows] float64`, NaN where the true product is unknown.
    """
    ranks = popularity_ranks(counts, truth)
    order = np.argsort(train_buyer, kind="stable")
    grouped = np.asarray(train_buyer)[order]
    rows_of = _groups(np.where(truth == UNKNOWN, UNKNOWN, buyer))
    for who, rows in rows_of.items():
        own_rows = order[slice(*np.searchsorted(grouped, [who, who + 1]))]
        if who == UNKNOWN or len(own_rows) == 0:
            continue
        own, times = np.unique(np.asarray(train_product)[own_rows], return_counts=True)
        ranks[rows] = _history_ranks(own, times, counts, truth[rows], ranks[rows])
    return ranks


def _groups(keys: Ints) -> dict[int, Ints]:
    order = np.argsort(keys, kind="stable")
    values, starts = np.unique(keys[order], return_index=True)
    return dict(zip(values.tolist(), np.split(order, starts[1:]), strict=True))


def _history_ranks(own: Ints, times: Ints, counts: Ints, truth: Ints, popular: Floats) -> Floats:
    """Return the ranks of one buyer's rows; `popular` has their ranks by popularity alone."""
    place = np.minimum(np.searchsorted(own, truth), len(own) - 1)
    had = own[place] == truth
    count, own_count = counts[truth][:, None], counts[own][None, :]
    # Among the own products: more often with this buyer, or as often and more popular.
    time = np.where(had, times[place], 0)[:, None]
    same_time = times[None, :] == time
    above = (times[None, :] > time) | (same_time & (own_count > count))
    tied = same_time & (own_count == count)
    within = above.sum(axis=1) + (tied.sum(axis=1) - 1) / 2
    # Behind them: popularity, less the own products that popularity had placed above or level.
    moved = (own_count > count).sum(axis=1) + (own_count == count).sum(axis=1) / 2
    return np.where(had, within, len(own) + popular - moved)


def hits(ranks: Floats, k: int) -> NDArray[np.bool_]:
    """Return which rows have their true product among the first k; unknown products never do."""
    return ranks < k


def recalls(ranks: Floats) -> dict[str, float]:
    """Return `recall_at_K` for every K of `RECALL_AT`: the share of rows that are hits."""
    return {f"recall_at_{k}": float(np.mean(hits(ranks, k))) for k in RECALL_AT}
