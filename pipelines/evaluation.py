"""The trained model on the test split: exact ranks over all candidates, against popularity's."""

from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from engine.spec.run_folder import Baseline, Interval, NewProducts
from engine.spec.uncertainty import LEVEL, clustered_interval
from pipelines import metrics
from pipelines.data import Examples
from pipelines.metrics import UNKNOWN


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


class Evaluation(NamedTuple):
    """What is known after the test split.

    Attributes:
        recalls: `recall_at_K` of the model.
        interval: of its primary metric.
        baseline: popularity on the same rows.
        history: the buyers' own purchase history on the same rows.
        new_products: the rows whose pair isn't in train; None without any.
        unknown_product_share: rows whose product train doesn't have: always misses.
        unknown_buyer_share: rows whose buyer train doesn't have.
        seen_in_train_share: rows whose (buyer, product) pair is in train too.
        rows: a table as `run_folder` describes `test_rows.parquet`.
    """

    recalls: dict[str, float]
    interval: Interval
    baseline: Baseline
    history: Baseline
    new_products: NewProducts | None
    unknown_product_share: float
    unknown_buyer_share: float
    seen_in_train_share: float
    rows: pa.Table


def candidates_of(train: Examples) -> Candidates:
    """Return the candidates: every product of train, by first appearance."""
    codes, ids = pd.factorize(train.product)
    ids = np.asarray(ids, object)
    order = np.argsort(train.timestamp, kind="stable")
    latest = np.empty(len(ids), np.int64)
    latest[codes[order]] = order
    return Candidates(ids, np.bincount(codes).astype(np.int64), latest)


def evaluate(
    queries: NDArray[np.float32],
    vectors: NDArray[np.float32],
    *,
    train: Examples,
    test: Examples,
    candidates: Candidates,
    seed: int,
) -> Evaluation:
    """Measure the model and the popularity baseline on the test split.

    Args:
        queries: the test rows' buyers `[test rows, dim] float32`.
        vectors: the candidates `[candidates, dim] float32`; the score is the dot product.
        train: the train split.
        test: the test split.
        candidates: of train.
        seed: of the bootstrap.
    """
    truth = candidates.index_of(test.product)
    ranks = metrics.candidate_ranks(lambda rows: queries[rows] @ vectors.T, truth, len(vectors))
    popularity = metrics.popularity_ranks(candidates.counts, truth)
    train_buyer, buyers = pd.factorize(train.buyer)
    buyer = pd.Index(buyers).get_indexer(pd.Index(test.buyer))
    train_product = candidates.index_of(train.product)
    history = metrics.own_history_ranks(train_buyer, train_product, candidates.counts, buyer, truth)
    seen = _pairs(test).isin(_pairs(train))
    hits = metrics.hits(ranks, metrics.PRIMARY_K).astype(float)

    def reference(name: Literal["popularity", "own_history"], own: metrics.Floats) -> Baseline:
        own_hits = metrics.hits(own, metrics.PRIMARY_K).astype(float)
        difference = _interval(hits - own_hits, test, seed)
        return Baseline(name=name, metrics=metrics.recalls(own), difference=difference)

    return Evaluation(
        recalls=metrics.recalls(ranks),
        interval=_interval(hits, test, seed),
        baseline=reference("popularity", popularity),
        history=reference("own_history", history),
        new_products=_new_products(ranks[~seen], popularity[~seen]),
        unknown_product_share=float(np.mean(truth == UNKNOWN)),
        unknown_buyer_share=float(np.mean(buyer == UNKNOWN)),
        seen_in_train_share=float(np.mean(seen)),
        rows=pa.table(
            {
                "row_key": pa.array(test.row_key, pa.int64()),
                "buyer": pa.array(test.buyer, pa.binary()).cast(pa.string()),
                "product": pa.array(test.product, pa.binary()).cast(pa.string()),
                "rank": pa.array(ranks, pa.float64(), from_pandas=True),
                "popularity_rank": pa.array(popularity, pa.float64(), from_pandas=True),
                "seen_in_train": pa.array(seen, pa.bool_()),
            }
        ),
    )


def _new_products(ranks: metrics.Floats, popularity: metrics.Floats) -> NewProducts | None:
    if len(ranks) == 0:
        return None
    return NewProducts(
        rows=len(ranks),
        metrics=metrics.recalls(ranks),
        popularity=metrics.recalls(popularity),
    )


def _pairs(examples: Examples) -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([examples.buyer, examples.product])


def _interval(values: NDArray[np.float64], test: Examples, seed: int) -> Interval:
    bounds = clustered_interval(values, pd.factorize(test.buyer)[0], seed=seed)
    return Interval(
        metric=f"recall_at_{metrics.PRIMARY_K}",
        value=bounds.value,
        low=bounds.low,
        high=bounds.high,
        level=LEVEL,
    )
