"""The item-to-item reference: products that the same buyers have, by an asymmetric cosine.

With x_ui = log(1 + times that buyer u has product i in train) and |x_i| the norm of a product's
column, the similarity of products i and j and the score of j for buyer u are

    sim(i, j) = x_i·x_j / (|x_i|^2α |x_j|^2(1-α))        score(u, j) = Σ_i x_ui sim(i, j)

(Aiolli, "Efficient top-N recommendation for very large scale binary rated datasets", RecSys 2013).
α = ½ is the plain cosine, which puts products of a single buyer above all others: on a grocer's
data it has less recall than popularity has, while α = 0.8 has more than twice as much.

All products are neighbours, so nothing has to choose between equal similarities. That is cheap as
the matrix of similarities is never made: the scores are (x_u A Xᵀ) X B with diagonal A and B, and
the product in parentheses has one element a buyer.
"""

import numpy as np
from scipy import sparse

from pipelines.metrics.ranks import UNKNOWN, Floats, Ints, Ranks, blocks, place
from pipelines.metrics.references import popularity_ranks

_ASYMMETRY = 0.8
_MAX_WORK = 5_000_000_000


def item_to_item_ranks(
    train_buyer: Ints,
    train_product: Ints,
    counts: Ints,
    buyer: Ints,
    truth: Ints,
    *,
    seed: int,
    max_work: int = _MAX_WORK,
) -> Ranks:
    """Return each row's rank when buyers are offered what goes with their products of train.

    Scores that are equal in float32 are ties, which `counts` decides.

    Args:
        train_buyer: buyer of each train row `[train rows]`, from 0.
        train_product: index of each train row's candidate `[train rows]`.
        counts: rows of train with each candidate `[candidates]`.
        buyer: buyer of each row `[rows]`; `UNKNOWN` ones get popularity.
        truth: index of each row's true candidate `[rows]`, `UNKNOWN` where it isn't one.
        seed: of the sample of neighbours.
        max_work: multiplications at most, about 1e9 a second. Where more are due, as many train
            buyers as that allows are drawn and co-occurrences of two products are projected from
            theirs; a product's similarity to itself stays 1.
    """
    ranks = popularity_ranks(counts, truth)
    rows = np.flatnonzero((buyer != UNKNOWN) & (truth != UNKNOWN))
    rows = rows[np.argsort(buyer[rows], kind="stable")]
    if len(rows) == 0:
        return ranks
    whose, positions = np.unique(buyer[rows], return_inverse=True)
    scorer = _Scorer(_weights(train_buyer, train_product, len(counts)), len(whose), seed, max_work)
    width = 2 * max(len(counts), scorer.neighbours)  # scores are float64 at first
    for some in blocks(len(whose), width):
        scores = scorer.scores(whose[some])
        for at in range(*np.searchsorted(positions, [some.start, some.stop])):
            row = rows[at]
            own = scores[positions[at] - some.start]
            ranks.above[row], ranks.ties[row] = place(own, int(truth[row]), counts)
    return ranks


def _weights(buyer: Ints, product: Ints, products: int) -> sparse.csr_matrix:
    """Return log(1 + times) of every pair `[buyers, products] float64`."""
    times = sparse.csr_matrix(
        (np.ones(len(buyer)), (buyer, product)), shape=(int(buyer.max()) + 1, products)
    )
    return times.log1p()


class _Scorer:
    """Scores of all products for some buyers.

    Args:
        weights: of the pairs in train `[buyers, products]`.
        queries: for how many buyers scores will be asked.
        seed: of the sample of neighbours.
        max_work: multiplications at most.
    """

    def __init__(self, weights: sparse.csr_matrix, queries: int, seed: int, max_work: int) -> None:
        norms = np.asarray(weights.power(2).sum(axis=0)).ravel()
        buyers = weights.shape[0]
        self.neighbours = min(buyers, max(1, buyers * max_work // (queries * weights.nnz)))
        drawn = weights
        if self.neighbours < buyers:
            rng = np.random.default_rng(seed)
            drawn = weights[np.sort(rng.choice(buyers, self.neighbours, replace=False))]
        projection = buyers / self.neighbours
        self._buyers = weights
        self._to_neighbours = sparse.diags(projection * norms**-_ASYMMETRY) @ drawn.T
        self._to_products = (drawn @ sparse.diags(norms ** (_ASYMMETRY - 1))).T.tocsr()
        # What the sample lacks of a product's similarity to itself.
        own = projection * np.asarray(drawn.power(2).sum(axis=0)).ravel() / norms
        self._missing = 1 - own if self.neighbours < buyers else None

    def scores(self, buyers: Ints) -> Floats:
        """Return the scores `[buyers, products] float32`."""
        own = self._buyers[buyers]
        by_neighbour = (own @ self._to_neighbours).toarray()
        # Sums in float64: what is equal by the formula is equal in float32, in any order of terms.
        scores = self._to_products @ np.ascontiguousarray(by_neighbour.T)
        if self._missing is not None:
            pairs = own.tocoo()
            scores[pairs.col, pairs.row] += pairs.data * self._missing[pairs.col]
        return np.ascontiguousarray(scores.T, np.float32)
