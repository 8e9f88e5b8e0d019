"""Reading and changing experiments within a session of `Database`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import delete, or_, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from engine.errors import EngineError, NotFound
from engine.lifecycle import path, sources
from engine.states import ACTIVE, TERMINAL, Status
from engine.store.models import CacheReferenceRow, ComponentRow, ExperimentRow

_COLUMNS = (
    ExperimentRow.number,
    ExperimentRow.uid,
    ExperimentRow.version,
    ExperimentRow.backend,
    ExperimentRow.status,
    ExperimentRow.stage,
    ExperimentRow.progress,
    ExperimentRow.error_message,
    ExperimentRow.cancel_requested_at,
    ExperimentRow.delete_requested_at,
)


class Superseded(EngineError):
    """Somebody changed the experiment since it was read; read it again."""


@dataclass(frozen=True, slots=True)
class Tracked:
    """What has to be known of an experiment to look after it."""

    number: int
    uid: str
    version: int
    backend: str
    status: Status
    stage: str | None
    progress: float | None
    error_message: str | None
    cancel_requested_at: datetime | None
    delete_requested_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether the status is final."""
        return self.status in TERMINAL


def track(session: Session, number: int) -> Tracked:
    """Return one experiment.

    Raises:
        NotFound: there is none with this number.
    """
    row = session.execute(select(*_COLUMNS).where(ExperimentRow.number == number)).one_or_none()
    if row is None:
        raise NotFound(f"There is no experiment #{number}.")
    return Tracked(*row)


def tracked(session: Session) -> list[Tracked]:
    """Return the experiments that have not ended or are to be deleted, oldest first."""
    query = (
        select(*_COLUMNS)
        .where(
            or_(
                ExperimentRow.status.in_(sorted(ACTIVE)),
                ExperimentRow.delete_requested_at.is_not(None),
            )
        )
        .order_by(ExperimentRow.number)
    )
    return [Tracked(*row) for row in session.execute(query)]


def advance(session: Session, seen: Tracked, to: Status, **values: object) -> None:
    """Move an experiment to a status, or update it where it stays, by compare-and-set.

    Args:
        session: one that writes.
        seen: the experiment as it was read.
        to: the status to reach, by way of `running` where that is the only legal way.
        values: further columns to set.

    Raises:
        Superseded: the experiment changed since, is gone, or may not take this status.
    """
    version = seen.version
    steps = path(seen.status, to)
    for step in steps:
        last = step == to
        changed = session.execute(
            update(ExperimentRow)
            .where(
                ExperimentRow.number == seen.number,
                ExperimentRow.version == version,
                ExperimentRow.status.in_(sorted(sources(step))),
            )
            .values(status=step, version=version + 1, **(values if last else {})),
            execution_options={"synchronize_session": False},
        )
        if _count(changed) == 0:
            raise Superseded(f"Experiment #{seen.number} was changed by somebody else.")
        version += 1
    if not steps:
        raise Superseded(f"Experiment #{seen.number} is {seen.status} and cannot become {to}.")


def amend(session: Session, number: int, **values: object) -> None:
    """Set columns other than the status, in any state; whoever read the row before must reread."""
    session.execute(
        update(ExperimentRow)
        .where(ExperimentRow.number == number)
        .values(version=ExperimentRow.version + 1, **values),
        execution_options={"synchronize_session": False},
    )


def replace_components(session: Session, number: int, components: list[ComponentRow]) -> None:
    """Set the states of an experiment's components."""
    session.execute(delete(ComponentRow).where(ComponentRow.experiment_number == number))
    session.add_all(components)


def remove(session: Session, number: int) -> None:
    """Delete an experiment with its components, documents and cache references."""
    session.execute(delete(ExperimentRow).where(ExperimentRow.number == number))


def reference_cache(session: Session, number: int, paths: set[str]) -> None:
    """Note that an experiment rests on folders of the cache; noting one twice is harmless."""
    known = set(
        session.scalars(
            select(CacheReferenceRow.path).where(CacheReferenceRow.experiment_number == number)
        )
    )
    session.add_all(
        CacheReferenceRow(experiment_number=number, path=path) for path in sorted(paths - known)
    )


def cache_shared_by_others(session: Session, number: int) -> tuple[set[str], set[str]]:
    """Return the folders of the cache that other experiments rest on, and those only this one."""
    mine = set(
        session.scalars(
            select(CacheReferenceRow.path).where(CacheReferenceRow.experiment_number == number)
        )
    )
    others = set(
        session.scalars(
            select(CacheReferenceRow.path)
            .where(CacheReferenceRow.experiment_number != number)
            .distinct()
        )
    )
    return others, mine - others


def referenced_cache(session: Session) -> set[str]:
    """Return every folder of the cache that some experiment rests on."""
    return set(session.scalars(select(CacheReferenceRow.path).distinct()))


def uids(session: Session) -> set[str]:
    """Return the uids of all experiments."""
    return set(session.scalars(select(ExperimentRow.uid)))


def _count(result: object) -> int:
    return cast(CursorResult[Any], result).rowcount
