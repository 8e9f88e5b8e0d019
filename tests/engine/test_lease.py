"""The lease: one owner at a time, taken over on evidence, stale owners refused."""

import socket
from datetime import UTC, datetime, timedelta

import pytest

from engine.lease import RENEW_AFTER, TERM, Lease, LeaseLost, is_held
from engine.spec.process import ProcessIdentity
from engine.store import leases
from engine.store.leases import LeaseState

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
ME = ProcessIdentity.current()
DEAD = ME.model_copy(update={"start_ticks": ME.start_ticks - 1})


def state(*, process=ME, host=None, expires_at=NOW + TERM):
    return LeaseState(
        epoch=1,
        host=host or socket.gethostname(),
        process=process,
        renewed_at=NOW,
        expires_at=expires_at,
    )


@pytest.mark.parametrize(
    ("lease", "held"),
    [
        (LeaseState(0, None, None, None, None), False),
        (state(), True),
        (state(expires_at=NOW), False),
        (state(process=DEAD), False),
        (state(process=ME.model_copy(update={"boot_id": "an earlier boot"})), False),
        (state(process=DEAD, host="elsewhere"), True),  # cannot be known from here
        (state(process=DEAD, host="elsewhere", expires_at=NOW - TERM), False),
        (state(expires_at=NOW + timedelta(days=3)), False),  # the clock jumped back
    ],
)
def test_lease_is_held_by_who_may_still_be_at_work(lease, held):
    assert is_held(lease, NOW) is held


def test_second_worker_does_not_get_it(database):
    first = Lease.take(database)
    assert first is not None
    assert Lease.take(database) is None


def test_every_owner_has_its_own_epoch(database):
    first = Lease.take(database, now=NOW)
    second = Lease.take(database, now=NOW + TERM)
    assert (first.epoch, second.epoch) == (1, 2)


def test_stale_owner_is_refused(database):
    first = Lease.take(database, now=NOW)
    second = Lease.take(database, now=NOW + TERM)
    with database.write() as session, pytest.raises(LeaseLost):
        first.guard(session)
    with pytest.raises(LeaseLost):
        first.renew(now=NOW + TERM)
    with database.write() as session:
        first.release(session)
        second.guard(session)
        assert leases.read(session).process == ME


def test_lease_is_renewed_once_a_third_has_passed(database):
    lease = Lease.take(database, now=NOW)

    def expiry_after_renewal(passed):
        lease.renew(now=NOW + passed)
        with database.read() as session:
            return leases.read(session).expires_at - NOW

    assert expiry_after_renewal(RENEW_AFTER / 2) == TERM
    assert expiry_after_renewal(RENEW_AFTER) == TERM + RENEW_AFTER


def test_owner_that_slept_may_go_on_when_nobody_took_over(database):
    lease = Lease.take(database, now=NOW)
    lease.renew(now=NOW + 10 * TERM)
    with database.read() as session:
        assert is_held(leases.read(session), NOW + 10 * TERM)


def test_clock_that_jumps_back_does_not_freeze_the_lease(database):
    lease = Lease.take(database, now=NOW)
    lease.renew(now=NOW - timedelta(days=3))
    with database.read() as session:
        assert leases.read(session).expires_at == NOW - timedelta(days=3) + TERM


def test_released_lease_is_free_and_keeps_its_epoch(database):
    first = Lease.take(database)
    with database.write() as session:
        first.release(session)
    assert Lease.take(database).epoch == first.epoch + 1
