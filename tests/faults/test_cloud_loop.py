"""The worker's thread for runs elsewhere: nothing that Google does ends it or holds up the rest."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1 import PipelineState

from engine.backends.base import Backend
from engine.backends.vertex.backend import VertexBackend
from engine.backends.vertex.clients import Patience
from engine.lease import RENEW_AFTER, Lease
from engine.remote_loop import LOGS, RemoteLoop
from engine.spec.cloud import job_id
from engine.store import fetches, leases
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.faults.cloud_engine import CloudEngine
from tests.faults.standin import Behaviour
from tests.faults.test_cloud_login import EXPIRED, login, sign_in
from tests.faults.waiting import wait_for

__all__ = ["cloud", "login", "served"]

LONG, QUICK = Behaviour(seconds=600), Behaviour(seconds=0)


@pytest.fixture
def engine(tmp_path: Path, cloud: Cloud) -> Iterator[CloudEngine]:
    engine = CloudEngine(cloud_workspace(tmp_path / "shop", cloud))
    yield engine
    cloud.clear_faults()
    cloud.pipelines.jobs.clear()
    engine.database.close()


@pytest.fixture
def ended() -> threading.Event:
    """Whether a loop has ended by itself."""
    return threading.Event()


@pytest.fixture
def start(engine: CloudEngine, ended: threading.Event) -> Iterator[Callable[..., RemoteLoop]]:
    loops: list[RemoteLoop] = []

    def run(lease: Lease | None = None, backend: Backend | None = None) -> RemoteLoop:
        lease = lease or Lease.take(engine.database)
        assert lease is not None
        loop = engine.remote_loop(lease, ended.set, backend)
        loop.start()
        loops.append(loop)
        return loop

    yield run
    for loop in loops:
        loop.stop()


def wait_until(engine: CloudEngine, number: int, *statuses: str) -> None:
    wait_for(
        lambda: engine.see(number).status in statuses, what=f"#{number} {' or '.join(statuses)}"
    )


def wait_for_calls(cloud: Cloud, method: str, more: int = 1) -> None:
    calls = cloud.pipelines.faults.calls
    wanted = calls[method] + more
    wait_for(lambda: calls[method] >= wanted, what=f"{more} {method}")


def ask_for_log(engine: CloudEngine, number: int, component: str) -> Callable[[], object]:
    """Ask as `logs` does; what is returned tells the answer once there is one."""
    asked_at = datetime.now(UTC)
    name = f"{LOGS}{component}"
    with engine.database.write() as session:
        fetches.request(session, number, name, asked_at)

    def answer() -> object:
        with engine.database.read() as session:
            return fetches.answered(session, number, name, asked_at)

    return answer


def test_runs_are_followed_and_what_is_asked_for_is_fetched(
    engine: CloudEngine, start: Callable[..., RemoteLoop], ended: threading.Event
):
    loop = start()
    number = engine.create(QUICK)
    wait_until(engine, number, "completed")
    answer = ask_for_log(engine, number, "Train")
    assert loop.waiting() <= 1
    assert wait_for(answer) == fetches.Answer("", "")
    assert engine.backend.logs(engine.see(number).uid, "Train")[0].message == "Train ends"
    assert not ended.is_set()


def test_while_a_call_hangs_others_write_the_lease_lives_and_the_end_comes_soon(
    engine: CloudEngine, cloud: Cloud, start: Callable[..., RemoteLoop], ended: threading.Event
):
    lease = Lease.take(engine.database)
    assert lease is not None
    loop = start(lease, VertexBackend(engine.workspace, Patience(call=120, retries=120)))
    number = engine.create(LONG)
    wait_until(engine, number, "running")
    cloud.pipelines.faults.plan("ListPipelineJobs", "hang")
    wait_for_calls(cloud, "ListPipelineJobs")
    lease.renew(now=datetime.now(UTC) + RENEW_AFTER)
    engine.create(QUICK)
    before = engine.see(number)
    began = time.monotonic()
    loop.stop()
    assert time.monotonic() - began < 10
    assert not ended.is_set()
    with engine.database.write() as session:
        lease.release(session)
    successor = Lease.take(engine.database)
    assert successor is not None
    failed = PipelineState.PIPELINE_STATE_FAILED
    cloud.pipelines.change(job_id(before.uid, 1), state=failed, end_time=datetime.now(UTC))
    cloud.clear_faults()  # the call that was left behind comes back: its time has passed
    wait_for(lambda: loop.lost is not None)
    assert engine.see(number) == before
    start(successor)
    wait_until(engine, number, "failed")


def test_a_call_that_hangs_is_told_and_the_work_goes_on_by_itself(
    engine: CloudEngine, cloud: Cloud, start: Callable[..., RemoteLoop]
):
    start()
    number = engine.create(LONG)
    wait_until(engine, number, "running")
    cloud.pipelines.faults.plan("ListPipelineJobs", "hang")
    wait_for(lambda: engine.see(number).error_message)
    told = engine.see(number)
    assert told.status == "running"
    assert told.error_message == "Vertex AI doesn't answer in time to list the jobs."
    cloud.clear_faults()
    wait_for(lambda: engine.see(number).error_message is None)
    cloud.pipelines.change(job_id(told.uid, 1), display_name="so that it is looked at")
    engine.service.cancel_quick_test(number)
    wait_until(engine, number, "cancelled")


class _Buggy(VertexBackend):
    """Breaks a few times where nothing is expected to."""

    bugs = 2

    def _break(self) -> None:
        if self.bugs:
            self.bugs -= 1
            raise ZeroDivisionError("a bug")

    def begin_round(self, uids, watched):
        self._break()
        super().begin_round(uids, watched)


class _BuggyWithOne(_Buggy):
    """Breaks at one run each time it looks at it."""

    uid = ""

    def begin_round(self, uids, watched):
        VertexBackend.begin_round(self, uids, watched)

    def status(self, uid):
        if uid == self.uid:
            raise ZeroDivisionError("a bug")
        return super().status(uid)

    def logs(self, uid, component, *, limit=50):
        self._break()
        return super().logs(uid, component, limit=limit)


def test_an_exception_that_nobody_expects_ends_no_more_than_a_tick(
    engine: CloudEngine,
    start: Callable[..., RemoteLoop],
    ended: threading.Event,
    caplog: pytest.LogCaptureFixture,
):
    backend = _Buggy(engine.workspace)
    with caplog.at_level(logging.ERROR, "engine.worker"):
        start(backend=backend)
        number = engine.create(QUICK)
        wait_for(lambda: engine.see(number).status == "completed", seconds=40)
    assert not ended.is_set()
    assert caplog.text.count("ZeroDivisionError: a bug") == 2


def test_what_breaks_with_one_experiment_is_told_of_it_and_leaves_the_others_alone(
    engine: CloudEngine, start: Callable[..., RemoteLoop], ended: threading.Event
):
    backend = _BuggyWithOne(engine.workspace)
    bad, good = engine.create(QUICK), engine.create(QUICK)
    backend.uid = engine.see(bad).uid
    start(backend=backend)
    wait_until(engine, good, "completed")
    seen = engine.see(bad)
    assert seen.status == "submitting"
    assert seen.error_message == "It can't be looked at: ZeroDivisionError('a bug')"
    backend.uid = ""
    wait_until(engine, bad, "completed")
    answer = wait_for(ask_for_log(engine, good, "Train"))
    assert isinstance(answer, fetches.Answer)
    assert answer.message == "logs:Train can't be fetched: ZeroDivisionError('a bug')"
    assert not ended.is_set()


def test_a_login_that_expires_is_told_and_a_new_one_goes_on(
    engine: CloudEngine, cloud: Cloud, start: Callable[..., RemoteLoop], login: Path
):
    sign_in(login, "first")
    cloud.bucket.tokens.seconds = 1  # so that each call asks for a token
    start()
    number = engine.create(LONG)
    wait_until(engine, number, "running")
    cloud.bucket.tokens.expired = True
    wait_for(lambda: engine.see(number).error_message == EXPIRED)
    assert engine.see(number).status == "running"
    cloud.bucket.tokens.seconds, cloud.bucket.tokens.expired = 3600, False
    sign_in(login, "second")
    wait_for(lambda: engine.see(number).error_message is None)
    assert engine.see(number).status == "running"


def test_a_worker_that_was_superseded_stops_and_says_so(
    engine: CloudEngine, start: Callable[..., RemoteLoop], ended: threading.Event
):
    loop = start()
    number = engine.create(LONG)
    wait_until(engine, number, "running")
    with engine.database.write() as session:
        leases.release(session, leases.current_epoch(session))
    assert Lease.take(engine.database) is not None
    engine.service.cancel_quick_test(number)  # so that there is something to write
    assert ended.wait(20)
    assert loop.lost is not None
    assert engine.see(number).status == "running"
