"""`Lease`: the right to do a worker's work in a workspace.

A process holds it for 30 s at a time. Another may take it when it expired, when it lies impossibly
far in the future (the clock jumped), or when its owner on this host is dead. Each owner has its own
epoch, and `guard` refuses the writes of an earlier one.
"""

import socket
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from engine.errors import EngineError
from engine.spec.process import ProcessIdentity
from engine.store import Database, leases
from engine.store.leases import LeaseState

TERM = timedelta(seconds=30)
RENEW_AFTER = timedelta(seconds=10)
_CLOCK_SKEW = timedelta(seconds=30)
"""How much further in the future than `TERM` an end is believed."""


class LeaseLost(EngineError):
    """Another worker has taken over; this one must stop."""


class Lease:
    """A lease that this process took; made by `take`."""

    def __init__(self, database: Database, epoch: int, renewed_at: datetime) -> None:
        self._database = database
        self.epoch = epoch
        self._renewed_at = renewed_at

    @classmethod
    def take(cls, database: Database, *, now: datetime | None = None) -> "Lease | None":
        """Take the lease, or return None when somebody else holds it.

        Raises:
            EnvironmentNotReady: the database cannot be written.
        """
        now = now or datetime.now(UTC)
        with database.write() as session:
            if is_held(leases.read(session), now):
                return None
            epoch = leases.assign(
                session, socket.gethostname(), ProcessIdentity.current(), now, now + TERM
            )
        return cls(database, epoch, now)

    def renew(self, *, now: datetime | None = None) -> None:
        """Extend the lease when a third of it has passed.

        Raises:
            LeaseLost: another worker has it.
            EnvironmentNotReady: the database cannot be written.
        """
        now = now or datetime.now(UTC)
        if timedelta(0) <= now - self._renewed_at < RENEW_AFTER:
            return
        with self._database.write() as session:
            if not leases.renew(session, self.epoch, now, now + TERM):
                raise LeaseLost("Another worker looks after this workspace now.")
        self._renewed_at = now

    def guard(self, session: Session) -> None:
        """Refuse to write for an owner whose time has passed.

        Raises:
            LeaseLost: another worker has the lease.
        """
        if leases.current_epoch(session) != self.epoch:
            raise LeaseLost("Another worker looks after this workspace now.")

    def release(self, session: Session) -> None:
        """Give the lease up."""
        leases.release(session, self.epoch)


def is_held(state: LeaseState, now: datetime) -> bool:
    """Whether somebody holds the lease who may still be at work."""
    if state.process is None or state.expires_at is None or state.expires_at <= now:
        return False
    if state.expires_at > now + TERM + _CLOCK_SKEW:
        return False
    return state.host != socket.gethostname() or state.process.is_alive()
