"""Cancelling races what comes to be: in each phase nothing is left going, and no result is lost."""

import threading
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest
from google.cloud.aiplatform_v1 import PipelineState
from google.cloud.devtools.cloudbuild_v1 import Build

from engine.backends.vertex.backend import VertexBackend
from engine.backends.vertex.clients import Patience
from engine.backends.vertex.record import Submissions
from engine.errors import EnvironmentNotReady
from engine.spec.cloud import JOB_LABEL, CloudTarget
from engine.workspace import Workspace
from tests.cloud.servers.claims import (
    claim,
    make_build,
    make_job,
    nothing_runs_by_itself,
    target,
    workspace,
)
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, served
from tests.faults.cloud_engine import IMPATIENT
from tests.faults.standin import standin_spec
from tests.faults.waiting import wait_for

__all__ = ["cloud", "nothing_runs_by_itself", "served", "target", "workspace"]

Status = Build.Status
CANCELLING, CANCELLED = (
    PipelineState.PIPELINE_STATE_CANCELLING,
    PipelineState.PIPELINE_STATE_CANCELLED,
)


@pytest.fixture
def backend(workspace: Workspace) -> VertexBackend:
    return VertexBackend(workspace, IMPATIENT)


@pytest.fixture(autouse=True)
def no_dataflow(cloud: Cloud) -> Iterator[None]:
    cloud.dataflow.jobs.clear()
    yield
    cloud.dataflow.jobs.clear()


def in_a_round(backend: VertexBackend, uid: str) -> str:
    """Look as the worker does, which asks again for the end of what goes on."""
    backend.begin_round([uid], [])
    phase = backend.status(uid).phase
    if phase in ("starting", "running"):
        backend.cancel(uid)
    return phase


def by_itself(backend: VertexBackend, uid: str) -> str:
    return backend.status(uid).phase


looks = pytest.mark.parametrize("look", [in_a_round, by_itself])
Look = Callable[[VertexBackend, str], str]


@looks
@pytest.mark.parametrize("ended", [Status.CANCELLED, Status.FAILURE, Status.TIMEOUT])
def test_a_build_that_was_cancelled_after_it_made_its_job(
    backend: VertexBackend,
    workspace: Workspace,
    cloud: Cloud,
    target: CloudTarget,
    look: Look,
    ended: Build.Status,
):
    spec, submission = claim(workspace, target)
    make_build(cloud, submission, Status.WORKING)
    backend.cancel(spec.uid)
    assert cloud.builds.builds[f"build-{spec.uid}"].status == Status.CANCELLED
    make_build(cloud, submission, ended)
    make_job(cloud, spec, submission)
    cloud.pipelines.change(submission.job_id, labels={})  # so late that no list has it yet
    assert look(backend, spec.uid) == "running"
    assert cloud.pipelines.state(submission.job_id) == CANCELLING
    cloud.pipelines.change(submission.job_id, state=CANCELLED)
    assert look(backend, spec.uid) == "cancelled"


@looks
def test_a_process_here_that_made_its_job_before_it_was_stopped(
    backend: VertexBackend, workspace: Workspace, cloud: Cloud, target: CloudTarget, look: Look
):
    spec, submission = claim(workspace, target, compile="local", build_id=None)
    backend.cancel(spec.uid)
    make_job(cloud, spec, submission)
    cloud.pipelines.change(submission.job_id, labels={})
    assert look(backend, spec.uid) == "running"
    assert cloud.pipelines.state(submission.job_id) == CANCELLING


@looks
def test_a_build_that_ends_well_while_it_is_cancelled_keeps_its_job_from_running_on(
    backend: VertexBackend, workspace: Workspace, cloud: Cloud, target: CloudTarget, look: Look
):
    spec, submission = claim(workspace, target)
    make_build(cloud, submission, Status.SUCCESS)
    make_job(cloud, spec, submission)
    backend.cancel(spec.uid)
    assert cloud.pipelines.state(submission.job_id) == CANCELLING
    assert cloud.builds.builds[f"build-{spec.uid}"].status == Status.SUCCESS
    assert look(backend, spec.uid) == "running"


@looks
@pytest.mark.parametrize("state", [Status.QUEUED, Status.WORKING])
def test_a_build_that_goes_on_ends_with_its_experiment(
    backend: VertexBackend,
    workspace: Workspace,
    cloud: Cloud,
    target: CloudTarget,
    look: Look,
    state: Build.Status,
):
    spec, submission = claim(workspace, target)
    make_build(cloud, submission, state)
    backend.cancel(spec.uid)
    assert cloud.builds.builds[f"build-{spec.uid}"].status == Status.CANCELLED
    assert look(backend, spec.uid) == "cancelled"


@looks
def test_a_job_that_is_gone_when_it_is_cancelled_leaves_no_dataflow_job(
    backend: VertexBackend, workspace: Workspace, cloud: Cloud, target: CloudTarget, look: Look
):
    spec, submission = claim(workspace, target)
    make_job(cloud, spec, submission)
    assert look(backend, spec.uid) == "running"
    cloud.pipelines.jobs.clear()
    cloud.dataflow.start("beam", {JOB_LABEL: submission.job_id})
    cloud.dataflow.start("beam", {JOB_LABEL: f"{submission.job_id}0"})
    backend.cancel(spec.uid)
    assert look(backend, spec.uid) == "vanished"
    assert cloud.dataflow.states() == ["JOB_STATE_CANCELLED", "JOB_STATE_RUNNING"]


def test_dataflow_jobs_are_cancelled_later_where_they_could_not_be_at_once(
    backend: VertexBackend, workspace: Workspace, cloud: Cloud, target: CloudTarget
):
    spec, submission = claim(workspace, target)
    make_job(cloud, spec, submission)
    cloud.dataflow.start("beam", {JOB_LABEL: submission.job_id})
    cloud.dataflow.faults.plan("*", "refuse", status="PERMISSION_DENIED")
    with pytest.raises(EnvironmentNotReady, match="Dataflow"):
        backend.cancel(spec.uid)
    assert cloud.pipelines.state(submission.job_id) == CANCELLING
    assert in_a_round(backend, spec.uid) == "running"
    cloud.pipelines.change(submission.job_id, state=CANCELLED)
    with pytest.raises(EnvironmentNotReady, match="Dataflow"):
        in_a_round(backend, spec.uid)  # the verdict waits: something costs money
    cloud.clear_faults()
    assert in_a_round(backend, spec.uid) == "cancelled"
    assert cloud.dataflow.states() == ["JOB_STATE_CANCELLED"]


def test_one_request_is_made_however_often_it_is_looked_at(
    backend: VertexBackend, workspace: Workspace, cloud: Cloud, target: CloudTarget
):
    spec, submission = claim(workspace, target)
    make_job(cloud, spec, submission)
    backend.cancel(spec.uid)
    for _ in range(5):
        assert in_a_round(backend, spec.uid) == "running"
    calls = cloud.pipelines.faults.calls
    assert calls["CancelPipelineJob"] == 1
    assert calls["GetPipelineJob"] == 1 + 1 + 5  # to cancel it, to see it once, to see to its end


def test_a_build_that_comes_between_the_lists_and_the_look_is_cancelled(
    workspace: Workspace, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    spec = standin_spec(uuid4().hex)
    go_on, end = threading.Event(), threading.Event()

    class Slow(dict[str, Build]):
        def __setitem__(self, build_id: str, build: Build) -> None:
            go_on.wait(30)
            super().__setitem__(build_id, build)

    class Meanwhile(list[str]):
        def append(self, asked: str) -> None:
            go_on.set()
            wait_for(lambda: not [t for t in threading.enumerate() if spec.uid in t.name])

    monkeypatch.setattr(cloud.builds, "builds", Slow())
    monkeypatch.setattr(cloud.builds, "run", lambda build, arguments: end.wait(30))
    monkeypatch.setattr(cloud.pipelines, "lists", Meanwhile())
    backend = VertexBackend(workspace, Patience(call=20))
    backend.submit(spec)
    Submissions(workspace.runs).change(spec.uid, cancel_requested=True)
    assert in_a_round(backend, spec.uid) == "starting"
    assert len(cloud.builds.builds) == 1
    assert in_a_round(backend, spec.uid) == "cancelled"
    assert [b.status for b in cloud.builds.builds.values()] == [Status.CANCELLED]
    end.set()
