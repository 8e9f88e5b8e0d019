"""A disk filled to the last byte: the worker waits, and goes on when there is room again."""

import signal

import pytest

from engine.api import Engine
from engine.errors import EnvironmentNotReady
from engine.processes import send_signal
from tests.engine.sample_plans import REQUEST
from tests.faults.test_full_disk import fill, small_disk, workspace
from tests.faults.test_worker_kills import StandinPlanner, worker_of
from tests.faults.waiting import wait_for

__all__ = ["small_disk", "workspace"]


@pytest.fixture
def engine(workspace):
    with Engine(workspace, planner=StandinPlanner()) as engine:
        yield engine
        for process in worker_of(workspace):
            send_signal(process, signal.SIGKILL)


def test_worker_waits_for_room_and_loses_nothing(small_disk, workspace, engine):
    first = engine.create(REQUEST).number
    wait_for(lambda: engine.get(first).ended)
    (worker,) = worker_of(workspace)
    fill(small_disk)

    with pytest.raises(EnvironmentNotReady, match="disk is full") as refused:
        engine.create(REQUEST)
    assert refused.value.hint
    assert engine.get(first).status == "completed"

    (small_disk / "ballast").unlink()
    second = engine.create(REQUEST).number
    wait_for(lambda: engine.get(second).status == "running")
    fill(small_disk)
    uid = engine.get(second).uid
    backend = engine._backends["local"]
    wait_for(lambda: backend.status(uid).phase in ("completed", "failed"))
    verdict = backend.status(uid).phase
    assert worker.is_alive()
    assert engine.get(second).status == "running"

    (small_disk / "ballast").unlink()
    wait_for(lambda: engine.get(second).ended, seconds=30)
    assert engine.get(second).status == verdict
    assert worker.is_alive()
