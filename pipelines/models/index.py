"""The index of the exported model: the best products of a query, by ScaNN or by brute force.

The score of product i for buyer u is [u, 1]·[v/temperature, α·log q], so the prior is one more
dimension of an ordinary index of dot products. What a buyer's own history adds differs from buyer
to buyer and is in no index: `Recommender` scores the buyer's own products exactly and merges them
with the index's answer.
"""

import logging
import math
from typing import Any, NamedTuple

import pipelines.tf_environment  # noqa: F401  # pyright: ignore[reportUnusedImport]

# isort: split
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from scann import scann_ops

from engine.spec import RetrievalSettings
from pipelines.models.own_history import OwnHistory

ENOUGH_PRODUCTS = 10_000
"""With fewer, brute force is as fast: half a millisecond a query at 5,000 products of 32
dimensions, where ScaNN takes as long; 1.9 against 0.8 at 25,000 of 128."""
_PRODUCTS_A_NEIGHBOUR = 10
"""With fewer products than this for each that is asked for, nearly all leaves are needed."""
_LEAST_PRODUCTS = 16
"""ScaNN's codebooks have as many centres, and take no fewer products to find them."""
_AIM = 0.95
"""The recall that leaves are added for, where their number isn't given."""
_SHARES = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75)
"""Of the leaves, tried in turn; then all."""
_TRAINING_ROWS = 10_000
"""Enough for leaves and codebooks, at a third of the time that all rows take."""
_TRAINING_ITERATIONS = 4
_REORDERED = 4
"""Exactly scored products for each that is asked for."""
_DIMENSIONS_A_BLOCK, _ANISOTROPIC_THRESHOLD = 2, 0.2
"""ScaNN's recommendations (Guo et al., ICML 2020, and its documentation of algorithms)."""
_log = logging.getLogger(__name__)


class Found(NamedTuple):
    """The best products of each query, best first.

    Attributes:
        scores: `[rows, k] float32`.
        products: their indices `[rows, k] int32`.
    """

    scores: Any
    products: Any


class BruteForce(tf.Module):
    """Scores every product."""

    def __init__(self, vectors: NDArray[np.float32], top_k: int) -> None:
        """Take over the products' vectors `[products, dim]`."""
        super().__init__(name="brute_force")
        self.vectors = tf.Variable(tf.constant(vectors), trainable=False)
        self.top_k = top_k

    def search(self, queries: tf.Tensor) -> Found:
        """Return the best products of queries `[rows, dim]`."""
        return _exact(queries, self.vectors, self.top_k)


class Scann(tf.Module):
    """Scores the products of some leaves; exactly, once the best of them are known.

    Attributes:
        leaves_to_search: how many a query looks into; not to be changed once it is traced.
    """

    def __init__(
        self, vectors: NDArray[np.float32], top_k: int, *, num_leaves: int, leaves_to_search: int
    ) -> None:
        """Build the index: equal vectors give an equal one.

        Args:
            vectors: of the products `[products, dim]`.
            top_k: how many are answered.
            num_leaves: into how many the products are cut, no more than there are products.
            leaves_to_search: how many a query looks into.
        """
        super().__init__(name="scann")
        self.top_k = top_k
        self.num_leaves = num_leaves
        self.leaves_to_search = leaves_to_search
        # Random starts and more threads than one give another index each time.
        built = (
            scann_ops.builder(vectors, top_k, "dot_product")
            .set_n_training_threads(1)
            .tree(
                num_leaves=num_leaves,
                num_leaves_to_search=leaves_to_search,
                training_sample_size=_TRAINING_ROWS,
                training_iterations=_TRAINING_ITERATIONS,
                random_init=False,
            )
            .score_ah(
                _DIMENSIONS_A_BLOCK,
                anisotropic_quantization_threshold=_ANISOTROPIC_THRESHOLD,
                training_sample_size=_TRAINING_ROWS,
                training_iterations=_TRAINING_ITERATIONS,
            )
            .reorder(min(len(vectors), _REORDERED * top_k))
            .build()
        )
        self._state = built.serialize_to_module()

    @property
    def vectors(self) -> tf.Variable:
        """The products' vectors `[products, dim]`, kept for the exact scores."""
        return self._state.dataset

    def search(self, queries: tf.Tensor) -> Found:
        """Return the best products of queries `[rows, dim]` among those of the leaves."""
        searcher = scann_ops.searcher_from_module(self._state)
        found = searcher.search_batched_parallel(queries, leaves_to_search=self.leaves_to_search)
        # Leaves that hold fewer products than are asked for answer fewer, and NaN.
        complete = tf.logical_and(
            tf.shape(found.indices)[1] == self.top_k,
            tf.reduce_all(tf.math.is_finite(found.distances)),
        )
        scores, products = tf.cond(
            complete,
            lambda: (found.distances, tf.cast(found.indices, tf.int32)),
            lambda: tuple(_exact(queries, self.vectors, self.top_k)),
        )
        return Found(scores, products)


Index = BruteForce | Scann


def build_index(
    vectors: NDArray[np.float32], settings: RetrievalSettings, queries: NDArray[np.float32]
) -> Index:
    """Return the index that the settings ask for, where there are products enough for it.

    Args:
        vectors: of the products `[products, dim]`.
        settings: kind, leaves and length of the answer.
        queries: of the eval split `[rows, dim]`, to find out how many leaves are to be searched.
    """
    products = len(vectors)
    top_k = min(settings.top_k, products)
    num_leaves = settings.num_leaves or round(math.sqrt(products))
    enough = max(ENOUGH_PRODUCTS, _PRODUCTS_A_NEIGHBOUR * top_k)
    least = max(settings.num_leaves, _LEAST_PRODUCTS) if settings.num_leaves else enough
    few = products < least
    if settings.index == "brute_force" or few:
        if settings.num_leaves and few:
            _log.info("%d products are too few for %d leaves: brute force", products, num_leaves)
        return BruteForce(vectors, top_k)
    wanted = settings.leaves_to_search
    searched = min(wanted or 1, num_leaves)
    index = Scann(vectors, top_k, num_leaves=num_leaves, leaves_to_search=searched)
    if wanted is None:
        _search_enough_leaves(index, queries)
    return index


def recall(found: Found, exact: Found) -> float:
    """Return the share of brute force's products that are found; those of equal scores count."""
    least = exact.scores.numpy()[:, -1:]
    near = 1e-5 * np.maximum(1, np.abs(least))
    return float(np.mean(found.scores.numpy() >= least - near))


def _search_enough_leaves(index: Scann, queries: NDArray[np.float32]) -> None:
    exact = _exact(tf.constant(queries), index.vectors, index.top_k)
    counts = [math.ceil(share * index.num_leaves) for share in _SHARES]
    for count in (*dict.fromkeys(counts), index.num_leaves):
        index.leaves_to_search = count
        if recall(index.search(tf.constant(queries)), exact) >= _AIM:
            return


def _exact(queries: tf.Tensor, vectors: tf.Variable, k: int) -> Found:
    return Found(*tf.math.top_k(tf.matmul(queries, vectors, transpose_b=True), k))


class Recommender(tf.Module):
    """An index, and what each buyer's own products gain."""

    def __init__(self, index: Index, history: OwnHistory | None) -> None:
        """Put both together."""
        super().__init__(name="recommender")
        self.index = index
        self._own = history and [tf.constant(part) for part in history]

    def best(self, queries: tf.Tensor, buyers: tf.Tensor) -> Found:
        """Return the best products by the index's scores and what the buyers' own gain.

        A product that isn't a buyer's own gains nothing: it can only be among the best k if the
        index's answer has it. So that answer and the buyer's own products hold all of them.

        Args:
            queries: `[rows, dim] float32`.
            buyers: their vocabulary ids `[rows] int32`.
        """
        found = self.index.search(queries)
        if not self._own:
            return found
        starts, every_product, every_addition = self._own
        own, additions = (
            tf.gather(tf.RaggedTensor.from_row_splits(values, starts), buyers)
            for values in (every_product, every_addition)
        )
        row = own.value_rowids()
        vectors = tf.gather(self.index.vectors, own.values)
        scores = tf.reduce_sum(tf.gather(queries, row) * vectors, axis=1) + additions.values
        others = tf.where(_is_among(found.products, own), -math.inf, found.scores)
        products = tf.concat([found.products, own.to_tensor()], axis=1)
        merged = tf.concat([others, own.with_values(scores).to_tensor(-math.inf)], axis=1)
        best, place = tf.math.top_k(merged, self.index.top_k)
        return Found(best, tf.gather(products, place, batch_dims=1))


def _is_among(products: tf.Tensor, own: tf.RaggedTensor) -> tf.Tensor:
    """Return which of products `[rows, k]` are among those of their row, which ascend."""
    width = tf.cast(tf.int32.max, tf.int64)
    rows = tf.range(tf.shape(products, out_type=tf.int64)[0])[:, None]
    taken = tf.concat([own.value_rowids() * width + tf.cast(own.values, tf.int64), [-1]], axis=0)
    wanted = tf.reshape(rows * width + tf.cast(products, tf.int64), [-1])
    place = tf.searchsorted(taken[:-1], wanted)
    return tf.reshape(tf.gather(taken, place) == wanted, tf.shape(products))
