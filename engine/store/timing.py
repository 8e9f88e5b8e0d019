"""The times of runs, for estimates: of the active experiments asked for, and of the newest ones."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from engine.remaining import TimedRun, Timing, Work, remaining_seconds
from engine.store.models import ComponentRow, ExperimentRow

_EARLIER = 20
"""Completed runs that an estimate looks at, the newest."""

_COLUMNS = (
    ExperimentRow.number,
    ExperimentRow.backend,
    ExperimentRow.progress,
    ExperimentRow.dataset,
    ExperimentRow.feature_config,
    ExperimentRow.rows_train,
    ExperimentRow.epochs,
)


def remaining(session: Session, numbers: Sequence[int], now: datetime) -> dict[int, float]:
    """Return the seconds that experiments still take, of those where it can be estimated.

    Args:
        session: one that reads.
        numbers: of experiments; only those that run count, and none that is to end.
        now: the time.
    """
    running = session.execute(
        select(*_COLUMNS).where(
            ExperimentRow.number.in_(numbers),
            ExperimentRow.status == "running",
            ExperimentRow.cancel_requested_at.is_(None),
            ExperimentRow.delete_requested_at.is_(None),
        )
    ).all()
    if not running:
        return {}
    completed = session.execute(
        select(*_COLUMNS)
        .where(ExperimentRow.status == "completed")
        .order_by(ExperimentRow.number.desc())
        .limit(_EARLIER)
    ).all()
    timings = _timings(session, [row.number for row in (*running, *completed)])
    found: dict[int, float] = {}
    for row in running:
        earlier = [_run(other, timings) for other in completed if other.backend == row.backend]
        seconds = remaining_seconds(_run(row, timings), row.progress, earlier, now)
        if seconds is not None:
            found[row.number] = seconds
    return found


def _run(row: Any, timings: dict[int, list[Timing]]) -> TimedRun:  # noqa: ANN401 - a row of columns
    work = Work(row.dataset, row.feature_config, row.rows_train, row.epochs)
    return TimedRun(work, tuple(timings[row.number]))


def _timings(session: Session, numbers: Sequence[int]) -> dict[int, list[Timing]]:
    columns = (
        ComponentRow.name,
        ComponentRow.status,
        ComponentRow.cached,
        ComponentRow.started_at,
        ComponentRow.ended_at,
    )
    rows: Any = session.execute(
        select(ComponentRow.experiment_number, *columns)
        .where(ComponentRow.experiment_number.in_(numbers))
        .order_by(ComponentRow.experiment_number, ComponentRow.position)
    )
    found: defaultdict[int, list[Timing]] = defaultdict(list)
    for number, *values in rows:
        found[number].append(Timing(*values))
    return found
