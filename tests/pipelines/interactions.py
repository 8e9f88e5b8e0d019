"""Splits of ids and labels only, for what needs no tensors."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Interactions(NamedTuple):
    buyer: NDArray[np.object_]
    product: NDArray[np.object_]
    row_key: NDArray[np.int64]
    timestamp: NDArray[np.int64]
    label: NDArray[np.float32] | None


def interactions(pairs, *, timestamps=None, labels=None) -> Interactions:
    """Return the rows of pairs such as ("ann", "tea")."""
    buyer, product = (
        np.array([name.encode() for name in column], object) for column in zip(*pairs, strict=True)
    )
    rows = np.arange(len(pairs))
    return Interactions(
        buyer=buyer,
        product=product,
        row_key=rows + 100,
        timestamp=rows if timestamps is None else np.array(timestamps),
        label=None if labels is None else np.array(labels, np.float32),
    )
