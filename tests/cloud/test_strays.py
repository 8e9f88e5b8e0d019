"""Jobs that no experiment knows: found by the label of the workspace, cancelled when asked to."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1 import CreatePipelineJobRequest, PipelineState
from google.cloud.devtools.cloudbuild_v1 import Build

from engine.backends.vertex.builds import owner_tag
from engine.backends.vertex.target import owned, target_of
from engine.cloud_doctor import find_strays
from engine.spec.cloud import JOB_LABEL, CloudTarget, job_id
from engine.workspace import Workspace
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.cloud.servers.standin_builds import standin_job
from tests.engine.cli.command import Command
from tests.faults.cloud_engine import CloudEngine
from tests.faults.standin import Behaviour, standin_spec

__all__ = ["cloud", "served"]

STRAY, OTHER = "5" * 16, "6" * 16


@pytest.fixture
def workspace(tmp_path: Path, cloud: Cloud) -> Iterator[Workspace]:
    yield cloud_workspace(tmp_path / "shop", cloud)
    cloud.pipelines.jobs.clear()
    cloud.builds.builds.clear()
    cloud.dataflow.jobs.clear()


@pytest.fixture
def mine(cloud: Cloud, workspace: Workspace) -> CloudTarget:
    """Where the workspace runs its experiments."""
    return owned(target_of(cloud.settings), workspace.id)


@pytest.fixture(params=["another root", "the same root"])
def others(cloud: Cloud, request: pytest.FixtureRequest) -> CloudTarget:
    """Where another workspace of the same project runs its experiments."""
    folder = "/others" if request.param == "another root" else ""
    bucket = f"{cloud.settings.bucket}{folder}"
    return owned(target_of(cloud.settings.model_copy(update={"bucket": bucket})), "f" * 16)


def start(cloud: Cloud, target: CloudTarget, uid: str) -> str:
    """Let a job, a build and a Dataflow job go on; return the Dataflow job's id."""
    name = job_id(uid, 1)
    spec = standin_spec(uid, Behaviour(seconds=600))
    job = standin_job(spec, target)
    request = CreatePipelineJobRequest(parent=target.parent, pipeline_job_id=name, pipeline_job=job)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cloud.pipelines, "on_create", lambda job_id: None)
        cloud.pipelines.create(request)
    cloud.builds.builds[f"build-{uid}"] = Build(
        id=f"build-{uid}",
        status=Build.Status.WORKING,
        create_time=cloud.pipelines.jobs[name].create_time,
        tags=[f"towerlab-{name}", owner_tag(target)],
    )
    return cloud.dataflow.start(f"beam-{uid}", {**target.labels, JOB_LABEL: name})


def states(cloud: Cloud, uid: str, dataflow: str) -> tuple[bool, bool, bool]:
    """Whether the job, the build and the Dataflow job go on."""
    state = cloud.pipelines.state(job_id(uid, 1))
    return (
        state in (PipelineState.PIPELINE_STATE_PENDING, PipelineState.PIPELINE_STATE_RUNNING),
        cloud.builds.builds[f"build-{uid}"].status == Build.Status.WORKING,
        cloud.dataflow.jobs[dataflow]["currentState"] == "JOB_STATE_RUNNING",
    )


def test_what_no_experiment_knows_is_found_and_nothing_else(
    workspace: Workspace, cloud: Cloud, mine: CloudTarget, others: CloudTarget
):
    engine = CloudEngine(workspace)
    number = engine.create(Behaviour(seconds=600))
    engine.tick_until(number, "running")
    assert find_strays(workspace) == []
    dataflow = start(cloud, mine, STRAY)
    start(cloud, others, OTHER)
    assert [tuple(stray) for stray in find_strays(workspace)] == [
        ("Vertex AI", job_id(STRAY, 1), STRAY),
        ("Cloud Build", f"build-{STRAY}", STRAY),
        ("Dataflow", dataflow, STRAY),
    ]
    engine.database.close()


def test_a_job_that_outlives_its_experiment_is_found(
    workspace: Workspace, cloud: Cloud, mine: CloudTarget
):
    engine = CloudEngine(workspace)
    number = engine.create(Behaviour(seconds=0))
    ended = engine.tick_until(number, "completed")
    dataflow = cloud.dataflow.start("beam", {**mine.labels, JOB_LABEL: "x"})
    cloud.dataflow.jobs[dataflow]["labels"][JOB_LABEL] = job_id(ended.uid, 1)
    assert [stray.id for stray in find_strays(workspace)] == [dataflow]
    engine.database.close()


def test_they_are_listed_and_cancelled_when_somebody_says_so(
    workspace: Workspace, cloud: Cloud, mine: CloudTarget, others: CloudTarget
):
    command = Command(workspace.root)
    own, theirs = start(cloud, mine, STRAY), start(cloud, others, OTHER)
    listed = {c["name"]: c for c in command("doctor", "--json").json["checks"]}["stray jobs"]
    assert listed["state"] == "warning"
    assert f"Vertex AI {job_id(STRAY, 1)}" in listed["message"]
    assert OTHER not in listed["message"]
    assert listed["hint"] == "Run `towerlab doctor --cancel-strays`."
    refused = command("doctor", "--cancel-strays")
    assert refused.code == 2
    assert "Nobody can be asked whether to cancel them. Pass --yes." in " ".join(
        refused.err.split()
    )
    assert states(cloud, STRAY, own) == (True, True, True)
    done = command("doctor", "--cancel-strays", "--yes")
    assert done.code == 0, done.err
    assert "Asked 3 to end." in done.out
    assert states(cloud, STRAY, own) == (False, False, False)
    assert states(cloud, OTHER, theirs) == (True, True, True)
    assert command("doctor", "--cancel-strays", "--json").json == {"cancelled": []}
