"""What Vertex AI and Cloud Build say of a run, and what is shown of it: states, caches, stages."""

import pytest
from google.cloud.aiplatform_v1 import Artifact, PipelineJob, PipelineState, PipelineTaskDetail
from google.cloud.devtools.cloudbuild_v1 import Build

from engine.backends.vertex.backend import VertexBackend
from engine.spec.cloud import CloudTarget
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

__all__ = ["cloud", "nothing_runs_by_itself", "served", "target", "workspace"]

State = PipelineTaskDetail.State
NEW = 99
"""A state that the client library doesn't know yet."""

pytestmark = pytest.mark.filterwarnings("ignore:Unrecognized")


@pytest.fixture
def uid(workspace: Workspace, cloud: Cloud, target: CloudTarget) -> str:
    """Of a run whose job runs, and nothing of it has begun."""
    spec, submission = claim(workspace, target)
    make_job(cloud, spec, submission)
    return spec.uid


def seen(workspace: Workspace, uid: str):
    backend = VertexBackend(workspace, IMPATIENT)
    backend.begin_round([uid], [])
    return backend.status(uid)


def set_task(cloud: Cloud, uid: str, name: str, state: int, **outputs: str) -> None:
    task = PipelineTaskDetail(task_name=name)
    PipelineTaskDetail.pb(task).state = int(state)
    for key, uri in outputs.items():
        task.outputs[key] = PipelineTaskDetail.ArtifactList(artifacts=[Artifact(uri=uri)])
    cloud.pipelines.change_task(f"qt-{uid}-a1", task)


def test_components_are_told_with_what_came_from_the_cache(
    workspace: Workspace, cloud: Cloud, uid: str
):
    examples = "gs://b/cache/1/qt-other-a1/ExampleGen_1/examples"
    set_task(cloud, uid, "ExampleGen", State.SKIPPED, examples=examples)
    set_task(cloud, uid, "StatisticsGen", State.SUCCEEDED)
    set_task(cloud, uid, "SchemaGen", State.RUNNING)
    set_task(cloud, uid, "Transform", State.NOT_TRIGGERED)
    set_task(cloud, uid, "some-root-task", State.RUNNING)
    components = seen(workspace, uid).components
    assert [(c.name, c.status, c.cached) for c in components] == [
        ("Examples", "completed", True),
        ("Stats", "completed", False),
        ("Schema", "running", False),
        ("Transform", "pending", False),
        ("Train", "pending", False),
    ]
    assert components[0].outputs == {"examples": (examples,)}


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        (PipelineState.PIPELINE_STATE_QUEUED, "starting"),
        (PipelineState.PIPELINE_STATE_PENDING, "starting"),
        (PipelineState.PIPELINE_STATE_RUNNING, "running"),
        (PipelineState.PIPELINE_STATE_PAUSED, "running"),
        (PipelineState.PIPELINE_STATE_CANCELLING, "running"),
        (PipelineState.PIPELINE_STATE_CANCELLED, "cancelled"),
        (PipelineState.PIPELINE_STATE_FAILED, "failed"),
        (PipelineState.PIPELINE_STATE_SUCCEEDED, "completed"),
        (NEW, "running"),
    ],
)
def test_each_state_of_a_job_has_its_phase(
    workspace: Workspace, cloud: Cloud, uid: str, state: int, phase: str
):
    job = cloud.pipelines.jobs[f"qt-{uid}-a1"]
    PipelineJob.pb(job).state = int(state)
    assert seen(workspace, uid).phase == phase


def test_a_state_of_a_task_that_is_new_is_taken_for_running(
    workspace: Workspace, cloud: Cloud, uid: str
):
    set_task(cloud, uid, "ExampleGen", NEW)
    status = seen(workspace, uid)
    assert (status.phase, status.components[0].status) == ("running", "running")
    assert VertexBackend(workspace, IMPATIENT).logs(uid, "Examples") == []


@pytest.mark.parametrize(
    ("status", "phase", "step"),
    [
        (Build.Status.PENDING, "starting", "Build queued"),
        (Build.Status.QUEUED, "starting", "Build queued"),
        (Build.Status.WORKING, "starting", "Compiling"),
        (Build.Status.STATUS_UNKNOWN, "starting", "Compiling"),
        (NEW, "starting", "Compiling"),
        (Build.Status.SUCCESS, "vanished", None),
        (Build.Status.FAILURE, "failed", None),
        (Build.Status.INTERNAL_ERROR, "failed", None),
        (Build.Status.TIMEOUT, "failed", None),
        (Build.Status.EXPIRED, "failed", None),
        (Build.Status.CANCELLED, "cancelled", None),
    ],
)
def test_each_status_of_a_build_has_its_phase_and_step(
    *,
    workspace: Workspace,
    cloud: Cloud,
    target: CloudTarget,
    status: int,
    phase: str,
    step: str | None,
):
    spec, submission = claim(workspace, target)
    make_build(cloud, submission, Build.Status.WORKING)
    Build.pb(cloud.builds.builds[f"build-{spec.uid}"]).status = int(status)
    found = seen(workspace, spec.uid)
    assert (found.phase, found.step) == (phase, step)
