"""How sure a result is: bootstrap intervals that resample buyers.

Here because the Trainer's intervals and those of comparisons must be computed alike.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.spec.run_folder import LEVEL

RESAMPLES = 1_000
_DRAWS_AT_ONCE = 1_000_000

Floats = NDArray[np.floating[Any]]


class Bounds(NamedTuple):
    """A value with its interval, and how often such intervals hold the true value."""

    value: float
    low: float
    high: float
    level: float


def clustered_interval(
    values: Floats,
    clusters: Sequence[object] | NDArray[np.generic],
    *,
    seed: int,
    statistic: Callable[[Floats], Floats] | None = None,
    level: float = LEVEL,
) -> Bounds:
    """Return a statistic of means with its bootstrap interval, drawing whole clusters.

    Rows of one buyer are alike, so drawing rows would give too narrow an interval. The percentile
    interval is of the ratio Σ values / Σ rows over the drawn clusters (Efron and Tibshirani, "An
    Introduction to the Bootstrap", 1993, ch. 13).

    Args:
        values: `[rows]` (hits, or paired differences of hits) or `[rows, columns]` (squared errors
            of two models).
        clusters: the cluster (buyer) of each row `[rows]`.
        seed: of the draws.
        statistic: from the columns' means `[..., columns]` to a value `[...]`, as the difference of
            two roots; None takes the first column's mean.
        level: how often such intervals hold the true value.
    """
    return resampled_means(values, clusters, seed=seed).bounds(statistic or _first, level)


class Means(NamedTuple):
    """Means of columns over rows, and over rows of clusters drawn anew.

    Attributes:
        own: over the rows `[columns] float64`.
        drawn: over each resample `[RESAMPLES, columns] float64`.
    """

    own: Floats
    drawn: Floats

    def bounds(self, statistic: Callable[[Floats], Floats], level: float = LEVEL) -> Bounds:
        """Return a statistic of the columns' means with its percentile interval."""
        outside = (1 - level) / 2
        low, high = np.quantile(statistic(self.drawn), [outside, 1 - outside])
        return Bounds(float(statistic(self.own)), float(low), float(high), level)


def resampled_means(
    values: Floats, clusters: Sequence[object] | NDArray[np.generic], *, seed: int
) -> Means:
    """Return the means of columns, all of them over the same draws, which are what takes time.

    Args:
        values: `[rows]` or `[rows, columns]`.
        clusters: the cluster (buyer) of each row `[rows]`.
        seed: of the draws: equal seeds and clusters give equal draws.
    """
    columns = np.asarray(values, np.float64).reshape(len(values), -1)
    _, cluster = np.unique(np.asarray(clusters), return_inverse=True)
    rows = np.bincount(cluster).astype(np.float64)
    sums = [np.bincount(cluster, weights=column) for column in columns.T]
    totals = _resampled(np.stack([*sums, rows], axis=1, dtype=np.float64), seed)
    return Means(columns.mean(axis=0), totals[:, :-1] / totals[:, -1:])


def _resampled(clusters: Floats, seed: int) -> Floats:
    """Return the sums over as many clusters as there are, drawn anew `RESAMPLES` times.

    Args:
        clusters: `[clusters, columns]`.
        seed: of the draws.

    Returns:
        Sums `[RESAMPLES, columns] float64`.
    """
    number = len(clusters)
    rng = np.random.default_rng(seed)
    step = max(1, _DRAWS_AT_ONCE // number)
    totals: list[Floats] = []
    for start in range(0, RESAMPLES, step):
        resamples = min(step, RESAMPLES - start)
        drawn = rng.integers(number, size=(resamples, number))
        drawn += number * np.arange(resamples)[:, None]
        # How often each cluster was drawn: a matrix product then sums all columns at once.
        times = np.bincount(drawn.ravel(), minlength=resamples * number)
        totals.append(times.reshape(resamples, number).astype(np.float64) @ clusters)
    return np.concatenate(totals)


def _first(means: Floats) -> Floats:
    return means[..., 0]
