"""The bias baseline: μ + b_user + b_item, each bias damped towards 0.

The biases minimise Σ (r - μ - b_u - b_i)² + λ (Σ b_u² + Σ b_i²) (Koren, "Factor in the neighbors",
2010), by alternating between the two closed forms. λ is the one that fits the eval split best: a
baseline that is weaker than need be flatters the model.
"""

from typing import NamedTuple

import numpy as np

from pipelines.metrics.ranks import Floats, Ints
from pipelines.metrics.ratings import rmse

DAMPINGS = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
_SWEEPS = 10


class Ratings(NamedTuple):
    """Who rated what, and how.

    Attributes:
        buyer: number of the buyer `[rows]`, `UNKNOWN` where train doesn't have it.
        product: number of the product `[rows]`, `UNKNOWN` where train doesn't have it.
        label: `[rows]`, all of them finite.
    """

    buyer: Ints
    product: Ints
    label: Floats


class Biases(NamedTuple):
    """A fitted model; the last element of each bias is 0, for the unknown.

    Attributes:
        mean: μ, the mean of train.
        buyer: `[buyers + 1] float64`.
        product: `[products + 1] float64`.
        damping: λ, rows of a bias of 0 that are added to each buyer and product.
    """

    mean: float
    buyer: Floats
    product: Floats
    damping: float

    def predict(self, rows: Ratings) -> Floats:
        """Return the predictions `[rows] float64`; what is unknown has no bias."""
        return self.mean + self.buyer[rows.buyer] + self.product[rows.product]


def fit_biases(train: Ratings, *, buyers: int, products: int, damping: float) -> Biases:
    """Return the biases of train.

    Args:
        train: without unknown buyers or products.
        buyers: how many there are; one without a rating has a bias of 0.
        products: how many there are; likewise.
        damping: λ, above 0.
    """
    label = np.asarray(train.label, np.float64)
    mean = float(label.mean())
    by_buyer = np.bincount(train.buyer, minlength=buyers) + damping
    by_product = np.bincount(train.product, minlength=products) + damping
    buyer, product = np.zeros(buyers), np.zeros(products)
    for _ in range(_SWEEPS):
        left = label - mean - buyer[train.buyer]
        product = np.bincount(train.product, weights=left, minlength=products) / by_product
        left = label - mean - product[train.product]
        buyer = np.bincount(train.buyer, weights=left, minlength=buyers) / by_buyer
    return Biases(mean, np.append(buyer, 0.0), np.append(product, 0.0), damping)


def choose_biases(train: Ratings, validation: Ratings, *, buyers: int, products: int) -> Biases:
    """Return the biases of train whose damping gives the least RMSE on the eval split."""
    fitted = [
        fit_biases(train, buyers=buyers, products=products, damping=damping) for damping in DAMPINGS
    ]
    return min(fitted, key=lambda biases: rmse(validation.label, biases.predict(validation)))
