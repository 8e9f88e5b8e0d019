"""Requests for what only the worker can fetch: logs and files of runs that are elsewhere."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from engine.store.models import ExperimentRow, FetchRow

WATCH = "watch"
"""Name of the request that tells when somebody looked at an experiment; it wants no answer."""


@dataclass(frozen=True, slots=True)
class Fetch:
    """A request that waits for its answer."""

    number: int
    uid: str
    backend: str
    name: str
    requested_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request; `message` is empty where it was carried out."""

    message: str
    hint: str


def request(session: Session, number: int, name: str, now: datetime) -> None:
    """Ask for something of an experiment, anew if it was asked for before."""
    session.merge(FetchRow(experiment_number=number, name=name, requested_at=now))


def pending(session: Session) -> list[Fetch]:
    """Return what waits for an answer, oldest first."""
    unanswered = or_(FetchRow.answered_at.is_(None), FetchRow.answered_at < FetchRow.requested_at)
    rows = session.execute(
        select(
            FetchRow.experiment_number,
            ExperimentRow.uid,
            ExperimentRow.backend,
            FetchRow.name,
            FetchRow.requested_at,
        )
        .join(ExperimentRow, ExperimentRow.number == FetchRow.experiment_number)
        .where(unanswered, FetchRow.name != WATCH)
        .order_by(FetchRow.requested_at)
    )
    return [Fetch(*row) for row in rows]


def answer(
    session: Session, fetch: Fetch, now: datetime, message: str = "", hint: str = ""
) -> None:
    """Note that a request was carried out, or why it can't be."""
    session.execute(
        update(FetchRow)
        .where(FetchRow.experiment_number == fetch.number, FetchRow.name == fetch.name)
        .values(answered_at=max(now, fetch.requested_at), error_message=message, error_hint=hint)
    )


def answered(session: Session, number: int, name: str, since: datetime) -> Answer | None:
    """Return the answer to what was asked for then; None while there is none."""
    row = session.get(FetchRow, (number, name))
    if row is None or row.answered_at is None or row.answered_at < since:
        return None
    return Answer(row.error_message or "", row.error_hint or "")


def watched(session: Session, since: datetime) -> set[int]:
    """Return the experiments that somebody has looked at since then."""
    return set(
        session.scalars(
            select(FetchRow.experiment_number).where(
                FetchRow.name == WATCH, FetchRow.requested_at >= since
            )
        )
    )


def watch(session: Session, number: int, now: datetime) -> None:
    """Note that somebody looks at an experiment."""
    session.merge(FetchRow(experiment_number=number, name=WATCH, requested_at=now))
