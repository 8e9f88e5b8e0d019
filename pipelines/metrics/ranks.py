"""Exact ranks over all candidates, and what is measured of them.

Ties are broken at random, in expectation: of 20 candidates that share the places 91 to 110, each
is among the first 100 with a chance of one half. So a model that scores everything alike has the
recall of chance, and popularity, whose counts tie a lot, neither gains nor loses by where a tie
lies.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.spec.places import expected_gains, expected_hits

RECALL_AT = (5, 10, 50, 100)
PRIMARY_K = 100
SHOWN_K = 10
"""Length of the list that NDCG and catalogue coverage look at."""
UNKNOWN = -1
"""In place of an index: a product that isn't among the candidates, a buyer that train lacks."""

_SCORES_PER_BLOCK = 2_000_000

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]


class Ranks(NamedTuple):
    """Where the true product of each row stands among the candidates.

    Attributes:
        above: candidates with a greater score `[rows] float64`; NaN where the true product is
            unknown or has no number as its score.
        ties: other candidates with an equal score `[rows] float64`; 0 where `above` is NaN.
    """

    above: Floats
    ties: Floats

    @classmethod
    def unknown(cls, rows: int) -> "Ranks":
        """Return the ranks of rows whose product is unknown."""
        return cls(np.full(rows, np.nan), np.zeros(rows))

    @property
    def mid(self) -> Floats:
        """Mid-ranks `[rows] float64`, from 0: ties count half."""
        return self.above + self.ties / 2

    def of(self, rows: Any) -> "Ranks":  # noqa: ANN401 - whatever selects from an array
        """Return the ranks of some rows."""
        return Ranks(self.above[rows], self.ties[rows])


class Ranking(NamedTuple):
    """What one pass over all scores yields.

    Attributes:
        ranks: of the rows.
        coverage: share of the candidates that are among the first `SHOWN_K` of at least one query.
    """

    ranks: Ranks
    coverage: float


def rank_candidates(
    scores: Callable[[slice], Floats], truth: Ints, candidates: int, queries: NDArray[np.bool_]
) -> Ranking:
    """Return the rank of each row's true candidate, and the catalogue coverage.

    Args:
        scores: gives the scores `[rows of the slice, candidates]` of some rows; called once for
            each block of rows, in order.
        truth: index of each row's true candidate `[rows]`, `UNKNOWN` where it isn't one.
        candidates: how many there are.
        queries: the rows whose first candidates count for the coverage `[rows]`; of equal scores
            the lower index comes first.
    """
    ranks = Ranks.unknown(len(truth))
    shown = np.zeros(candidates, np.bool_)
    for rows in blocks(len(truth), candidates):
        block = scores(rows)
        # Row by row: a comparison's result stays in the cache until it is counted.
        for row in np.flatnonzero(truth[rows] != UNKNOWN):
            at = rows.start + row
            ranks.above[at], ranks.ties[at] = place(block[row], int(truth[at]))
        for row in np.flatnonzero(queries[rows]):
            shown[first(block[row], SHOWN_K)] = True
    return Ranking(ranks, float(np.mean(shown)))


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Return slices of the rows, so that a block of that width stays near the processor's cache."""
    step = max(1, _SCORES_PER_BLOCK // width)
    for start in range(0, rows, step):
        yield slice(start, min(start + step, rows))


def place(scores: Floats, true: int, popularity: Ints | None = None) -> tuple[float, int]:
    """Return how many candidates are above one, and how many others are level with it.

    Args:
        scores: `[candidates]`.
        true: the candidate's index; if its score is NaN, so is how many are above it.
        popularity: decides between equal scores `[candidates]`; without it they are ties.
    """
    own = scores[true]
    if np.isnan(own):
        return np.nan, 0
    above = np.count_nonzero(scores > own)
    level = scores == own
    if popularity is None:
        return above, np.count_nonzero(level) - 1
    tied = popularity[level]
    above += np.count_nonzero(tied > popularity[true])
    return above, np.count_nonzero(tied == popularity[true]) - 1


def first(scores: Floats, k: int) -> Ints:
    """Return the indices of the k greatest of `[candidates]` scores; of equals, lower ones."""
    if k >= len(scores):
        return np.arange(len(scores))
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    greater = np.flatnonzero(scores > least)
    return np.append(greater, np.flatnonzero(scores == least)[: k - len(greater)])


def hits(ranks: Ranks, k: int) -> Floats:
    """Return how likely each row's true product is among the first k `[rows] float64`."""
    return expected_hits(ranks.above, ranks.ties, k)


def recalls(ranks: Ranks) -> dict[str, float]:
    """Return `recall_at_K` for every K of `RECALL_AT`: the share of rows that are hits."""
    return {f"recall_at_{k}": float(np.mean(hits(ranks, k))) for k in RECALL_AT}


def ndcg(ranks: Ranks, k: int) -> float:
    """Return NDCG@k where each row has one relevant product: the mean of 1/log2(2 + place).

    The ideal list has that product first, so its DCG is 1 and nothing is left to divide by
    (Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", 2002). Of ties
    it is the expectation: 2 candidates that share the first 2 places have (1 + 1/log2(3)) / 2 each.
    """
    return float(np.mean(expected_gains(ranks.above, ranks.ties, k)))


def ranking_metrics(ranks: Ranks) -> dict[str, float]:
    """Return `recall_at_K` for every K and `ndcg_at_10`."""
    return {**recalls(ranks), f"ndcg_at_{SHOWN_K}": ndcg(ranks, SHOWN_K)}
