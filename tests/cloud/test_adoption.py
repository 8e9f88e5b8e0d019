"""A job that is there already is taken for what was wanted, whoever made it and however it came."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1 import CreatePipelineJobRequest, PipelineState

from engine.backends.vertex.backend import VertexBackend
from engine.backends.vertex.target import target_of
from engine.spec.cloud import job_id
from engine.workspace import Workspace
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.cloud.servers.standin_builds import standin_job
from tests.contracts.backend_contract import ENDED, uid, wait_until
from tests.faults.cloud_engine import IMPATIENT, CloudEngine
from tests.faults.standin import Behaviour, standin_spec
from tests.faults.waiting import wait_for

__all__ = ["cloud", "served", "uid"]

SHORT = Behaviour(seconds=0.3)


@pytest.fixture
def workspace(tmp_path: Path, cloud: Cloud) -> Iterator[Workspace]:
    yield cloud_workspace(tmp_path / "shop", cloud)
    cloud.pipelines.jobs.clear()


def make_job(cloud: Cloud, uid: str) -> None:
    target = target_of(cloud.settings)
    cloud.pipelines.create(
        CreatePipelineJobRequest(
            parent=target.parent,
            pipeline_job_id=job_id(uid, 1),
            pipeline_job=standin_job(standin_spec(uid, SHORT), target),
        )
    )


def test_a_job_of_which_nothing_is_known_here_is_adopted(
    workspace: Workspace, cloud: Cloud, uid: str
):
    make_job(cloud, uid)
    backend = VertexBackend(workspace, IMPATIENT)
    assert wait_until(backend, uid, *ENDED).phase == "completed"
    metrics = backend.metrics(uid)
    assert metrics is not None
    assert metrics.final_metrics["recall_at_100"] == 0.5
    assert [entry.message for entry in backend.logs(uid, "Schema")] == [
        "Schema ends",
        "Schema starts",
    ]


def test_a_submission_finds_its_job_there_and_asks_for_no_build(
    workspace: Workspace, cloud: Cloud, uid: str
):
    before = len(cloud.builds.builds)
    make_job(cloud, uid)
    backend = VertexBackend(workspace, IMPATIENT)
    backend.submit(standin_spec(uid, SHORT))
    assert wait_until(backend, uid, *ENDED).phase == "completed"
    assert len(cloud.builds.builds) == before
    assert cloud.pipelines.creations.count(job_id(uid, 1)) == 1


def test_a_build_that_is_there_is_adopted_after_the_worker_died_before_its_answer(
    workspace: Workspace, cloud: Cloud
):
    engine = CloudEngine(workspace)
    before = len(cloud.builds.builds)
    cloud.builds.faults.plan("CreateBuild", "lose", times=1)
    number = engine.create(SHORT)
    engine.tick()
    wait_for(lambda: len(cloud.builds.builds) == before + 1)
    engine.database.close()
    successor = CloudEngine(workspace)  # knows what is on disk, and nothing else
    assert successor.tick_until(number, "completed", "failed").status == "completed"
    assert len(cloud.builds.builds) == before + 1
    assert cloud.pipelines.creations.count(job_id(successor.see(number).uid, 1)) == 1
    successor.database.close()


def test_a_claim_whose_worker_died_before_it_asked_is_carried_out(
    workspace: Workspace, cloud: Cloud
):
    engine = CloudEngine(workspace)
    cloud.bucket.faults.plan("POST", "refuse", status="PERMISSION_DENIED")
    number = engine.create(SHORT)
    engine.tick()
    engine.database.close()
    cloud.clear_faults()
    successor = CloudEngine(workspace)
    assert successor.tick_until(number, "completed", "failed").status == "completed"
    successor.database.close()


def test_a_job_deleted_by_hand_and_a_lost_record_are_both_told(
    workspace: Workspace, cloud: Cloud, uid: str
):
    backend = VertexBackend(workspace, IMPATIENT)
    backend.submit(standin_spec(uid, Behaviour(seconds=600)))
    wait_until(backend, uid, "running")
    assert cloud.pipelines.state(job_id(uid, 1)) == PipelineState.PIPELINE_STATE_RUNNING
    del cloud.pipelines.jobs[job_id(uid, 1)]
    assert backend.status(uid).phase == "vanished"
    (workspace.run_folder(uid) / "cloud.json").write_text("{")
    assert backend.status(uid).phase == "absent"
