"""Runs that are claimed here, with jobs and builds on the servers that do only what a test says."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from google.cloud.aiplatform_v1 import CreatePipelineJobRequest, PipelineState
from google.cloud.devtools.cloudbuild_v1 import Build

from engine.backends.vertex.builds import owner_tag
from engine.backends.vertex.record import Submission, Submissions, new_submission
from engine.backends.vertex.target import owned, target_of
from engine.spec import ExperimentSpec
from engine.spec.cloud import CloudTarget
from engine.workspace import Workspace
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud_workspace
from tests.cloud.servers.standin_builds import standin_job
from tests.faults.standin import standin_spec


@pytest.fixture
def workspace(tmp_path: Path, cloud: Cloud) -> Workspace:
    """One whose experiments run on the servers."""
    return cloud_workspace(tmp_path / "shop", cloud)


@pytest.fixture
def target(workspace: Workspace, cloud: Cloud) -> CloudTarget:
    """Where the workspace's experiments run."""
    return owned(target_of(cloud.settings), workspace.id)


@pytest.fixture(autouse=True)
def nothing_runs_by_itself(cloud: Cloud) -> Iterator[None]:
    """Jobs and builds stay as a test has made them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cloud.pipelines, "on_create", lambda job_id: None)
        cloud.pipelines.faults.calls.clear()
        cloud.builds.faults.calls.clear()
        yield
    cloud.pipelines.jobs.clear()
    cloud.builds.builds.clear()


def claim(
    workspace: Workspace, target: CloudTarget, **changes: object
) -> tuple[ExperimentSpec, Submission]:
    """Claim a run as if its build had been asked for and the answer had come."""
    spec = standin_spec(uuid4().hex)
    submission = new_submission(spec.uid, target, "cloud-build", datetime.now(UTC))
    submission = submission.replace(**{"build_id": f"build-{spec.uid}", **changes})
    Submissions(workspace.runs).claim(spec.uid, submission, spec)
    return spec, submission


def make_job(cloud: Cloud, spec: ExperimentSpec, submission: Submission) -> None:
    """Have the server run the job of a claimed run."""
    request = CreatePipelineJobRequest(
        parent=submission.target.parent,
        pipeline_job_id=submission.job_id,
        pipeline_job=standin_job(spec, submission.target),
    )
    cloud.pipelines.create(request)
    cloud.pipelines.change(submission.job_id, state=PipelineState.PIPELINE_STATE_RUNNING)


def make_build(cloud: Cloud, submission: Submission, status: Build.Status) -> None:
    """Have the server know the build of a claimed run."""
    assert submission.build_id is not None
    cloud.builds.builds[submission.build_id] = Build(
        id=submission.build_id,
        status=status,
        create_time=datetime.now(UTC),
        tags=[submission.build_tag, owner_tag(submission.target)],
    )
