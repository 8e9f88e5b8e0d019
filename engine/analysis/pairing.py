"""The difference of two runs on the same test rows: paired, with buyers resampled."""

from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.analysis.test_rows import LABEL, PREDICTION, RANK, TestRows
from engine.metric_names import Standing, lower_is_better, standing
from engine.spec import Frozen
from engine.spec.uncertainty import LEVEL, clustered_intervals

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


def _hits(k: int) -> Callable[[TestRows], Floats]:
    return lambda rows: (rows.measured[RANK] < k).astype(np.float64)  # NaN is a miss


def _gains(rows: TestRows) -> Floats:
    rank = rows.measured[RANK]
    gains = 1 / np.log2(2 + np.where(rank < _NDCG_AT, rank, 0))
    return np.where(rank < _NDCG_AT, gains, 0.0)


def _errors(rows: TestRows) -> Floats:
    return rows.measured[PREDICTION] - rows.measured[LABEL]


_MEASURES: dict[str, _Measure] = {
    **{f"recall_at_{k}": _Measure(_hits(k)) for k in reversed(_RECALL_AT)},
    "ndcg_at_10": _Measure(_gains),
    "test_rmse": _Measure(lambda rows: _errors(rows) ** 2, root=True),
    "test_mae": _Measure(lambda rows: np.abs(_errors(rows))),
}


def differences(run: TestRows, baseline: TestRows, *, comparisons: int = 1) -> list[Difference]:
    """Return the difference of every metric that both runs have, the primary ones first.

    Args:
        run: test rows of the run in question.
        baseline: of the run that it is compared with; the same rows.
        comparisons: how many runs are compared with this baseline. The intervals are widened so
            that all of them hold together at the usual level (Bonferroni).
    """
    level = 1 - (1 - LEVEL) / comparisons
    both = [name for name in _MEASURES if _has(name, run) and _has(name, baseline)]
    ranked = [name for name in both if not lower_is_better(name)]
    errors = [name for name in both if lower_is_better(name)]
    if errors and not np.array_equal(run.measured[LABEL], baseline.measured[LABEL], equal_nan=True):
        errors = []  # errors of different targets are in different units
    return [
        *_differences(ranked, run, baseline, level),
        *_differences(errors, run, baseline, level),
    ]


def _has(metric: str, rows: TestRows) -> bool:
    wanted = (LABEL, PREDICTION) if lower_is_better(metric) else (RANK,)
    return all(name in rows.measured for name in wanted)


def _differences(
    names: Sequence[str], run: TestRows, baseline: TestRows, level: float
) -> list[Difference]:
    """Return the differences of metrics of the same rows; none where no row has them in both."""
    if not names:
        return []
    measures = [_MEASURES[name] for name in names]
    values = np.stack([m.of_rows(rows) for m in measures for rows in (run, baseline)], axis=1)
    known = np.isfinite(values).all(axis=1)  # rows without a target have no error
    if not known.any():
        return []
    found = clustered_intervals(
        values[known],
        run.buyer[known],
        seed=_SEED,
        statistics=[_statistic(i, root=m.root) for i, m in enumerate(measures)],
        level=level,
    )
    return [
        Difference(
            metric=name,
            value=bounds.value,
            low=bounds.low,
            high=bounds.high,
            level=level,
            outcome=_OUTCOMES[standing(name, bounds.low, bounds.high)],
        )
        for name, bounds in zip(names, found, strict=True)
    ]


def _statistic(index: int, *, root: bool) -> Callable[[Floats], Floats]:
    """Return the difference of a measure's two columns, run and baseline."""
    own = slice(2 * index, 2 * index + 2)
    difference = _difference_of_roots if root else _difference_of_means
    return lambda means: difference(means[..., own])


def _difference_of_means(means: Floats) -> Floats:
    return means[..., 0] - means[..., 1]


def _difference_of_roots(means: Floats) -> Floats:
    return np.sqrt(means[..., 0]) - np.sqrt(means[..., 1])
