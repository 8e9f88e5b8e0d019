"""A retrieval model on the test split: exact ranks over all candidates, against references."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.spec.run_folder import CLAIM_LEVEL, Baseline, NewProducts
from engine.spec.uncertainty import clustered_interval
from pipelines import metrics
from pipelines.errors import RunFailure
from pipelines.evaluation.candidates import Candidates, Interactions, Numbering
from pipelines.evaluation.result import Evaluation, buyers_of, interval_of, rows_table, shares_of
from pipelines.metrics import PRIMARY_K, UNKNOWN, Floats, Ranks

PRIMARY = f"recall_at_{PRIMARY_K}"


def evaluate_retrieval(
    scores: Callable[[slice], Floats],
    *,
    train: Interactions,
    test: Interactions,
    candidates: Candidates,
    seed: int,
) -> Evaluation:
    """Measure a retrieval model and its references on the test split.

    Args:
        scores: gives the model's final scores `[rows of the slice, candidates] float32` of some
            test rows, prior and additions included.
        train: the train split.
        test: the test split.
        candidates: of train.
        seed: of the bootstrap.

    Raises:
        RunFailure: a score of a test row's own product is not a number.
    """
    numbering = Numbering(train, candidates)
    pairs = numbering.pairs_of(test)
    truth, counts = pairs.product, candidates.counts
    clusters = buyers_of(test)
    ranks, coverage = metrics.rank_candidates(
        scores, truth, numbering.products, _last_rows(test, clusters)
    )
    if np.isnan(ranks.above[truth != UNKNOWN]).any():
        raise RunFailure(
            "The model's scores of some test rows are not numbers.",
            hint="Try a smaller learning rate, and look for extreme values in numeric features.",
        )
    popularity = metrics.popularity_ranks(counts, truth)
    history = metrics.own_history_ranks(*numbering.train, counts, *pairs)
    item_to_item = metrics.item_to_item_ranks(*numbering.train, counts, *pairs, seed=seed)
    hits = metrics.hits(ranks, PRIMARY_K)

    def reference(
        name: Literal["popularity", "own_history", "item_to_item"], own: Ranks
    ) -> Baseline:
        difference = clustered_interval(
            hits - metrics.hits(own, PRIMARY_K), clusters, seed=seed, level=CLAIM_LEVEL
        )
        return Baseline(
            name=name,
            metrics=metrics.ranking_metrics(own),
            difference=interval_of(PRIMARY, difference),
        )

    seen = pairs.among(numbering.train)
    measured = metrics.ranking_metrics(ranks)
    return Evaluation(
        metrics={
            **measured,
            **{f"test_{name}": value for name, value in measured.items()},
            "catalogue_coverage": coverage,
        },
        interval=interval_of(PRIMARY, clustered_interval(hits, clusters, seed=seed)),
        baseline=reference("popularity", popularity),
        references=(reference("own_history", history), reference("item_to_item", item_to_item)),
        new_products=_new_products(ranks.of(~seen), popularity.of(~seen)),
        shares=shares_of(pairs, seen),
        rows_without_target=0,
        rows=rows_table(
            test,
            seen,
            {
                **_rank_columns("rank", ranks),
                **_rank_columns("popularity_rank", popularity),
                **_rank_columns("own_history_rank", history),
                **_rank_columns("item_to_item_rank", item_to_item),
            },
        ),
    )


def recall_alone(
    scores: Callable[[slice], Floats], products: NDArray[np.object_], candidates: Candidates
) -> float:
    """Return the primary metric of rows and nothing else: what early stopping asks every epoch.

    Args:
        scores: as of `evaluate_retrieval`, of these rows.
        products: of the rows `[rows]`.
        candidates: of train.
    """
    truth = candidates.index_of(products)
    nobody = np.zeros(len(truth), np.bool_)
    ranks = metrics.rank_candidates(scores, truth, len(candidates.ids), nobody).ranks
    return float(np.mean(metrics.hits(ranks, PRIMARY_K)))


def _last_rows(test: Interactions, buyers: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which row is its buyer's last one; of equal times the later row."""
    order = np.argsort(test.timestamp, kind="stable")
    last = np.zeros(len(buyers), np.bool_)
    last[order] = ~pd.Series(buyers[order]).duplicated(keep="last").to_numpy()
    return last


def _rank_columns(name: str, ranks: Ranks) -> dict[str, Floats]:
    return {name: ranks.mid, f"{name}_ties": ranks.ties}


def _new_products(ranks: Ranks, popularity: Ranks) -> NewProducts | None:
    rows = len(ranks.above)
    if rows == 0:
        return None
    return NewProducts(
        rows=rows,
        metrics=metrics.recalls(ranks),
        popularity=metrics.recalls(popularity),
    )
