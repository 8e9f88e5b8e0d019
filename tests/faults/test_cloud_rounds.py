"""One look at very many runs: one list, and a closer look only where something has changed."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from google.cloud.aiplatform_v1 import (
    CreatePipelineJobRequest,
    PipelineState,
    PipelineTaskDetail,
)

from engine.backends.vertex.backend import VertexBackend
from engine.backends.vertex.record import Submissions, new_submission
from engine.backends.vertex.target import target_of
from engine.workspace import Workspace
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.cloud.servers.standin_builds import standin_job
from tests.faults.standin import standin_spec

__all__ = ["cloud", "served"]

MANY = 200
TICK_SECONDS = 10.0
"""How often the worker looks, unless the settings say otherwise."""


@pytest.fixture
def workspace(tmp_path: Path, cloud: Cloud) -> Workspace:
    return cloud_workspace(tmp_path / "shop", cloud)


@pytest.fixture
def uids(workspace: Workspace, cloud: Cloud) -> Iterator[list[str]]:
    """Experiments whose jobs run for as long as a test wants."""
    before, cloud.pipelines.on_create = cloud.pipelines.on_create, lambda job_id: None
    target, submissions = target_of(cloud.settings), Submissions(workspace.runs)
    uids = [uuid4().hex for _ in range(MANY)]
    for uid in uids:
        spec = standin_spec(uid)
        submission = new_submission(uid, target, "cloud-build", datetime.now(UTC))
        submissions.claim(uid, submission.replace(build_id="b"), spec)
        cloud.pipelines.create(
            CreatePipelineJobRequest(
                parent=target.parent,
                pipeline_job_id=submission.job_id,
                pipeline_job=standin_job(spec, target),
            )
        )
        cloud.pipelines.change(submission.job_id, state=PipelineState.PIPELINE_STATE_RUNNING)
    cloud.pipelines.faults.calls.clear()
    yield uids
    cloud.pipelines.on_create = before
    cloud.pipelines.jobs.clear()


def look(backend: VertexBackend, uids: list[str], watched: list[str]) -> set[str]:
    backend.begin_round(uids, watched)
    return {backend.status(uid).phase for uid in uids}


def test_many_runs_are_looked_at_with_one_list_within_a_tick(
    workspace: Workspace, cloud: Cloud, uids: list[str]
):
    backend = VertexBackend(workspace)
    calls = cloud.pipelines.faults.calls
    began = time.monotonic()
    assert look(backend, uids, []) == {"running"}
    assert time.monotonic() - began < TICK_SECONDS
    assert calls == {"ListPipelineJobs": 1, "GetPipelineJob": MANY}
    calls.clear()
    assert look(backend, uids, []) == {"running"}
    assert calls == {"ListPipelineJobs": 1}
    calls.clear()
    changed, watched = uids[3], uids[5]
    task = PipelineTaskDetail(task_name="Trainer", state=PipelineTaskDetail.State.RUNNING)
    cloud.pipelines.change_task(f"qt-{changed}-a1", task)
    assert look(backend, uids, [watched]) == {"running"}
    assert calls == {"ListPipelineJobs": 1, "GetPipelineJob": 2}


def test_a_job_that_the_list_leaves_out_is_looked_for_by_its_name(
    workspace: Workspace, cloud: Cloud, uids: list[str]
):
    backend = VertexBackend(workspace)
    gone, unlisted = uids[:2]
    look(backend, uids, [])
    del cloud.pipelines.jobs[f"qt-{gone}-a1"]
    cloud.pipelines.change(f"qt-{unlisted}-a1", labels={})
    backend.begin_round(uids, [])
    phases = {uid: backend.status(uid).phase for uid in uids}
    assert {uid for uid, phase in phases.items() if phase != "running"} == {gone}
    assert phases[gone] == "vanished"
