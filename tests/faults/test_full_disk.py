"""A disk filled to the last byte: the run gets its verdict, and nothing is started half."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.backends.local import LocalBackend
from engine.errors import EnvironmentNotReady
from engine.workspace import Workspace
from tests.contracts.backend_contract import ENDED, uid, wait_until
from tests.contracts.local_workspace import kill_all, processes_of, standin_workspace
from tests.faults.standin import Behaviour, standin_spec
from tests.faults.waiting import wait_for

__all__ = ["uid"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"needs a small file system: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.fixture
def workspace(small_disk: Path) -> Iterator[Workspace]:
    workspace = standin_workspace(small_disk / "workspace", warm_runner=False)
    yield workspace
    kill_all(workspace)
    wait_for(lambda: not processes_of(workspace, "pipelines.supervise"))


@pytest.fixture
def backend(workspace: Workspace) -> LocalBackend:
    return LocalBackend(workspace)


def fill(disk: Path) -> None:
    """Take all the space that is left."""
    with (disk / "ballast").open("ab", buffering=0) as file:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    assert os.statvfs(disk).f_bavail == 0


def test_a_run_that_fills_the_disk_fails_and_says_so(backend: LocalBackend, uid: str):
    backend.submit(standin_spec(uid, Behaviour(seconds=0.5, fills_disk=True)))
    status = wait_until(backend, uid, *ENDED)
    assert status.phase == "failed"
    assert status.error is not None
    assert status.error.message.startswith("The disk is full")
    assert "towerlab gc" in status.error.hint


def test_a_run_on_a_disk_that_others_filled_still_gets_a_verdict(
    small_disk: Path, backend: LocalBackend, uid: str
):
    backend.submit(standin_spec(uid, Behaviour(seconds=2)))
    wait_for(lambda: backend.status(uid).components[:1] and backend.status(uid).phase == "running")
    fill(small_disk)
    status = wait_until(backend, uid, *ENDED)
    assert status.phase == "failed"
    assert status.error is not None
    assert "disk is full" in status.error.message


def test_a_run_can_be_cancelled_on_a_full_disk(small_disk: Path, backend: LocalBackend, uid: str):
    backend.submit(standin_spec(uid, Behaviour(seconds=120)))
    wait_for(lambda: "running" in {c.status for c in backend.status(uid).components})
    fill(small_disk)
    backend.cancel(uid)
    assert wait_until(backend, uid, *ENDED).phase == "cancelled"


def test_nothing_is_submitted_to_a_full_disk(small_disk: Path, backend: LocalBackend, uid: str):
    fill(small_disk)
    with pytest.raises(EnvironmentNotReady, match="the disk is full"):
        backend.submit(standin_spec(uid))
    assert backend.status(uid).phase == "absent"
    (small_disk / "ballast").unlink()
    backend.submit(standin_spec(uid, Behaviour(seconds=0.1)))
    assert wait_until(backend, uid, *ENDED).phase == "completed"
