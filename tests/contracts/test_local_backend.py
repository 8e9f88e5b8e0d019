"""The local backend: the contract, cold and warm, and what only local runs have."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from engine.backends.base import Backend
from engine.backends.local import LocalBackend
from engine.backends.run_reading import read_supervisor
from engine.errors import EnvironmentNotReady, NotAllowed
from engine.processes import ProcessIdentity, send_signal
from engine.spec.run_folder import (
    COMPONENTS,
    EXIT,
    LOGS,
    SCHEMA_FILE,
    STATISTICS_FILES,
    SUPERVISOR,
    TRAINING_LOG,
    TRAINING_METRICS,
)
from engine.workspace import Workspace
from tests.contracts.backend_contract import ENDED, BackendContract, uid, wait_until
from tests.contracts.local_workspace import kill_all, processes_of, standin_workspace
from tests.faults.standin import Behaviour, standin_spec, starts
from tests.faults.waiting import wait_for

__all__ = ["uid"]


class _LocalContract(BackendContract):
    @pytest.fixture
    def backend(self, workspace: Workspace) -> Backend:
        return LocalBackend(workspace)

    @pytest.fixture
    def starts(self, workspace: Workspace) -> Callable[[str], int]:
        return lambda uid: starts(workspace.state).count(uid)


class TestColdLocalBackend(_LocalContract):
    @pytest.fixture
    def workspace(self, tmp_path: Path) -> Iterator[Workspace]:
        workspace = standin_workspace(tmp_path / "cold", warm_runner=False)
        yield workspace
        kill_all(workspace)


@pytest.fixture(scope="module")
def warm_workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    workspace = standin_workspace(tmp_path_factory.mktemp("warm"), warm_runner=True)
    yield workspace
    kill_all(workspace)


class TestWarmLocalBackend(_LocalContract):
    @pytest.fixture
    def workspace(self, warm_workspace: Workspace) -> Workspace:
        return warm_workspace

    def test_keeps_one_warm_runner_and_says_that_a_run_came_from_it(
        self, backend: Backend, workspace: Workspace
    ):
        first, second = uuid4().hex, uuid4().hex
        for name in (first, second):
            backend.submit(standin_spec(name, Behaviour(seconds=0.1)))
            wait_until(backend, name, "completed")
        supervisor = read_supervisor(workspace.run_folder(second))
        assert supervisor is not None
        assert supervisor.warm
        assert len(processes_of(workspace, "pipelines.warm")) == 1


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = standin_workspace(tmp_path / "workspace", warm_runner=False)
    yield workspace
    kill_all(workspace)


@pytest.fixture
def backend(workspace: Workspace) -> LocalBackend:
    return LocalBackend(workspace)


def test_a_run_that_another_process_submitted_goes_on_here(workspace: Workspace, uid: str):
    spec = standin_spec(uid, Behaviour(seconds=0.5))
    LocalBackend(workspace).submit(spec)
    second = LocalBackend(workspace)
    second.submit(spec)
    assert wait_until(second, uid, *ENDED).phase == "completed"
    assert starts(workspace.state) == [uid]


def test_a_run_is_not_deleted_while_it_goes(backend: LocalBackend, uid: str):
    backend.submit(standin_spec(uid, Behaviour(seconds=60)))
    wait_until(backend, uid, "running")
    with pytest.raises(NotAllowed):
        backend.delete(uid)
    backend.cancel(uid)
    wait_until(backend, uid, "cancelled")
    backend.delete(uid)


def test_a_run_in_a_read_only_workspace_is_refused(tmp_path: Path, uid: str):
    workspace = standin_workspace(tmp_path, warm_runner=False)
    workspace.runs.rmdir()
    workspace.runs.write_text("a file where a folder should be")
    backend = LocalBackend(workspace)
    with pytest.raises(EnvironmentNotReady, match="could not be written: Not a directory"):
        backend.submit(standin_spec(uid))
    assert backend.status(uid).phase == "absent"


def test_a_run_that_cannot_be_claimed_is_withdrawn_with_the_reason(
    workspace: Workspace, backend: LocalBackend, uid: str
):
    folder = workspace.run_folder(uid)
    (folder / LOGS).mkdir(parents=True)
    (folder / f".{SUPERVISOR}").mkdir()  # where the supervisor drafts its claim

    def submit() -> EnvironmentNotReady | None:
        try:
            backend.submit(standin_spec(uid))
        except EnvironmentNotReady as error:
            return error
        return None

    error = wait_for(submit)
    assert error is not None
    assert error.message.startswith("The run could not be started: IsADirectoryError")
    assert backend.status(uid).phase == "absent"
    assert starts(workspace.state) == []


def test_without_the_local_extra_it_is_not_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    workspace = standin_workspace(tmp_path, warm_runner=True, module="pipelines.run_local")
    LocalBackend(workspace).check_ready()
    monkeypatch.setitem(sys.modules, "tfx", None)  # how Python marks what can't be imported
    with pytest.raises(EnvironmentNotReady, match="not installed: tfx"):
        LocalBackend(workspace).check_ready()


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1, 2]", b"\xff" * 100, b'{"outcome": "completed"}']
)
def test_a_damaged_verdict_is_a_failure_that_names_the_file(
    workspace: Workspace, backend: LocalBackend, uid: str, content: bytes
):
    backend.submit(standin_spec(uid, Behaviour(seconds=0.1)))
    wait_until(backend, uid, "completed")
    (workspace.run_folder(uid) / EXIT).write_bytes(content)
    status = backend.status(uid)
    assert status.phase == "failed"
    assert status.error is not None
    assert "exit.json is damaged" in status.error.message


def test_hostile_files_are_read_as_far_as_they_are_valid(
    workspace: Workspace, backend: LocalBackend, uid: str, tmp_path: Path
):
    backend.submit(standin_spec(uid, Behaviour(seconds=0.1), epochs=2))
    wait_until(backend, uid, "completed")
    folder = workspace.run_folder(uid)
    (folder / COMPONENTS).write_text('[{"name": "Examples", "status": "exploded"}]')
    assert {state.status for state in backend.status(uid).components} == {"pending"}
    with (folder / TRAINING_LOG).open("a") as file:
        file.write('{"epoch": NaN}\n\x1b]0;title\n{"epoch": 2, "train_lo')
    assert [record.epoch for record in backend.epochs(uid)] == [0, 1]
    metrics = (folder / TRAINING_METRICS).read_text()
    (folder / TRAINING_METRICS).write_text(metrics.replace("0.5", "NaN"))
    assert backend.metrics(uid) is None
    secret = tmp_path / "secret"
    secret.write_text(metrics)
    (folder / TRAINING_METRICS).unlink()
    (folder / TRAINING_METRICS).symlink_to(secret)
    assert backend.metrics(uid) is None
    (folder / LOGS / "Train.jsonl").unlink()
    os.mkfifo(folder / LOGS / "Train.jsonl")
    assert backend.logs(uid, "Train") == []


def test_an_artifact_is_a_plain_file_of_the_run_and_not_too_large(
    workspace: Workspace, backend: LocalBackend, uid: str, tmp_path: Path
):
    folder = workspace.run_folder(uid)
    (folder / "schema").mkdir(parents=True)
    schema = folder / SCHEMA_FILE
    assert backend.artifact(uid, SCHEMA_FILE) is None
    schema.write_bytes(b"feature {}")
    assert backend.artifact(uid, SCHEMA_FILE) == b"feature {}"
    os.truncate(schema, 2_000_001)  # takes no space on the disk
    assert backend.artifact(uid, SCHEMA_FILE) is None
    schema.unlink()
    os.mkfifo(schema)
    assert backend.artifact(uid, SCHEMA_FILE) is None
    schema.unlink()
    schema.mkdir()
    assert backend.artifact(uid, SCHEMA_FILE) is None
    outside = tmp_path / "outside"
    (outside / "Split-train").mkdir(parents=True)
    (outside / "Split-train" / "FeatureStats.pb").write_bytes(b"secret")
    (folder / "statistics").symlink_to(outside)
    assert backend.artifact(uid, STATISTICS_FILES["train"]) is None


def test_a_process_is_known_by_more_than_its_pid():
    me = ProcessIdentity.current()
    assert me.is_alive()
    assert not me.replace(start_ticks=me.start_ticks + 1).is_alive()
    assert not me.replace(boot_id="another boot").is_alive()


def test_a_zombie_is_dead():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert ProcessIdentity.of(pid) is None
    os.waitpid(pid, 0)


def test_a_signal_never_reaches_a_process_that_took_over_a_pid():
    stranger = ProcessIdentity.current().replace(start_ticks=1)
    assert not send_signal(stranger, signal.SIGKILL)
