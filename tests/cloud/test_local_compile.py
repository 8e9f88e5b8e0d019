"""`compile = "local"`: a process of this machine compiles, and creates the job by itself."""

from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.backends.vertex.backend import VertexBackend
from engine.spec.cloud import job_id
from engine.workspace import Workspace
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.contracts.backend_contract import uid, wait_until
from tests.faults.waiting import wait_for
from tests.pipelines.compiled import bigquery_spec

__all__ = ["cloud", "served", "uid"]

pytestmark = pytest.mark.pipeline


@pytest.fixture
def workspace(tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Workspace]:
    monkeypatch.setattr(cloud.pipelines, "on_create", lambda job_id: None)
    yield cloud_workspace(tmp_path / "shop", cloud, compile="local")
    cloud.pipelines.jobs.clear()


def compilers(workspace: Workspace) -> list[psutil.Process]:
    children = psutil.Process().children()
    return [p for p in children if str(workspace.root) in " ".join(p.cmdline())]


def test_a_child_process_compiles_and_submits_without_a_build(
    workspace: Workspace, cloud: Cloud, uid: str
):
    builds = len(cloud.builds.builds)
    backend = VertexBackend(workspace)
    backend.submit(bigquery_spec().replace(uid=uid))
    wait_for(lambda: backend.status(uid).step == "Compiling", what="the compilation")
    wait_for(lambda: cloud.pipelines.state(job_id(uid, 1)), seconds=240, what="the pipeline job")
    assert wait_until(backend, uid, "starting").job_name is not None
    backend.submit(bigquery_spec().replace(uid=uid))
    assert cloud.pipelines.creations.count(job_id(uid, 1)) == 1
    assert len(cloud.builds.builds) == builds
    executors = cloud.pipelines.jobs[job_id(uid, 1)].pipeline_spec["deploymentSpec"]["executors"]
    arguments = list(executors["Transform_executor"]["container"]["args"])
    assert "--worker_machine_type=e2-standard-8" in arguments


def test_a_cancelled_compilation_ends_with_its_process(
    workspace: Workspace, cloud: Cloud, uid: str
):
    backend = VertexBackend(workspace)
    backend.submit(bigquery_spec().replace(uid=uid))
    wait_for(lambda: compilers(workspace), what="the compilation")
    backend.cancel(uid)
    assert wait_until(backend, uid, "cancelled").error is None
    assert compilers(workspace) == []
    assert cloud.pipelines.state(job_id(uid, 1)) is None


def test_a_spec_that_can_not_be_compiled_fails_with_the_reason(workspace: Workspace, uid: str):
    spec = bigquery_spec().replace(uid=uid)
    backend = VertexBackend(workspace)
    backend.submit(spec.replace(params=spec.params.replace(machine_type=None)))
    status = wait_until(backend, uid, "failed", seconds=120)
    assert status.error is not None
    assert status.error.message.startswith("The pipeline could not be compiled: ")
    assert "no machine type" in status.error.message
