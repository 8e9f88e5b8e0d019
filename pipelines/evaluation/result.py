"""What is known after the test split, in the form in which it is recorded."""

from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from engine.spec.run_folder import Baseline, Interval, NewProducts
from engine.spec.uncertainty import Bounds
from pipelines.evaluation.candidates import Interactions, Pairs
from pipelines.metrics import UNKNOWN, Floats


class Shares(NamedTuple):
    """Shares of the test rows; the names are those of `TrainingMetrics`.

    Attributes:
        unknown_product_share: whose product train doesn't have: in retrieval always misses.
        unknown_buyer_share: whose buyer train doesn't have.
        seen_in_train_share: whose (buyer, product) pair is in train too.
    """

    unknown_product_share: float
    unknown_buyer_share: float
    seen_in_train_share: float


class Evaluation(NamedTuple):
    """A model on the test split.

    Attributes:
        metrics: what `TrainingMetrics.final_metrics` has besides the loss.
        interval: of the primary metric.
        baseline: on the same rows, with the paired difference of the primary metric.
        references: other models on the same rows, each with the difference of the metric that it
            is about.
        new_products: the rows whose pair isn't in train; None without any, and where only ratings
            were predicted.
        shares: what train knows of the test rows.
        rows_without_target: test rows that the errors leave out.
        rows: a table as `run_folder` describes `test_rows.parquet`.
    """

    metrics: dict[str, float]
    interval: Interval
    baseline: Baseline
    references: tuple[Baseline, ...]
    new_products: NewProducts | None
    shares: Shares
    rows_without_target: int
    rows: pa.Table


def joined(retrieval: Evaluation, ratings: Evaluation, *, retrieval_weight: float) -> Evaluation:
    """Return the evaluation of a multitask model.

    Its primary metric is Recall@100, or the test RMSE where the retrieval weight is 0. The other
    task's baseline becomes a reference, with the difference of its own task's metric.

    Args:
        retrieval: from `evaluate_retrieval`.
        ratings: from `evaluate_ratings`, on the same test rows.
        retrieval_weight: of the loss.
    """
    primary, other = (retrieval, ratings) if retrieval_weight > 0 else (ratings, retrieval)
    rows = retrieval.rows
    for name in ratings.rows.column_names:
        if name not in rows.column_names:
            rows = rows.append_column(name, ratings.rows[name])
    return primary._replace(
        metrics={**retrieval.metrics, **ratings.metrics},
        references=(*primary.references, other.baseline, *other.references),
        new_products=retrieval.new_products,
        rows_without_target=ratings.rows_without_target,
        rows=rows,
    )


def shares_of(test: Pairs, seen: NDArray[np.bool_]) -> Shares:
    """Return what train knows of the test rows, given which rows' pairs are in train."""
    return Shares(
        unknown_product_share=float(np.mean(test.product == UNKNOWN)),
        unknown_buyer_share=float(np.mean(test.buyer == UNKNOWN)),
        seen_in_train_share=float(np.mean(seen)),
    )


def rows_table(test: Interactions, seen: NDArray[np.bool_], columns: dict[str, Floats]) -> pa.Table:
    """Return the table of `test_rows.parquet`: ids, `seen_in_train`, and columns whose NaN is null.

    Args:
        test: the test split.
        seen: which rows' pairs are in train `[rows]`.
        columns: what was measured of each row `[rows]`.
    """
    return pa.table(
        {
            "row_key": pa.array(test.row_key, pa.int64()),
            "buyer": pa.array(test.buyer, pa.binary()).cast(pa.string()),
            "product": pa.array(test.product, pa.binary()).cast(pa.string()),
            "seen_in_train": pa.array(seen, pa.bool_()),
            **{
                name: pa.array(np.asarray(values, np.float64), pa.float64(), from_pandas=True)
                for name, values in columns.items()
            },
        }
    )


def buyers_of(rows: Interactions) -> NDArray[np.int64]:
    """Return a number for each row's buyer `[rows]`: the clusters of the bootstrap.

    In the order of the ids, so that a seed draws the same buyers from `test_rows.parquet`.
    """
    return pd.factorize(rows.buyer, sort=True)[0].astype(np.int64)


def interval_of(metric: str, bounds: Bounds) -> Interval:
    """Return bounds as they are recorded."""
    return Interval(
        metric=metric, value=bounds.value, low=bounds.low, high=bounds.high, level=bounds.level
    )
