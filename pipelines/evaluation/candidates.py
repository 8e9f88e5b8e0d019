"""What the evaluation needs of the splits: the candidates, and ids as numbers.

Only arrays of ids come in, so that nothing here needs TensorFlow.
"""

from typing import NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipelines.metrics import UNKNOWN, Ints


class Interactions(Protocol):
    """The columns of a split (`data.Examples`) that are no tensors."""

    @property
    def buyer(self) -> NDArray[np.object_]:
        """Buyer ids `[rows]`, bytes objects."""
        ...

    @property
    def product(self) -> NDArray[np.object_]:
        """Product ids `[rows]`, bytes objects."""
        ...

    @property
    def row_key(self) -> NDArray[np.int64]:
        """`[rows] int64`."""
        ...

    @property
    def timestamp(self) -> NDArray[np.int64]:
        """Epoch microseconds `[rows] int64`; the rows' order where the data has none."""
        ...

    @property
    def label(self) -> NDArray[np.float32] | None:
        """The target in its own unit `[rows] float32`, NaN where a row has none."""
        ...


class Candidates(NamedTuple):
    """The distinct products of train.

    Attributes:
        ids: product ids `[candidates]`, bytes objects.
        counts: rows of train with each `[candidates] int64`.
        latest: each one's latest row of train `[candidates] int64`: it has its current features.
    """

    ids: NDArray[np.object_]
    counts: NDArray[np.int64]
    latest: NDArray[np.int64]

    @property
    def log_probability(self) -> NDArray[np.float32]:
        """Log of each product's share of the train rows, log q."""
        return np.log(self.counts / self.counts.sum()).astype(np.float32)

    def index_of(self, products: NDArray[np.object_]) -> NDArray[np.int64]:
        """Return each product's index, `UNKNOWN` where train doesn't have it."""
        return pd.Index(self.ids).get_indexer(products).astype(np.int64)

    def probability_of(self, products: NDArray[np.object_]) -> NDArray[np.float32]:
        """Return each product's share of the train rows; one that train lacks counts as one row."""
        index = self.index_of(products)
        counts = np.where(index == UNKNOWN, 1, self.counts[index])
        return (counts / self.counts.sum()).astype(np.float32)


def candidates_of(train: Interactions) -> Candidates:
    """Return the candidates: every product of train, by first appearance."""
    codes, ids = pd.factorize(train.product)
    ids = np.asarray(ids, object)
    order = np.argsort(train.timestamp, kind="stable")
    latest = np.empty(len(ids), np.int64)
    latest[codes[order]] = order
    return Candidates(ids, np.bincount(codes).astype(np.int64), latest)


class Pairs(NamedTuple):
    """Buyers and products of rows as numbers, `UNKNOWN` where train doesn't have them.

    Attributes:
        buyer: numbers of train's buyers `[rows]`.
        product: indices of the candidates `[rows]`.
    """

    buyer: Ints
    product: Ints

    def among(self, others: "Pairs") -> NDArray[np.bool_]:
        """Return which rows have a pair that is also in `others`, where nothing is unknown."""
        products = int(others.product.max()) + 1
        known = (self.buyer != UNKNOWN) & (self.product != UNKNOWN)
        pairs = self.buyer.astype(np.int64) * products + self.product
        return known & np.isin(pairs, others.buyer.astype(np.int64) * products + others.product)


class Numbering:
    """Numbers for the buyers and products of train.

    Args:
        train: the train split.
        candidates: of train.
    """

    def __init__(self, train: Interactions, candidates: Candidates) -> None:
        codes, ids = pd.factorize(train.buyer)
        self._buyers = pd.Index(ids)
        self._candidates = candidates
        self.train = Pairs(codes, candidates.index_of(train.product))
        """The pairs of train's rows."""

    @property
    def buyers(self) -> int:
        """How many buyers train has."""
        return len(self._buyers)

    @property
    def products(self) -> int:
        """How many products train has."""
        return len(self._candidates.ids)

    def pairs_of(self, rows: Interactions) -> Pairs:
        """Return the pairs of another split's rows."""
        buyer = self._buyers.get_indexer(pd.Index(rows.buyer))
        return Pairs(buyer, self._candidates.index_of(rows.product))
