"""One look at very many runs: one list, and a closer look only where something has changed."""

import threading
import time
from collections.abc import Iterable

import pytest
from google.cloud.aiplatform_v1 import (
    PipelineTaskDetail,
)
from google.cloud.devtools.cloudbuild_v1 import Build

from engine.backends.vertex.backend import VertexBackend
from engine.backends.vertex.clients import Patience
from engine.backends.vertex.record import Submission
from engine.errors import EnvironmentNotReady
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
from tests.cloud.servers.fixtures import cloud, served, write_settings
from tests.faults.cloud_engine import CloudEngine
from tests.faults.standin import standin_spec
from tests.faults.waiting import wait_for

__all__ = ["cloud", "nothing_runs_by_itself", "served", "target", "workspace"]

MANY = 200
TICK_SECONDS = 10.0
"""How often the worker looks, unless the settings say otherwise."""


@pytest.fixture
def uids(workspace: Workspace, cloud: Cloud, target: CloudTarget) -> list[str]:
    """Experiments whose jobs run for as long as a test wants."""
    claims = [claim(workspace, target) for _ in range(MANY)]
    for spec, submission in claims:
        make_job(cloud, spec, submission)
    return [spec.uid for spec, _ in claims]


@pytest.fixture
def building(workspace: Workspace, cloud: Cloud, target: CloudTarget) -> dict[str, Submission]:
    """Experiments whose builds go on for as long as a test wants, by uid."""
    claims = {spec.uid: s for spec, s in (claim(workspace, target) for _ in range(MANY))}
    for submission in claims.values():
        make_build(cloud, submission, Build.Status.WORKING)
    return claims


def look(backend: VertexBackend, uids: Iterable[str], watched: list[str]) -> set[str]:
    uids = list(uids)
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


def test_many_builds_are_looked_at_with_one_list_within_a_tick(
    workspace: Workspace, cloud: Cloud, building: dict[str, Submission]
):
    backend = VertexBackend(workspace)
    jobs, builds = cloud.pipelines.faults.calls, cloud.builds.faults.calls
    began = time.monotonic()
    assert look(backend, building, watched=list(building)[:3]) == {"starting"}
    assert time.monotonic() - began < TICK_SECONDS
    assert jobs == {"ListPipelineJobs": 1}
    assert builds == {"ListBuilds": MANY / 100}  # that many pages
    backend.begin_round(building, [])
    assert {backend.status(uid).step for uid in building} == {"Compiling"}


def test_a_tick_over_many_builds_asks_for_one_list_and_writes_nothing(
    workspace: Workspace, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    go_on = threading.Event()
    monkeypatch.setattr(cloud.builds, "run", lambda build, arguments: go_on.wait(120))
    write_settings(workspace.root, cloud, max_running=MANY)
    engine = CloudEngine(Workspace(workspace.root), Patience())
    numbers = [engine.create() for _ in range(MANY)]

    def all_compile() -> bool:
        engine.tick()
        return all(engine.see(number).stage == "Compiling" for number in numbers)

    wait_for(all_compile, seconds=120)
    before = [engine.see(number) for number in numbers]
    cloud.pipelines.faults.calls.clear()
    cloud.builds.faults.calls.clear()
    began = time.monotonic()
    engine.tick()
    assert time.monotonic() - began < TICK_SECONDS
    assert cloud.pipelines.faults.calls == {"ListPipelineJobs": 1}
    assert cloud.builds.faults.calls == {"ListBuilds": MANY / 100}
    assert len(cloud.builds.builds) == MANY
    assert [engine.see(number) for number in numbers] == before  # not even written anew
    go_on.set()
    engine.database.close()


def test_where_no_build_goes_on_none_is_asked_for(
    workspace: Workspace, cloud: Cloud, uids: list[str]
):
    backend = VertexBackend(workspace)
    for _ in range(3):
        assert look(backend, uids, []) == {"running"}
    assert cloud.builds.faults.calls == {"ListBuilds": 1}  # before the jobs were known


def test_builds_and_jobs_of_one_round_are_told_apart(
    workspace: Workspace, cloud: Cloud, building: dict[str, Submission]
):
    queued, failed, done, failed_with_job, unlisted, gone = list(building)[:6]
    status = Build.Status

    def end(uid: str, to: Build.Status, *, job: bool) -> None:
        make_build(cloud, building[uid], to)
        if job:
            make_job(cloud, standin_spec(uid), building[uid])

    end(queued, status.QUEUED, job=False)
    end(failed, status.FAILURE, job=False)
    end(done, status.SUCCESS, job=True)
    end(failed_with_job, status.TIMEOUT, job=True)
    cloud.builds.builds[f"build-{unlisted}"].tags = []
    del cloud.builds.builds[f"build-{gone}"]
    backend = VertexBackend(workspace)
    backend.begin_round(building, [])
    seen = {uid: backend.status(uid) for uid in building}
    assert (seen[queued].phase, seen[queued].step) == ("starting", "Build queued")
    assert seen[failed].phase == "failed"
    assert seen[failed].error is not None
    assert seen[done].phase == seen[failed_with_job].phase == "running"
    assert (seen[unlisted].phase, seen[unlisted].step) == ("starting", "Compiling")
    assert (seen[gone].phase, seen[gone].step) == ("starting", None)
    assert {seen[uid].step for uid in list(building)[6:]} == {"Compiling"}
    # The failed one is looked for once more by its name, the two with jobs are looked at.
    assert cloud.pipelines.faults.calls == {"ListPipelineJobs": 1, "GetPipelineJob": 3}
    assert cloud.builds.faults.calls == {"ListBuilds": 2, "GetBuild": 2}


def test_experiments_with_different_images_share_their_lists(
    workspace: Workspace, cloud: Cloud, target: CloudTarget
):
    uids: list[str] = []
    for number in range(4):
        spec, submission = claim(
            workspace, target.replace(image=f"eu.gcr.io/shop/towerlab:{number}")
        )
        if number % 2:
            make_build(cloud, submission, Build.Status.WORKING)
        else:
            make_job(cloud, spec, submission)
        uids.append(spec.uid)
    assert look(VertexBackend(workspace), uids, []) == {"starting", "running"}
    assert cloud.pipelines.faults.calls == {"ListPipelineJobs": 1, "GetPipelineJob": 2}
    assert cloud.builds.faults.calls == {"ListBuilds": 1}


def test_without_builds_jobs_are_seen_and_without_jobs_nothing(
    workspace: Workspace, cloud: Cloud, target: CloudTarget
):
    (_, waiting), (spec, running) = claim(workspace, target), claim(workspace, target)
    make_build(cloud, waiting, Build.Status.WORKING)
    make_job(cloud, spec, running)
    cloud.builds.faults.plan("*", "refuse", status="PERMISSION_DENIED")
    backend = VertexBackend(workspace)
    uids = [waiting.job_id.split("-")[1], spec.uid]
    backend.begin_round(uids, [])
    with pytest.raises(EnvironmentNotReady, match="Your account may not list the builds"):
        backend.status(uids[0])
    assert backend.status(uids[1]).phase == "running"
    cloud.pipelines.faults.plan("*", "refuse", status="PERMISSION_DENIED")
    backend.begin_round(uids, [])
    for uid in uids:
        with pytest.raises(EnvironmentNotReady, match="Your account may not"):
            backend.status(uid)
