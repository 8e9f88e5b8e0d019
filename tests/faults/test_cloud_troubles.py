"""Google answers late, wrongly, or not at all: nothing changes, and work goes on by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1 import PipelineState

from engine.errors import NotAllowed
from engine.experiments import LOST_SECONDS
from engine.spec.cloud import job_id
from engine.spec.run_folder import PROGRESS, TRAINING_LOG, TRAINING_METRICS
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.cloud.servers.standin_runs import trainer_config
from tests.faults.cloud_engine import CloudEngine
from tests.faults.standin import Behaviour, standin_spec
from tests.faults.waiting import wait_for

__all__ = ["cloud", "served"]

LONG = Behaviour(seconds=600)
QUICK = Behaviour(seconds=0)
THREE_DAYS = 3 * 24 * 3600.0
PASSING = ("UNAVAILABLE", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "INTERNAL")


@pytest.fixture
def engine(tmp_path: Path, cloud: Cloud) -> Iterator[CloudEngine]:
    engine = CloudEngine(cloud_workspace(tmp_path / "shop", cloud))
    yield engine
    cloud.clear_faults()
    for job in list(cloud.pipelines.jobs):
        cloud.pipelines.jobs.pop(job)
    engine.database.close()


def job_of(engine: CloudEngine, number: int) -> str:
    return job_id(engine.see(number).uid, 1)


def ended_unseen(engine: CloudEngine, cloud: Cloud, number: int) -> str:
    """Let a job that was submitted end without a look at it; return its id."""
    job = job_of(engine, number)
    wait_for(lambda: cloud.pipelines.state(job) == PipelineState.PIPELINE_STATE_SUCCEEDED)
    return job


def refuse_everything(cloud: Cloud, status: str, message: str = "injected by the test") -> None:
    for service in (cloud.pipelines, cloud.builds, cloud.bucket, cloud.logging, cloud.dataflow):
        service.faults.plan("*", "refuse", status=status, message=message)


@pytest.mark.parametrize("status", PASSING)
def test_what_passes_is_asked_again(engine: CloudEngine, cloud: Cloud, status: str):
    for service in (cloud.pipelines, cloud.builds, cloud.bucket):
        service.faults.plan("*", "refuse", status=status, share=0.3)
    number = engine.create(QUICK)
    seen = engine.tick_until(number, "completed", "failed")
    assert (seen.status, seen.error_message) == ("completed", None)


@pytest.mark.parametrize("method", ["ListPipelineJobs", "GetPipelineJob"])
def test_a_look_that_hangs_ends_and_changes_nothing(engine: CloudEngine, cloud: Cloud, method: str):
    number = engine.create(LONG)
    engine.tick_until(number, "running")
    cloud.pipelines.change(job_of(engine, number), display_name="so that it is looked at")
    cloud.pipelines.faults.plan(method, "hang")
    engine.tick()
    seen = engine.see(number)
    assert seen.status == "running"
    assert seen.error_message is not None
    assert seen.error_message.startswith("Vertex AI doesn't answer in time to ")
    cloud.clear_faults()
    engine.tick()
    assert engine.see(number).error_message is None


def test_a_build_request_that_hangs_makes_one_build(engine: CloudEngine, cloud: Cloud):
    before = len(cloud.builds.builds)
    cloud.builds.faults.plan("CreateBuild", "hang", times=1)
    number = engine.create(QUICK)
    engine.tick_until(number, "completed")
    assert len(cloud.builds.builds) == before + 1


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("PERMISSION_DENIED", "Your account may not "),
        ("UNAUTHENTICATED", "The login to Google Cloud has expired."),
    ],
)
def test_without_rights_everything_stays_as_it_is_and_then_goes_on(
    engine: CloudEngine, cloud: Cloud, status: str, told: str
):
    running = engine.create(LONG)
    engine.tick_until(running, "running")
    refuse_everything(cloud, status)
    waiting = engine.create(QUICK)
    for number, expected in ((running, "running"), (waiting, "submitting")):
        seen = engine.tick_until_told(number)
        assert seen.status == expected
        assert seen.error_message is not None
        assert seen.error_message.startswith(told)
    cloud.clear_faults()
    assert engine.tick_until(waiting, "completed", "failed").error_message is None
    seen = engine.see(running)
    assert (seen.status, seen.error_message) == ("running", None)


def test_a_job_that_somebody_deletes_is_lost_and_then_given_up(engine: CloudEngine, cloud: Cloud):
    number = engine.create(LONG)
    engine.tick_until(number, "running")
    job = cloud.pipelines.jobs.pop(job_of(engine, number))
    engine.tick()
    assert engine.see(number).status == "running"
    engine.tick()
    lost = engine.see(number)
    assert lost.status == "lost"
    assert lost.error_message == "Its pipeline job isn't there any more: somebody has deleted it."
    cloud.pipelines.jobs[job_of(engine, number)] = job
    engine.tick()
    assert engine.see(number).status == "running"
    del cloud.pipelines.jobs[job_of(engine, number)]
    engine.tick()
    engine.now += LOST_SECONDS
    engine.tick_until(number, "failed")


def test_a_cancel_that_comes_too_late_leaves_the_result(engine: CloudEngine, cloud: Cloud):
    number = engine.create(QUICK)
    engine.tick()
    ended_unseen(engine, cloud, number)
    engine.service.cancel_quick_test(number)
    assert engine.tick_until(number, "completed", "cancelled").status == "completed"
    with pytest.raises(NotAllowed):
        engine.service.cancel_quick_test(number)


def test_a_job_that_ends_while_it_is_cancelled_keeps_its_result(engine: CloudEngine, cloud: Cloud):
    number = engine.create(Behaviour(seconds=0.5))
    engine.tick_until(number, "running")
    cloud.pipelines.faults.plan("CancelPipelineJob", "hang", times=1)
    engine.service.cancel_quick_test(number)
    engine.tick()  # gives up on the answer; the job has ended when it asks again
    assert engine.tick_until(number, "completed", "cancelled").status == "completed"


def test_a_cancel_before_the_job_is_there_ends_it(engine: CloudEngine, cloud: Cloud):
    number = engine.create(LONG)
    cloud.builds.faults.plan("CreateBuild", "lose", times=1)
    engine.tick()
    engine.service.cancel_quick_test(number)
    assert engine.tick_until(number, "cancelled", "completed").status == "cancelled"
    state = cloud.pipelines.state(job_of(engine, number))
    assert state in (None, PipelineState.PIPELINE_STATE_CANCELLED)


HOSTILE = (
    b"",
    b"{",
    b'{"final_metrics": {"recall_at_100": NaN',
    b'{"final_metrics": {"recall_at_100": NaN}}',
    b'{"model_type": "\x1b[31m", "epochs": [1e999]}',
    b"[" * 100_000,
    b"\xff\xfe\x00" * 1000,
    b"null",
)


@pytest.mark.parametrize("content", HOSTILE)
def test_hostile_files_do_no_harm(engine: CloudEngine, cloud: Cloud, content: bytes):
    number = engine.create(QUICK)
    engine.tick()
    folder = trainer_config(cloud.pipelines.jobs[ended_unseen(engine, cloud, number)])["run_folder"]
    for name in (PROGRESS, TRAINING_LOG, TRAINING_METRICS):
        cloud.bucket.put(f"{folder}/{name}", content)
    seen = engine.tick_until(number, "completed", "failed")
    assert seen.status == "failed"
    assert seen.error_message is not None
    assert seen.error_message.isprintable()
    assert engine.backend.metrics(seen.uid) is None
    assert engine.backend.epochs(seen.uid) == []


def test_a_log_that_is_half_written_shows_what_is_whole(engine: CloudEngine, cloud: Cloud):
    number = engine.create(QUICK)
    engine.tick()
    folder = trainer_config(cloud.pipelines.jobs[ended_unseen(engine, cloud, number)])["run_folder"]
    whole = cloud.bucket.get(f"{folder}/{TRAINING_LOG}")
    cloud.bucket.put(f"{folder}/{TRAINING_LOG}", whole[:-20])
    seen = engine.tick_until(number, "completed")
    assert [record.epoch for record in engine.backend.epochs(seen.uid)] == [0, 1]


def test_what_can_not_be_stored_here_is_told_and_stored_later(engine: CloudEngine, cloud: Cloud):
    first, second = engine.create(QUICK), engine.create(QUICK)
    engine.tick()
    ended_unseen(engine, cloud, first)
    in_the_way = engine.workspace.run_folder(engine.see(first).uid) / TRAINING_METRICS
    in_the_way.mkdir()
    told = engine.tick_until_told(first, "What the run has written can't be stored here: ")
    assert told.status in ("submitting", "running")
    assert engine.tick_until(second, "completed", "failed").status == "completed"
    in_the_way.rmdir()
    assert engine.tick_until(first, "completed", "failed").status == "completed"


def test_three_days_asleep_are_caught_up_with_in_one_look(engine: CloudEngine, cloud: Cloud):
    numbers = [engine.create(Behaviour(seconds=0.5)) for _ in range(3)]
    for number in numbers:
        engine.tick_until(number, "running", "completed")
    for number in numbers:
        ended_unseen(engine, cloud, number)
    engine.now += THREE_DAYS
    engine.tick()
    assert [engine.see(number).status for number in numbers] == ["completed"] * 3


def test_deleting_a_run_leaves_the_one_whose_name_goes_on(engine: CloudEngine, cloud: Cloud):
    first, second = "abcdefabcdef", "abcdefabcdef0"
    for uid in (first, second):
        engine.backend.submit(standin_spec(uid, QUICK))
    for uid in (first, second):
        wait_for(lambda uid=uid: engine.backend.status(uid).phase == "completed")
    root = cloud.bucket.uris("gs://shop-test-towerlab/towerlab/")
    mine = [uri for uri in root if f"{second}" in uri]
    engine.backend.delete(first)
    left = cloud.bucket.uris("gs://shop-test-towerlab/towerlab/")
    assert not [uri for uri in left if f"/{first}/" in uri or f"-{first}-" in uri]
    assert [uri for uri in left if second in uri] == mine
    assert cloud.pipelines.state(job_id(second, 1)) is not None
