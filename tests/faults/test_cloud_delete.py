"""Deleting a run: what the cache would give to a later run is forgotten before it is removed."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from google.cloud.aiplatform_v1 import Artifact, PipelineTaskDetail

from engine.backends.vertex.backend import VertexBackend
from engine.errors import EnvironmentNotReady
from engine.spec.cloud import job_id
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.contracts.backend_contract import wait_until
from tests.faults.cloud_engine import IMPATIENT
from tests.faults.standin import Behaviour, standin_spec

__all__ = ["cloud", "served"]

CACHE = "gs://shop-test-towerlab/towerlab/cache/123456789012"


@pytest.fixture
def backend(tmp_path: Path, cloud: Cloud) -> Iterator[VertexBackend]:
    yield VertexBackend(cloud_workspace(tmp_path / "shop", cloud), IMPATIENT)
    cloud.pipelines.jobs.clear()


@pytest.fixture
def uid(backend: VertexBackend) -> str:
    """Of a run that is complete."""
    return complete(backend)


def complete(backend: VertexBackend) -> str:
    uid = uuid4().hex
    backend.submit(standin_spec(uid, Behaviour(seconds=0)))
    wait_until(backend, uid, "completed")
    return uid


def outputs(cloud: Cloud, uid: str) -> dict[str, Artifact]:
    """What the tasks of a run wrote, or were given, by their names."""
    tasks = cloud.pipelines.jobs[job_id(uid, 1)].job_detail.task_details
    return {t.task_name: a for t in tasks for o in t.outputs.values() for a in o.artifacts}


def folder(artifact: Artifact) -> str:
    return f"{artifact.uri.rpartition('/')[0]}/"


def take_from_cache(cloud: Cloud, uid: str, artifact: Artifact) -> None:
    """Let a run have been given its examples."""
    cloud.metadata.take(artifact)
    given = PipelineTaskDetail.ArtifactList(artifacts=[artifact])
    cloud.pipelines.change_task(
        job_id(uid, 1),
        PipelineTaskDetail(
            task_name="ExampleGen",
            state=PipelineTaskDetail.State.SKIPPED,
            outputs={"examples": given},
        ),
    )


def test_the_cache_gives_nobody_what_is_deleted(backend: VertexBackend, cloud: Cloud, uid: str):
    other = complete(backend)
    mine, theirs = outputs(cloud, uid).values(), outputs(cloud, other).values()
    assert all(cloud.metadata.cached(a) for a in (*mine, *theirs))
    backend.delete(uid)
    assert not any(cloud.metadata.cached(a) for a in mine)
    assert all(cloud.metadata.cached(a) for a in theirs)
    assert cloud.bucket.uris(f"{CACHE}/{job_id(uid, 1)}/") == []


def test_what_others_rest_on_stays_until_the_last_of_them_is_deleted(
    backend: VertexBackend, cloud: Cloud, uid: str
):
    user = complete(backend)
    examples = outputs(cloud, uid)["ExampleGen"]
    take_from_cache(cloud, user, examples)
    backend.delete(uid, shared=[folder(examples)])
    assert cloud.metadata.cached(examples)
    assert cloud.bucket.uris(folder(examples)) == [f"{examples.uri}/data"]
    backend.delete(user, unused=[folder(examples)])
    assert not cloud.metadata.cached(examples)
    assert cloud.bucket.uris(f"{CACHE}/{job_id(uid, 1)}/") == []


def test_of_a_job_that_somebody_deleted_the_outputs_are_forgotten_too(
    backend: VertexBackend, cloud: Cloud, uid: str
):
    shared, user = complete(backend), complete(backend)
    examples = outputs(cloud, shared)["ExampleGen"]
    take_from_cache(cloud, uid, examples)
    take_from_cache(cloud, user, examples)
    backend.delete(shared, shared=[folder(examples)])
    written = [a for a in outputs(cloud, uid).values() if a.name != examples.name]
    theirs = outputs(cloud, user).values()
    del cloud.pipelines.jobs[job_id(uid, 1)]
    backend.delete(uid, shared=[folder(examples)])
    assert not any(cloud.metadata.cached(a) for a in written)
    assert all(cloud.metadata.cached(a) for a in theirs)
    del cloud.pipelines.jobs[job_id(user, 1)]
    backend.delete(user, unused=[folder(examples)])
    assert not any(cloud.metadata.cached(a) for a in theirs)
    assert cloud.bucket.uris(f"{CACHE}/{job_id(shared, 1)}/") == []


def test_what_the_cache_does_not_forget_stays(backend: VertexBackend, cloud: Cloud, uid: str):
    cloud.metadata.faults.plan("DeleteExecution", "refuse", status="FAILED_PRECONDITION", times=1)
    written = outputs(cloud, uid)
    backend.delete(uid)
    (kept,) = [a for a in written.values() if cloud.metadata.cached(a)]
    assert cloud.bucket.uris(f"{CACHE}/{job_id(uid, 1)}/") == [f"{kept.uri}/data"]
    assert cloud.pipelines.state(job_id(uid, 1)) is None


@pytest.mark.parametrize("method", ["QueryArtifactLineageSubgraph", "DeleteExecution"])
@pytest.mark.parametrize("status", ["PERMISSION_DENIED", "UNAVAILABLE"])
def test_nothing_is_deleted_before_the_cache_is_asked(
    backend: VertexBackend, cloud: Cloud, uid: str, method: str, status: str
):
    cloud.metadata.faults.plan(method, "refuse", status=status)
    before = cloud.bucket.uris(f"{CACHE}/{job_id(uid, 1)}/")
    with pytest.raises(EnvironmentNotReady, match="Vertex AI"):
        backend.delete(uid)
    assert cloud.bucket.uris(f"{CACHE}/{job_id(uid, 1)}/") == before
    cloud.clear_faults()
    backend.delete(uid)
    assert cloud.bucket.uris(f"{CACHE}/{job_id(uid, 1)}/") == []


def test_answers_that_get_lost_are_asked_for_again(backend: VertexBackend, cloud: Cloud, uid: str):
    for service in (cloud.metadata, cloud.pipelines, cloud.bucket):
        service.faults.plan("*", "lose", share=0.3)
    written = outputs(cloud, uid).values()
    backend.delete(uid)
    assert not any(cloud.metadata.cached(a) for a in written)
    assert cloud.bucket.uris(f"{CACHE}/{job_id(uid, 1)}/") == []
