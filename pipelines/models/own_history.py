"""What each buyer has in train, as an addition to the scores of those products."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class OwnHistory(NamedTuple):
    """The (buyer, product) pairs of train, buyer by buyer.

    Attributes:
        starts: where each buyer id's pairs start and the last one's end `[ids + 1] int64`.
        products: index of the candidate `[pairs] int32`.
        additions: what the score gains `[pairs] float32`.
    """

    starts: NDArray[np.int64]
    products: NDArray[np.int32]
    additions: NDArray[np.float32]

    def add_to(self, scores: NDArray[np.float32], buyers: NDArray[np.int32]) -> None:
        """Add to scores `[rows, candidates]` of buyers `[rows]`, in place."""
        for row, buyer in enumerate(buyers):
            own = slice(self.starts[buyer], self.starts[buyer + 1])
            scores[row, self.products[own]] += self.additions[own]


def own_history(
    buyers: NDArray[np.int32], products: NDArray[np.int64], *, ids: int, weight: float
) -> OwnHistory:
    """Return weight·log(1 + n) for the n rows of train that each pair has.

    Args:
        buyers: vocabulary id of each row's buyer `[rows]`.
        products: index of each row's candidate `[rows]`.
        ids: size of the buyers' vocabulary, missing and unknown included.
        weight: of the addition.
    """
    width = int(products.max()) + 1
    pairs, counts = np.unique(buyers.astype(np.int64) * width + products, return_counts=True)
    starts = np.searchsorted(pairs // width, np.arange(ids + 1))
    additions = weight * np.log1p(counts)
    return OwnHistory(starts, (pairs % width).astype(np.int32), additions.astype(np.float32))
