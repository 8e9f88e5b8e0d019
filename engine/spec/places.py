"""What a place in a ranking is worth where others share it: the expectation over all orders.

Here because the Trainer's metrics and those of comparisons must be computed alike.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def expected_hits(above: Floats, ties: Floats, k: int) -> Floats:
    """Return how likely each row's product is among the first k, ties being broken at random.

    Args:
        above: candidates with a greater score `[rows]`; NaN where the product is no candidate.
        ties: other candidates with an equal score `[rows]`.
        k: length of the list.

    Returns:
        `[rows] float64`, from 0 to 1; 0 where the product is no candidate.
    """
    return np.nan_to_num(np.clip((k - above) / (ties + 1), 0.0, 1.0), nan=0.0)


def expected_gains(above: Floats, ties: Floats, k: int) -> Floats:
    """Return the expected gain 1/log2(2 + place) of each row's product, 0 from place k on.

    Args and result are those of `expected_hits`.
    """
    to_place = np.append(0.0, np.cumsum(1 / np.log2(np.arange(2, k + 2))))
    first = np.nan_to_num(np.minimum(above, k), nan=k).astype(np.int64)
    behind = np.minimum(first + ties + 1, k).astype(np.int64)
    return (to_place[behind] - to_place[first]) / (ties + 1)
