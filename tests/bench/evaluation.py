"""Exact ranks of 8,192 queries among 25,000 candidates, without TensorFlow."""

import statistics

import numpy as np

from tests.bench.measuring import seconds

QUERIES, CANDIDATES, DIM = 8_192, 25_000, 33


def figures(repeats: int) -> dict[str, float]:
    """Return the time of all ranks, and that of the scores alone."""
    from pipelines.metrics import rank_candidates

    rng = np.random.default_rng(0)
    queries = rng.normal(size=(QUERIES, DIM)).astype(np.float32)
    candidates = rng.normal(size=(CANDIDATES, DIM)).astype(np.float32)
    truth = rng.integers(0, CANDIDATES, QUERIES)
    none = np.zeros(QUERIES, np.bool_)

    def ranks() -> None:
        rank_candidates(lambda some: queries[some] @ candidates.T, truth, CANDIDATES, none)

    def scores() -> None:
        for start in range(0, QUERIES, 80):
            queries[start : start + 80] @ candidates.T

    times = max(3, repeats)
    return {
        "evaluation, 8,192 x 25,000, s (budget 0.6)": statistics.median(
            seconds(ranks) for _ in range(times)
        ),
        "evaluation: its scores alone, s": statistics.median(seconds(scores) for _ in range(times)),
    }
