"""How sure a result is: bootstrap intervals that resample buyers.

Here because the Trainer's intervals and those of comparisons must be computed alike.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1_000
LEVEL = 0.95

Floats = NDArray[np.floating[Any]]


class Bounds(NamedTuple):
    """A value with its interval."""

    value: float
    low: float
    high: float


def clustered_interval(
    values: Floats,
    clusters: Sequence[object] | NDArray[np.generic],
    *,
    seed: int,
    statistic: Callable[[Floats], Floats] | None = None,
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
    """
    columns = np.asarray(values, np.float64).reshape(len(values), -1)
    of_means = statistic or _first
    _, cluster = np.unique(np.asarray(clusters), return_inverse=True)
    rows = np.bincount(cluster).astype(np.float64)
    sums = np.stack([np.bincount(cluster, weights=column) for column in columns.T], axis=1)
    rng = np.random.default_rng(seed)
    means = np.empty((RESAMPLES, columns.shape[1]))
    for resample in range(RESAMPLES):
        drawn = rng.integers(len(rows), size=len(rows))
        means[resample] = sums[drawn].sum(axis=0) / rows[drawn].sum()
    outside = (1 - LEVEL) / 2
    low, high = np.quantile(of_means(means), [outside, 1 - outside])
    return Bounds(float(of_means(columns.mean(axis=0))), float(low), float(high))


def _first(means: Floats) -> Floats:
    return means[..., 0]
