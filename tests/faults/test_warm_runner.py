"""The warm runner comes, leaves and fails; runs start all the same."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.backends.local import LocalBackend
from engine.backends.run_reading import read_supervisor
from engine.processes import send_signal
from engine.spec.warm import WARM_LOG, WARM_REQUESTS
from engine.workspace import Workspace
from tests.contracts.backend_contract import ENDED, uid, wait_until
from tests.contracts.local_workspace import kill_all, processes_of, standin_workspace
from tests.faults.standin import MODULE, Behaviour, standin_spec, starts
from tests.faults.waiting import wait_for

__all__ = ["uid"]

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = standin_workspace(tmp_path / "workspace", warm_runner=True)
    yield workspace
    kill_all(workspace)


def start_runner(
    workspace: Workspace, *options: str, code: Path = REPOSITORY, module: str = MODULE
) -> subprocess.Popen[bytes]:
    """Start a warm runner that imports its code from a folder."""
    with (workspace.state / WARM_LOG).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "pipelines.warm", workspace.state, "--module", module]
            + list(options),
            env={**os.environ, "PYTHONPATH": str(code)},
            stdout=log,
            stderr=log,
        )


def serves(workspace: Workspace) -> bool:
    return (workspace.state / WARM_REQUESTS).exists() and "Imported" in log_of(workspace)


def log_of(workspace: Workspace) -> str:
    path = workspace.state / WARM_LOG
    return path.read_text() if path.exists() else ""


def test_it_leaves_when_nobody_asks(workspace: Workspace):
    runner = start_runner(workspace, "--idle-minutes", "0.001", "--min-free-gb", "0")
    assert runner.wait(20) == 0
    assert "Leaving: nobody asked for a run" in log_of(workspace)


def test_it_leaves_when_memory_is_short(workspace: Workspace):
    runner = start_runner(workspace, "--min-free-gb", "1000000")
    assert runner.wait(20) == 0
    assert "Leaving: memory is short" in log_of(workspace)


def test_it_leaves_when_its_code_changed(workspace: Workspace, tmp_path: Path):
    code = tmp_path / "code"
    for package in ("engine", "pipelines", "tests"):
        shutil.copytree(
            REPOSITORY / package, code / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    runner = start_runner(workspace, "--min-free-gb", "0", code=code)
    wait_for(lambda: serves(workspace))
    with (code / "pipelines" / "errors.py").open("a") as file:
        file.write("# another line\n")
    assert runner.wait(20) == 0
    assert "Leaving: the code changed" in log_of(workspace)


def test_a_workspace_has_one_at_most(workspace: Workspace):
    first = start_runner(workspace, "--min-free-gb", "0")
    wait_for(lambda: serves(workspace))
    assert start_runner(workspace, "--min-free-gb", "0").wait(20) == 0
    assert first.poll() is None
    first.kill()
    first.wait(5)


def test_it_is_not_disturbed_by_what_is_no_request(workspace: Workspace, uid: str):
    runner = start_runner(workspace, "--min-free-gb", "0")
    wait_for(lambda: serves(workspace))
    pipe = os.open(workspace.state / WARM_REQUESTS, os.O_WRONLY | os.O_NONBLOCK)
    os.write(pipe, b'hello\n{"run": "../../etc", "module": "os"}\n\xff\n')
    os.close(pipe)
    backend = LocalBackend(workspace)
    backend.submit(standin_spec(uid, Behaviour(seconds=0.1)))
    assert wait_until(backend, uid, *ENDED).phase == "completed"
    assert "Not a request" in log_of(workspace)
    assert runner.poll() is None
    runner.kill()
    runner.wait(5)


def test_a_run_starts_cold_when_the_warm_runner_dies_before_it_claims_it(
    workspace: Workspace, uid: str
):
    backend = LocalBackend(workspace)
    runner = start_runner(workspace, "--min-free-gb", "0")
    wait_for(lambda: serves(workspace))
    runner.send_signal(signal.SIGSTOP)  # it takes the request and does nothing about it
    spec = standin_spec(uid, Behaviour(seconds=0.1))
    backend.submit(spec)
    assert backend.status(uid).phase == "starting"
    runner.kill()
    runner.wait(5)

    def ended() -> bool:
        backend.submit(spec)
        return backend.status(uid).phase in ENDED

    wait_for(ended)
    assert backend.status(uid).phase == "completed"
    supervisor = read_supervisor(workspace.run_folder(uid))
    assert supervisor is not None
    assert not supervisor.warm
    assert starts(workspace.state) == [uid]


def test_a_module_that_cannot_be_imported_fails_the_run_with_its_name(tmp_path: Path, uid: str):
    workspace = standin_workspace(tmp_path, warm_runner=True, module="tests.faults.no_such_module")
    backend = LocalBackend(workspace)
    spec = standin_spec(uid)

    def ended() -> bool:
        backend.submit(spec)
        return backend.status(uid).phase in ENDED

    wait_for(ended)
    status = backend.status(uid)
    assert status.phase == "failed"
    assert status.error is not None
    assert "no_such_module" in status.error.message
    kill_all(workspace)


def test_a_run_goes_on_when_the_warm_runner_is_killed(workspace: Workspace, uid: str):
    backend = LocalBackend(workspace)
    backend.submit(standin_spec(uid))
    wait_until(backend, uid, "running")
    supervisor = read_supervisor(workspace.run_folder(uid))
    assert supervisor is not None
    assert supervisor.warm
    oldest = processes_of(workspace, "pipelines.warm")[0]
    assert oldest.pid != supervisor.pid
    send_signal(oldest, signal.SIGKILL)
    assert wait_until(backend, uid, *ENDED).phase == "completed"


def test_a_request_reaches_a_warm_runner_that_was_just_starting(workspace: Workspace, uid: str):
    backend = LocalBackend(workspace)
    runner = start_runner(workspace, "--min-free-gb", "0")
    spec = standin_spec(uid, Behaviour(seconds=0.1))
    backend.submit(spec)  # finds no pipe yet, and starts a second runner that makes room

    def ended() -> bool:
        backend.submit(spec)
        return backend.status(uid).phase in ENDED

    wait_for(ended, seconds=10)
    assert backend.status(uid).phase == "completed"
    runner.kill()
    runner.wait(5)
