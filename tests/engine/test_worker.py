"""The worker's loop: wakes, queues, retries, hands over, leaves. Its processes: tests/faults."""

import threading
from datetime import timedelta

import pytest

from engine.errors import EnvironmentNotReady
from engine.lease import Lease, LeaseLost
from engine.scheduling import Scheduler
from engine.store import experiments, leases
from engine.worker import Worker
from engine.workspace import Workspace
from tests.engine.sample_plans import REQUEST
from tests.engine.scripted_backend import DISK_FULL, at_component, ended, metrics_of
from tests.faults.waiting import wait_for


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "config.toml").write_text("[worker]\nidle_seconds = 0.3\n")
    workspace = Workspace(tmp_path)
    workspace.prepare()
    return workspace


@pytest.fixture
def cache(workspace):
    return workspace.cache


@pytest.fixture
def start(workspace, database, backend):
    """Start a worker in a thread; returns it, its thread and what it raised."""
    started = []

    def run(*, stay=True, **options):
        lease = Lease.take(database)
        worker = Worker(workspace, database, {"local": backend}, lease, stay=stay, **options)
        raised = []

        def target():
            try:
                worker.run()
            except LeaseLost as error:
                raised.append(error)

        thread = threading.Thread(target=target)
        thread.start()
        started.append((worker, thread))
        return worker, thread, raised

    yield run
    for worker, thread in started:
        worker.stop()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def status(database):
    def of(number):
        with database.read() as session:
            return experiments.track(session, number).status

    return of


@pytest.fixture
def held(database):
    def epoch_of_owner():
        with database.read() as session:
            state = leases.read(session)
        return state.epoch if state.process else None

    return epoch_of_owner


def test_intent_is_carried_out_at_once_when_the_wake_file_is_touched(
    start, service, backend, workspace
):
    start(look_seconds=3_600)  # only the wake file can wake it
    wait_for(workspace.wake_file.exists)
    number = service.create_quick_test(REQUEST)

    def submitted():
        workspace.wake_file.touch()  # again: the first may come before the watch
        return backend.submissions

    wait_for(submitted, what="submission")
    assert backend.submissions[0].number == number


def test_intent_that_nobody_announced_is_seen(start, service, backend):
    start()
    service.create_quick_test(REQUEST)
    wait_for(lambda: backend.submissions, seconds=5)


def test_run_is_followed_to_its_end(start, service, backend, status):
    start()
    number = service.create_quick_test(REQUEST)
    wait_for(lambda: backend.submissions)
    backend.put(backend.submissions[0].uid, at_component(2))
    wait_for(lambda: status(number) == "running")
    backend.put(backend.submissions[0].uid, ended("completed"))
    wait_for(lambda: status(number) == "completed")


def test_idle_worker_leaves_and_gives_the_lease_back(start, held):
    _, thread, _ = start(stay=False)
    thread.join(10)
    assert not thread.is_alive()
    assert held() is None


def test_worker_with_work_stays(start, service, backend, held, status):
    _, thread, _ = start(stay=False)
    number = service.create_quick_test(REQUEST)
    wait_for(lambda: backend.submissions)
    thread.join(1)  # three times as long as an idle one would stay
    assert thread.is_alive()
    backend.put(backend.submissions[0].uid, ended("completed"))
    thread.join(10)
    assert not thread.is_alive()
    assert status(number) == "completed"


def test_work_that_comes_in_while_leaving_keeps_the_worker(
    workspace, database, backend, service, held
):
    worker = Worker(workspace, database, {"local": backend}, Lease.take(database))
    service.create_quick_test(REQUEST)
    assert worker._leave() is False
    assert held() == 1


def test_stopped_worker_leaves_runs_alone_and_the_next_one_adopts_them(
    start, service, backend, held, status
):
    worker, thread, _ = start()
    number = service.create_quick_test(REQUEST)
    wait_for(lambda: backend.submissions)
    backend.put(backend.submissions[0].uid, at_component(2))
    wait_for(lambda: status(number) == "running")
    worker.stop()
    thread.join(10)
    assert (held(), status(number), backend.cancelled) == (None, "running", set())
    start()
    assert held() == 2
    backend.put(backend.submissions[0].uid, ended("completed"))
    wait_for(lambda: status(number) == "completed")
    assert len(backend.submissions) == 1


def test_superseded_worker_leaves(start, database, held, monkeypatch):
    monkeypatch.setattr("engine.lease.RENEW_AFTER", timedelta(0))
    _, thread, raised = start()
    with database.write() as session:
        leases.release(session, 1)
    assert Lease.take(database).epoch == 2
    thread.join(10)
    assert not thread.is_alive()
    assert len(raised) == 1
    assert held() == 2


def test_full_disk_is_waited_out(start, service, backend, status, monkeypatch):
    monkeypatch.setattr("engine.scheduling.RETRY_SECONDS", 0.05)
    backend.refusal = DISK_FULL
    start()
    number = service.create_quick_test(REQUEST)
    wait_for(lambda: stage_of(service, number) == "Waiting")
    backend.refusal = None
    wait_for(lambda: backend.submissions)
    backend.put(backend.submissions[0].uid, ended("completed"))
    wait_for(lambda: status(number) == "completed")


def stage_of(service, number):
    with service._database.read() as session:
        return experiments.track(session, number).stage


def status_of(service, number):
    with service._database.read() as session:
        return experiments.track(session, number).status


def limit_pages(database, pages):
    """Let the database's one connection believe that the disk ends here."""
    with database.engine.connect() as connection:
        count = connection.exec_driver_sql(f"SELECT {pages}").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={count}")


class TestScheduler:
    @pytest.fixture(autouse=True)
    def always_due(self, backend):
        backend.poll_seconds = 0.0

    def test_oldest_go_first_within_the_capacity(self, scheduler, service, backend):
        numbers = [service.create_quick_test(REQUEST) for _ in range(3)]
        scheduler.tick()
        scheduler.tick()
        assert [s.number for s in backend.submissions] == numbers[:1]
        assert [stage_of(service, n) for n in numbers] == ["Starting", "Queued", "Queued"]
        backend.put(backend.submissions[0].uid, ended("failed"))
        scheduler.tick()
        assert [s.number for s in backend.submissions] == numbers[:2]

    def test_run_that_still_starts_is_submitted_again(self, scheduler, service, backend):
        service.create_quick_test(REQUEST)
        calls = []
        accept = backend.submit
        backend.submit = lambda spec: (calls.append(spec.uid), accept(spec))
        for _ in range(3):
            scheduler.tick()
        assert len(calls) == 3
        assert len(backend.submissions) == 1

    def test_run_that_cannot_be_looked_at_keeps_its_place(self, scheduler, service, backend):
        first, _ = service.create_quick_test(REQUEST), service.create_quick_test(REQUEST)
        scheduler.tick()

        def fail(uid):
            raise OSError(28, "No space left on device")

        backend.status = fail
        for _ in range(3):
            scheduler.tick()
        assert [s.number for s in backend.submissions] == [first]

    def test_full_database_postpones_and_loses_nothing(
        self, scheduler, service, backend, database, monkeypatch
    ):
        monkeypatch.setattr("engine.scheduling.RETRY_SECONDS", 0.0)
        number = service.create_quick_test(REQUEST)
        scheduler.tick()
        uid = backend.submissions[0].uid
        backend.results[uid] = metrics_of().replace(params={"note": "x" * 500_000})
        backend.put(uid, ended("completed"))
        limit_pages(database, "(SELECT page_count FROM pragma_page_count)")
        for _ in range(3):
            scheduler.tick()
            assert status_of(service, number) == "submitting"
        limit_pages(database, "1000000")
        scheduler.tick()
        assert status_of(service, number) == "completed"

    def test_failing_delete_holds_nobody_up(self, scheduler, service, backend, database):
        doomed = service.create_quick_test(REQUEST)
        scheduler.tick()
        backend.put(backend.submissions[0].uid, ended("completed"))
        scheduler.tick()

        def fail(uid, **folders):
            raise EnvironmentNotReady("The folder cannot be removed.")

        backend.delete = fail
        service.delete_quick_test(doomed)
        following = service.create_quick_test(REQUEST)
        scheduler.tick()
        assert [s.number for s in backend.submissions] == [doomed, following]
        with database.read() as session:
            assert experiments.track(session, doomed).delete_requested_at is not None

    def test_news_is_looked_at_before_the_backend_is_due(self, scheduler, service, backend):
        backend.poll_seconds = 3600
        number = service.create_quick_test(REQUEST)
        scheduler.tick()
        backend.put(backend.submissions[0].uid, at_component(1))
        scheduler.tick()
        assert stage_of(service, number) == "Starting"
        service.cancel_quick_test(number)
        scheduler.tick()
        assert backend.cancelled == {backend.submissions[0].uid}
        assert 0 < scheduler.seconds_to_next() <= 3600

    def test_new_scheduler_starts_nothing_twice(self, scheduler, service, backend, database):
        service.create_quick_test(REQUEST)
        scheduler.tick()
        Scheduler(database, {"local": backend}, service).tick()
        assert len(backend.submissions) == 1
