"""Recall@100 of `implicit`'s alternating least squares on the very rows of a run.

    pip install implicit==0.7.2
    python -m tests.studies.als WORKSPACE/.towerlab/runs/UID

reads the run's splits with its own SQL. Confidence and the weight of the popularity prior are
chosen on the eval split, so that the reference is as good as it gets without looking at test.
`implicit` (MIT) is no dependency of the project: only this study needs it.
"""

import sys
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from engine.spec import ExperimentSpec
from pipelines.metrics.ranks import UNKNOWN, rank_candidates, recalls

FACTORS, ITERATIONS = 128, 15
ALPHAS = (1.0, 4.0, 16.0)
PRIORS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Weights of log q(i), beside scores that lie around 0 to 1."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


class Rows(NamedTuple):
    """Index of each row's buyer and product, `UNKNOWN` where train lacks it."""

    buyers: Ints
    products: Ints


def main(run_folder: Path) -> None:
    """Print what was chosen on eval and its Recall@100 on test."""
    spec = ExperimentSpec.model_validate_json((run_folder / "spec.json").read_text("utf-8"))
    buyers, products = distinct(spec, spec.examples.buyer), distinct(spec, spec.examples.product)
    train, held_out, test = (
        read(spec, split, buyers, products) for split in ("train", "eval", "test")
    )
    bought = csr_matrix(
        (np.ones(len(train.buyers), np.float32), (train.buyers, train.products)),
        shape=(len(buyers), len(products)),
    )
    log_share = np.log(np.bincount(train.products) / len(train.products)).astype(np.float32)
    factors = {alpha: fit(bought, alpha) for alpha in ALPHAS}
    found = {
        (alpha, prior): recall(*factors[alpha], prior * log_share, held_out)
        for alpha, prior in product(ALPHAS, PRIORS)
    }
    alpha, prior = max(found, key=found.__getitem__)
    of_test = recall(*factors[alpha], prior * log_share, test)
    print(
        f"confidence {alpha:g}, prior {prior:g}: Recall@100 of eval {found[alpha, prior]:.4f}, "
        f"of test {of_test:.4f}"
    )
    print(f"without the prior, of test {recall(*factors[alpha], 0 * log_share, test):.4f}")


def distinct(spec: ExperimentSpec, column: str) -> dict[str, int]:
    """Return an index of train's values of a column."""
    query = f'SELECT DISTINCT "{column}" FROM ({spec.examples.queries["train"]}) ORDER BY 1'
    return {value: i for i, (value,) in enumerate(duckdb.execute(query).fetchall())}


def read(
    spec: ExperimentSpec, split: Any, buyers: dict[str, int], products: dict[str, int]
) -> Rows:
    """Return a split's rows."""
    columns = f'"{spec.examples.buyer}", "{spec.examples.product}"'
    pairs = duckdb.execute(f"SELECT {columns} FROM ({spec.examples.queries[split]})").fetchall()
    return Rows(
        np.array([buyers.get(buyer, UNKNOWN) for buyer, _ in pairs]),
        np.array([products.get(item, UNKNOWN) for _, item in pairs]),
    )


def fit(bought: Any, alpha: float) -> tuple[Floats, Floats]:
    """Return the factors of buyers and products."""
    from implicit.als import (  # pyright: ignore[reportMissingImports] - not a dependency
        AlternatingLeastSquares,  # pyright: ignore[reportUnknownVariableType]
    )

    model: Any = AlternatingLeastSquares(
        factors=FACTORS, iterations=ITERATIONS, alpha=alpha, random_state=0
    )
    model.fit(bought, show_progress=False)
    return model.user_factors, model.item_factors


def recall(buyers: Floats, products: Floats, prior: Floats, rows: Rows) -> float:
    """Return Recall@100; an unknown buyer has a vector of zeros."""
    known = np.vstack([buyers, np.zeros((1, buyers.shape[1]), np.float32)])
    ranking = rank_candidates(
        lambda some: known[rows.buyers[some]] @ products.T + prior,
        rows.products,
        len(products),
        np.zeros(len(rows.products), np.bool_),
    )
    return recalls(ranking.ranks)["recall_at_100"]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
