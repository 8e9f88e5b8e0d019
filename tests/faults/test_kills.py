"""`kill -9` at random moments of a run's processes: nothing starts twice, every run gets an end."""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from engine.backends.base import RunStatus
from engine.backends.local import LocalBackend
from engine.backends.run_reading import read_supervisor
from engine.processes import ProcessIdentity, send_signal
from engine.spec.run_folder import EXIT
from engine.workspace import Workspace
from tests.contracts.backend_contract import ENDED, wait_until
from tests.contracts.local_workspace import kill_all, processes_of, run_of, standin_workspace
from tests.faults.standin import Behaviour, standin_spec, starts
from tests.faults.waiting import wait_for

FEW, MANY = 3, 40
"""Rounds of each kind in `make test` and in `make test-full`."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    workspace = standin_workspace(tmp_path_factory.mktemp("kills"), warm_runner=True)
    yield workspace
    kill_all(workspace)


@pytest.fixture
def backend(workspace: Workspace) -> LocalBackend:
    return LocalBackend(workspace)


rounds = pytest.mark.parametrize(
    "seed",
    [
        *range(FEW),
        *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(FEW, MANY)),
    ],
)


def running_processes(workspace: Workspace, uid: str) -> tuple[ProcessIdentity, ProcessIdentity]:
    """Return the supervisor and its run, as soon as both live."""

    def both() -> tuple[ProcessIdentity, ProcessIdentity] | None:
        supervisor = read_supervisor(workspace.run_folder(uid))
        run = run_of(supervisor) if supervisor else None
        return (supervisor, run) if supervisor and run else None

    found = wait_for(both)
    assert found is not None
    return found


def wait_a_random_part(backend: LocalBackend, uid: str, rng: random.Random) -> None:
    """Wait until a run has got to a random point of its course, submitting as the worker does."""
    spec = standin_spec(uid)
    target = rng.randrange(10)

    def reached() -> bool:
        status = backend.status(uid)
        if status.phase in ("absent", "starting"):
            backend.submit(spec)
        done = sum(state.status != "pending" for state in status.components) + sum(
            state.status == "completed" for state in status.components
        )
        return status.phase in ENDED or done >= target

    wait_for(reached)


def ended_status(backend: LocalBackend, uid: str) -> RunStatus:
    """Submit as the worker does until the run ends; nothing may take longer than a few seconds."""
    spec = standin_spec(uid)

    def ended() -> RunStatus | None:
        status = backend.status(uid)
        if status.phase == "starting":
            backend.submit(spec)
        return status if status.phase in ENDED else None

    status = wait_for(ended, seconds=30)
    assert status is not None
    return status


@rounds
def test_a_killed_run_fails_with_its_signal(workspace: Workspace, backend: LocalBackend, seed: int):
    rng, uid = random.Random(seed), uuid4().hex
    backend.submit(standin_spec(uid))
    _, run = running_processes(workspace, uid)
    wait_a_random_part(backend, uid, rng)
    hit = send_signal(run, signal.SIGKILL)
    status = ended_status(backend, uid)
    if status.phase == "completed":
        assert not hit or backend.metrics(uid) is not None  # it had ended, or was ending
    else:
        assert status.phase == "failed"
        assert status.error is not None
        assert "signal 9" in status.error.message
        assert "memory" in status.error.message
    assert starts(workspace.state).count(uid) <= 1


@rounds
def test_a_killed_supervisor_takes_the_run_with_it(
    workspace: Workspace, backend: LocalBackend, seed: int
):
    rng, uid = random.Random(seed), uuid4().hex
    backend.submit(standin_spec(uid))
    supervisor, run = running_processes(workspace, uid)
    wait_a_random_part(backend, uid, rng)
    send_signal(supervisor, signal.SIGKILL)
    wait_for(lambda: not run.is_alive(), seconds=5)
    status = ended_status(backend, uid)
    assert status.phase in ("vanished", "completed")
    if status.phase == "vanished":
        assert not (workspace.run_folder(uid) / EXIT).exists()
        assert "running" not in {state.status for state in status.components}
    backend.submit(standin_spec(uid))
    assert backend.status(uid).phase == status.phase
    assert starts(workspace.state).count(uid) <= 1


@rounds
def test_a_run_survives_the_warm_runner(workspace: Workspace, backend: LocalBackend, seed: int):
    rng, uid = random.Random(seed), uuid4().hex
    backend.submit(standin_spec(uid))
    if rng.random() < 0.5:
        wait_a_random_part(backend, uid, rng)
    for process in processes_of(workspace, "pipelines.warm"):
        if not _supervises(workspace, uid, process):
            send_signal(process, signal.SIGKILL)
    assert ended_status(backend, uid).phase == "completed"
    assert starts(workspace.state).count(uid) == 1


@rounds
def test_whoever_is_killed_there_is_one_start_and_an_end(
    workspace: Workspace, backend: LocalBackend, seed: int
):
    rng, uid = random.Random(seed), uuid4().hex
    backend.submit(standin_spec(uid))
    for _ in range(3):
        if rng.random() < 0.7:
            wait_a_random_part(backend, uid, rng)
        everybody = [
            process
            for module in ("pipelines.warm", "pipelines.supervise")
            for process in processes_of(workspace, module)
        ]
        if everybody:
            send_signal(rng.choice(everybody), signal.SIGKILL)
    status = ended_status(backend, uid)
    assert status.phase in ("completed", "failed", "vanished")
    assert starts(workspace.state).count(uid) <= 1


@rounds
def test_a_cancel_at_any_moment_ends_the_run(
    workspace: Workspace, backend: LocalBackend, seed: int
):
    rng, uid = random.Random(seed), uuid4().hex
    backend.submit(standin_spec(uid))
    if rng.random() < 0.8:
        wait_a_random_part(backend, uid, rng)
    backend.cancel(uid)
    status = ended_status(backend, uid)
    assert status.phase in ("cancelled", "completed")
    assert "running" not in {state.status for state in status.components}
    assert starts(workspace.state).count(uid) <= 1


def test_a_run_that_ignores_being_asked_is_killed(workspace: Workspace, backend: LocalBackend):
    uid = uuid4().hex
    backend.submit(standin_spec(uid, Behaviour(seconds=60, stubborn=True)))
    _, run = running_processes(workspace, uid)
    wait_until(backend, uid, "running")
    wait_for(lambda: backend.status(uid).components[0].status == "running")
    backend.cancel(uid)
    assert wait_until(backend, uid, *ENDED).phase == "cancelled"
    assert not run.is_alive()


def test_what_a_run_leaves_behind_is_ended_with_it(workspace: Workspace, backend: LocalBackend):
    uid = uuid4().hex
    backend.submit(standin_spec(uid, Behaviour(seconds=0.1, leaves_child=True)))
    assert wait_until(backend, uid, *ENDED).phase == "completed"
    wait_for(lambda: not _processes_with_lock(workspace.run_folder(uid)), seconds=5)


@pytest.mark.parametrize("signum", [signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
def test_a_crash_names_its_signal(backend: LocalBackend, signum: signal.Signals):
    uid = uuid4().hex
    backend.submit(standin_spec(uid, Behaviour(seconds=0.1, signal=signum)))
    status = wait_until(backend, uid, *ENDED)
    assert status.phase == "failed"
    assert status.error is not None
    assert signum.name in status.error.message


def test_a_supervisor_told_to_stop_ends_the_run_and_says_so(
    workspace: Workspace, backend: LocalBackend
):
    uid = uuid4().hex
    backend.submit(standin_spec(uid, Behaviour(seconds=60)))
    supervisor, run = running_processes(workspace, uid)
    send_signal(supervisor, signal.SIGTERM)
    status = wait_until(backend, uid, *ENDED)
    assert status.phase == "failed"
    assert status.error is not None
    assert "from outside" in status.error.message
    assert not run.is_alive()


def _supervises(workspace: Workspace, uid: str, process: ProcessIdentity) -> bool:
    """Whether a process forked from the warm runner is the run's supervisor or the run."""
    supervisor = read_supervisor(workspace.run_folder(uid))
    if supervisor is None:
        return False
    run = run_of(supervisor)
    return process.pid in (supervisor.pid, run.pid if run else 0)


def _processes_with_lock(folder: Path) -> list[str]:
    lock = str(folder / "lock")
    holders: list[str] = []
    for descriptors in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(link) == lock for link in descriptors.iterdir()):
                holders.append(descriptors.parent.name)
        except (FileNotFoundError, PermissionError, ProcessLookupError):
            continue
    return holders
