"""The lease row: one owner at a time, an epoch that grows with each."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import insert, select, update
from sqlalchemy.engine import CursorResult
from sqlalchemy.orm import Session

from engine.spec.process import ProcessIdentity
from engine.store.models import LeaseRow

_ROW = 1


@dataclass(frozen=True, slots=True)
class LeaseState:
    """The lease as stored; without an owner, `process` is None."""

    epoch: int
    host: str | None
    process: ProcessIdentity | None
    renewed_at: datetime | None
    expires_at: datetime | None


def read(session: Session) -> LeaseState:
    """Return the lease; epoch 0 when nobody ever had it."""
    row = session.get(LeaseRow, _ROW, populate_existing=True)
    if row is None:
        return LeaseState(0, None, None, None, None)
    owned = row.pid is not None and row.boot_id is not None and row.start_ticks is not None
    return LeaseState(
        epoch=row.epoch,
        host=row.host,
        process=ProcessIdentity.model_validate(
            {"pid": row.pid, "boot_id": row.boot_id, "start_ticks": row.start_ticks}
        )
        if owned
        else None,
        renewed_at=row.renewed_at,
        expires_at=row.expires_at,
    )


def assign(
    session: Session, host: str, process: ProcessIdentity, now: datetime, expires_at: datetime
) -> int:
    """Give the lease to a process, whoever had it; return the new epoch."""
    epoch = read(session).epoch + 1
    values = {
        "epoch": epoch,
        "host": host,
        **process.model_dump(),
        "renewed_at": now,
        "expires_at": expires_at,
    }
    if _changed(session, None, values) == 0:
        session.execute(insert(LeaseRow).values(id=_ROW, **values))
    return epoch


def renew(session: Session, epoch: int, now: datetime, expires_at: datetime) -> bool:
    """Extend the lease of an epoch; False when it is another's."""
    return _changed(session, epoch, {"renewed_at": now, "expires_at": expires_at}) == 1


def release(session: Session, epoch: int) -> None:
    """Give the lease of an epoch up; another's stays."""
    owner = ("host", "pid", "boot_id", "start_ticks", "expires_at")
    _changed(session, epoch, {name: None for name in owner})


def current_epoch(session: Session) -> int:
    """Return the epoch of the newest owner."""
    return session.scalar(select(LeaseRow.epoch).where(LeaseRow.id == _ROW)) or 0


def _changed(session: Session, epoch: int | None, values: dict[str, Any]) -> int:
    query = update(LeaseRow).where(LeaseRow.id == _ROW)
    if epoch is not None:
        query = query.where(LeaseRow.epoch == epoch, LeaseRow.pid.is_not(None))
    result = session.execute(
        query.values(**values), execution_options={"synchronize_session": False}
    )
    return cast(CursorResult[Any], result).rowcount
