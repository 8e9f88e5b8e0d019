"""Jobs that no experiment knows: found by the label of the workspace, cancelled when asked to."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1 import CreatePipelineJobRequest, PipelineState
from google.cloud.devtools.cloudbuild_v1 import Build

from engine.backends.vertex.builds import owner_tag
from engine.backends.vertex.clients import Clients, Patience
from engine.backends.vertex.dataflow import Dataflow
from engine.backends.vertex.strays import Strays
from engine.backends.vertex.target import owned, target_of
from engine.cloud_doctor import StrayHunt, examine_cloud
from engine.errors import EnvironmentNotReady
from engine.spec.cloud import JOB_LABEL, CloudTarget, job_id
from engine.workspace import Workspace
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.cloud.servers.standin_builds import standin_job
from tests.engine.cli.command import Command
from tests.faults.cloud_engine import IMPATIENT, CloudEngine
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
    assert StrayHunt(workspace).find() == ([], [])
    dataflow = start(cloud, mine, STRAY)
    start(cloud, others, OTHER)
    found, missed = StrayHunt(workspace).find()
    assert missed == []
    assert [tuple(stray) for stray in found] == [
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
    assert [stray.id for stray in StrayHunt(workspace).find().found] == [dataflow]
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
    nothing = {"cancelled": [], "failed": [], "missed": []}
    assert command("doctor", "--cancel-strays", "--json").json == nothing


def test_services_that_are_slow_or_refuse_cost_one_deadline_and_hide_nothing(
    cloud: Cloud, mine: CloudTarget
):
    start(cloud, mine, STRAY)
    cloud.pipelines.faults.plan("ListPipelineJobs", "hang")
    cloud.builds.faults.plan("ListBuilds", "refuse", status="PERMISSION_DENIED")
    cloud.dataflow.faults.plan("GetJob", "hang")
    patient = Clients(mine, cloud.settings.endpoints, Patience(call=60, retries=60))
    began = time.monotonic()
    found, missed = Strays(patient).active(seconds=1)
    assert time.monotonic() - began < 10
    assert found == []
    assert missed == [
        "Vertex AI didn't tell all that goes on within 1 s.",
        "Cloud Build couldn't be looked through: Your account may not list the builds (Cloud Build"
        " in project shop-test).",
        "Dataflow didn't tell all that goes on within 1 s.",
    ]
    cloud.clear_faults()


def test_what_was_not_looked_at_is_told(workspace: Workspace, cloud: Cloud, mine: CloudTarget):
    command = Command(workspace.root)
    cloud.builds.faults.plan("ListBuilds", "refuse", status="PERMISSION_DENIED")
    *_, check = examine_cloud(workspace)
    assert (check.name, check.state) == ("stray jobs", "warning")
    assert check.message.startswith("none were found, but: Cloud Build couldn't be looked through")
    assert check.hint == "Ask again later."
    start(cloud, mine, STRAY)
    *_, check = examine_cloud(workspace)
    assert check.message.startswith("no experiment knows: Vertex AI qt-")
    assert "Cloud Build couldn't be looked through" in check.message
    done = command("doctor", "--cancel-strays", "--yes")
    assert done.code == 3
    assert "Cloud Build couldn't be looked through: Your account" in " ".join(done.out.split())
    assert "Asked 2 to end." in done.out


def test_what_is_refused_keeps_nothing_else_from_being_cancelled(
    workspace: Workspace, cloud: Cloud, mine: CloudTarget
):
    dataflow = start(cloud, mine, STRAY)
    cloud.pipelines.faults.plan("CancelPipelineJob", "refuse", status="PERMISSION_DENIED")
    cloud.dataflow.faults.plan("UpdateJob", "refuse", status="INVALID_ARGUMENT", message="no such")
    done = Command(workspace.root)("doctor", "--cancel-strays", "--yes", "--json")
    assert done.code == 3
    assert [stray["service"] for stray in done.json["cancelled"]] == ["Cloud Build"]
    assert [stray["service"] for stray in done.json["failed"]] == ["Vertex AI", "Dataflow"]
    reasons = [stray["reason"] for stray in done.json["failed"]]
    assert reasons[0] == "Your account may not cancel a job (Vertex AI in project shop-test)."
    assert reasons[1].startswith(f"Dataflow refuses to cancel the job {dataflow}: ")
    assert reasons[1].endswith("no such")
    assert states(cloud, STRAY, dataflow) == (True, False, True)


def test_many_are_cancelled_with_the_clients_that_found_them(
    workspace: Workspace, cloud: Cloud, mine: CloudTarget
):
    many = [f"{number:016x}" for number in range(10)]
    dataflow = {uid: start(cloud, mine, uid) for uid in many}
    before = cloud.bucket.tokens.asked
    done = Command(workspace.root)("doctor", "--cancel-strays", "--yes")
    assert "Asked 30 to end." in done.out
    assert {states(cloud, uid, dataflow[uid]) for uid in many} == {(False, False, False)}
    assert cloud.bucket.tokens.asked - before <= 3  # at most one for each thread of the search


@pytest.mark.parametrize("state", ["DONE", "FAILED", "CANCELLED", "CANCELLING"])
def test_a_dataflow_job_that_ends_meanwhile_is_left_alone(
    cloud: Cloud, mine: CloudTarget, state: str
):
    dataflow = Dataflow(Clients(mine, cloud.settings.endpoints, IMPATIENT))
    job = cloud.dataflow.start("beam", {JOB_LABEL: "x"})
    cloud.dataflow.jobs[job]["currentState"] = f"JOB_STATE_{state}"
    dataflow.cancel(job)
    assert cloud.dataflow.jobs.pop(job)["currentState"] == f"JOB_STATE_{state}"
    dataflow.cancel(job)


def test_a_bad_request_to_cancel_a_dataflow_job_is_told(cloud: Cloud, mine: CloudTarget):
    dataflow = Dataflow(Clients(mine, cloud.settings.endpoints, IMPATIENT))
    job = cloud.dataflow.start("beam", {JOB_LABEL: "x"})
    cloud.dataflow.faults.plan("UpdateJob", "refuse", status="INVALID_ARGUMENT", message="Why so?")
    with pytest.raises(EnvironmentNotReady, match=f"refuses to cancel the job {job}: .*Why so"):
        dataflow.cancel(job)
    assert cloud.dataflow.jobs[job]["currentState"] == "JOB_STATE_RUNNING"


@pytest.mark.parametrize("status", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_what_passes_by_itself_does_not_keep_dataflow_jobs_going(
    cloud: Cloud, mine: CloudTarget, status: str
):
    dataflow = Dataflow(Clients(mine, cloud.settings.endpoints, IMPATIENT))
    job = cloud.dataflow.start("beam", {JOB_LABEL: "x"})
    cloud.dataflow.faults.plan("*", "refuse", status=status, times=2)
    assert dataflow.cancel_of("x") == 1
    cloud.dataflow.faults.plan("UpdateJob", "lose", times=1)
    dataflow.cancel(cloud.dataflow.start("beam", {JOB_LABEL: "y"}))
    assert cloud.dataflow.jobs[job]["currentState"] == "JOB_STATE_CANCELLED"
    assert set(cloud.dataflow.states()) == {"JOB_STATE_CANCELLED"}


def test_of_other_dataflow_jobs_no_more_is_asked_than_needed(cloud: Cloud, mine: CloudTarget):
    cloud.dataflow.start("clicks", {}, kind="STREAMING")
    ending = cloud.dataflow.start("beam", {JOB_LABEL: "x"})
    cloud.dataflow.jobs[ending]["currentState"] = "JOB_STATE_CANCELLING"
    for number in range(150):
        cloud.dataflow.start(f"other-{number}", {JOB_LABEL: "y"} if number == 149 else {})
    cloud.dataflow.faults.calls.clear()
    # A call that takes long on a busy machine must not be repeated.
    patient = Clients(mine, cloud.settings.endpoints, Patience(call=60, retries=60))
    assert [job.pipeline_job for job in Dataflow(patient).active()] == ["y"]
    assert cloud.dataflow.faults.calls == {"ListJobs": 2, "GetJob": 150}
