"""The compile step submits over a real socket: one job, however often it runs."""

from typing import Any
from uuid import uuid4

import pytest
from google.cloud.aiplatform_v1 import PipelineJob

from engine.backends.vertex.target import target_of
from engine.spec.cloud import CloudTarget, job_id
from pipelines.errors import RunFailure
from pipelines.submission import submit
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, served
from tests.cloud.servers.standin_builds import standin_job
from tests.faults.standin import standin_spec

__all__ = ["cloud", "served"]


@pytest.fixture
def target(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> CloudTarget:
    monkeypatch.setattr(cloud.pipelines, "on_create", lambda job_id: None)
    cloud.pipelines.faults.calls.clear()
    return target_of(cloud.settings)


@pytest.fixture
def name() -> str:
    return job_id(uuid4().hex, 1)


def job_for(target: CloudTarget, name: str) -> dict[str, Any]:
    spec = standin_spec(name.split("-")[1])
    return PipelineJob.to_dict(standin_job(spec, target), including_default_value_fields=False)


def test_a_lost_answer_makes_no_second_job(cloud: Cloud, target: CloudTarget, name: str):
    cloud.pipelines.faults.plan("CreatePipelineJob", "lose", times=1)
    assert submit(job_for(target, name), target, name) == f"{target.parent}/pipelineJobs/{name}"
    assert cloud.pipelines.faults.calls["CreatePipelineJob"] == 2
    assert cloud.pipelines.creations.count(name) == 1


def test_a_job_that_is_there_is_what_was_wanted(cloud: Cloud, target: CloudTarget, name: str):
    for _ in range(2):
        submit(job_for(target, name), target, name)
    assert cloud.pipelines.creations.count(name) == 1


@pytest.mark.parametrize(
    ("status", "code"),
    [("PERMISSION_DENIED", 403), ("UNAUTHENTICATED", 401), ("FAILED_PRECONDITION", 400)],
)
def test_a_refusal_is_told_in_a_sentence_and_not_repeated(
    cloud: Cloud, target: CloudTarget, name: str, status: str, code: int
):
    cloud.pipelines.faults.plan("CreatePipelineJob", "refuse", status=status)
    with pytest.raises(RunFailure) as caught:
        submit(job_for(target, name), target, name)
    assert caught.value.message.startswith(
        f"Vertex AI didn't take the job {name} in europe-central2: {code}"
    )
    assert caught.value.hint == "Run `towerlab doctor`."
    assert cloud.pipelines.faults.calls["CreatePipelineJob"] == 1


def test_a_region_that_is_not_served_there_is_refused(cloud: Cloud, target: CloudTarget, name: str):
    elsewhere = target.replace(region="europe-west4")
    with pytest.raises(RunFailure, match="isn't served by this regional endpoint"):
        submit(job_for(elsewhere, name), elsewhere, name)
