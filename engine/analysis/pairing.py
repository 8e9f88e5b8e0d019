"""The difference of two runs on the same test rows: paired, with buyers resampled."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.analysis.test_rows import LABEL, PREDICTION, RANK, RANK_TIES, TestRows
from engine.metric_names import Standing, lower_is_better, standing
from engine.spec import Frozen
from engine.spec.places import expected_gains, expected_hits
from engine.spec.run_folder import CLAIM_LEVEL
from engine.spec.uncertainty import resampled_means

Floats = NDArray[np.floating[Any]]
Outcome = Literal["better", "worse", "no difference"]

_OUTCOMES: dict[Standing, Outcome] = {
    "better": "better",
    "worse": "worse",
    "alike": "no difference",
}
_SEED = 0
_RECALL_AT = (5, 10, 50, 100)
_NDCG_AT = 10


class Difference(Frozen):
    """A metric of one run minus the baseline run's, on the same test rows.

    Attributes:
        value: the difference; of errors (test_rmse, test_mae) below 0 is better.
        low: of its interval; likewise `high`.
        level: of the interval.
        outcome: `no difference` where the interval holds 0.
    """

    metric: str
    value: float
    low: float
    high: float
    level: float
    outcome: Outcome


class _Measure(NamedTuple):
    """How a metric follows from the rows: the mean of this, or the root of it."""

    of_rows: Callable[[TestRows], Floats]
    root: bool = False


class _Sampled(NamedTuple):
    """A metric of a run on some rows, and on the rows of buyers drawn anew."""

    value: float
    drawn: Floats
    """`[RESAMPLES] float64`; runs that are measured together share the draws."""
    on: bytes
    """Which rows these are, and of errors what was to be predicted."""


Measured = dict[str, _Sampled]
"""A run's metrics by name."""


def _hits(k: int) -> Callable[[TestRows], Floats]:
    return lambda rows: expected_hits(*_place(rows), k)


def _gains(rows: TestRows) -> Floats:
    return expected_gains(*_place(rows), _NDCG_AT)


def _place(rows: TestRows) -> tuple[Floats, Floats]:
    """Return how many candidates are above, and how many are level with the product."""
    rank, ties = rows.measured[RANK], rows.measured.get(RANK_TIES)
    if ties is None:  # of an earlier version, to which a tie was a hit as a whole or not at all
        return np.floor(rank), np.zeros(len(rows))
    return rank - ties / 2, ties


def _errors(rows: TestRows) -> Floats:
    return rows.measured[PREDICTION] - rows.measured[LABEL]


_MEASURES: dict[str, _Measure] = {
    **{f"recall_at_{k}": _Measure(_hits(k)) for k in reversed(_RECALL_AT)},
    "ndcg_at_10": _Measure(_gains),
    "test_rmse": _Measure(lambda rows: _errors(rows) ** 2, root=True),
    "test_mae": _Measure(lambda rows: np.abs(_errors(rows))),
}


def measure_together(runs: Sequence[TestRows]) -> list[Measured]:
    """Return the metrics of runs on the same test rows, resampled with the same draws of buyers.

    Args:
        runs: whose rows are the same.
    """
    found: list[Measured] = [{} for _ in runs]
    for known, columns in _columns_by_rows(runs).items():
        rows = np.frombuffer(known, np.bool_)
        values = np.stack([values[rows] for _, _, values in columns], axis=1)
        means = resampled_means(values, runs[0].buyer[rows], seed=_SEED)
        for column, (run, name, _) in enumerate(columns):
            own, drawn = means.own[column], means.drawn[:, column]
            if _MEASURES[name].root:
                own, drawn = np.sqrt(own), np.sqrt(drawn)
            predicted = runs[run].measured[LABEL].tobytes() if lower_is_better(name) else b""
            found[run][name] = _Sampled(float(own), drawn, known + predicted)
    return found


def _columns_by_rows(runs: Sequence[TestRows]) -> dict[bytes, list[tuple[int, str, Floats]]]:
    """Return (run, metric, value of each row) by the rows that count: a flag for each row."""
    found: dict[bytes, list[tuple[int, str, Floats]]] = {}
    for run, rows in enumerate(runs):
        for name, how in _MEASURES.items():
            if _has(name, rows):
                values = how.of_rows(rows)
                known = np.isfinite(values)  # rows without a target have no error
                if known.any():
                    found.setdefault(known.tobytes(), []).append((run, name, values))
    return found


def differences(run: Measured, baseline: Measured, *, comparisons: int = 1) -> list[Difference]:
    """Return the difference of every metric that both runs have, the primary ones first.

    Errors of different targets are in different units, so they have none.

    Args:
        run: the run in question.
        baseline: the one that it is compared with, measured together with it.
        comparisons: how many runs are compared with this baseline. The intervals are widened so
            that all of them hold together at the usual level (Bonferroni).
    """
    level = 1 - (1 - CLAIM_LEVEL) / comparisons
    outside = (1 - level) / 2
    found: list[Difference] = []
    for name in _MEASURES:
        own, other = run.get(name), baseline.get(name)
        if own is None or other is None or own.on != other.on:
            continue
        low, high = np.quantile(own.drawn - other.drawn, [outside, 1 - outside]).tolist()
        found.append(
            Difference(
                metric=name,
                value=own.value - other.value,
                low=low,
                high=high,
                level=level,
                outcome=_OUTCOMES[standing(name, low, high)],
            )
        )
    return found


def _has(metric: str, rows: TestRows) -> bool:
    wanted = (LABEL, PREDICTION) if lower_is_better(metric) else (RANK,)
    return all(name in rows.measured for name in wanted)
