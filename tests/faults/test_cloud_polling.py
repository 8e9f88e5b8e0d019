"""Many jobs at once cost one list call a look, and a call for each that changed or is looked at."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.cloud.aiplatform_v1 import PipelineState

from engine.spec.cloud import job_id
from engine.store import fetches
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.faults.cloud_engine import CloudEngine
from tests.faults.waiting import wait_for

__all__ = ["cloud", "served"]

MANY = 200


def test_two_hundred_jobs_are_listed_once_a_look(
    tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    def runs_for_ever(job: str) -> None:
        cloud.pipelines.change(job, state=PipelineState.PIPELINE_STATE_RUNNING)

    monkeypatch.setattr(cloud.pipelines, "on_create", runs_for_ever)
    engine = CloudEngine(cloud_workspace(tmp_path / "shop", cloud, max_running=MANY))
    numbers = [engine.create() for _ in range(MANY)]

    def statuses() -> Counter[str]:
        return Counter(engine.see(number).status for number in numbers)

    def all_run() -> bool:
        engine.tick()
        return statuses() == {"running": MANY}

    wait_for(all_run, seconds=120)

    def calls_of_a_tick() -> Counter[str]:
        before = cloud.pipelines.faults.calls.copy()
        engine.tick()
        return cloud.pipelines.faults.calls - before

    calls_of_a_tick()
    assert calls_of_a_tick() == {"ListPipelineJobs": 1}
    for number in numbers[:3]:
        cloud.pipelines.change(job_id(engine.see(number).uid, 1), display_name="changed")
    assert calls_of_a_tick() == {"ListPipelineJobs": 1, "GetPipelineJob": 3}
    with engine.database.write() as session:
        fetches.watch(session, numbers[-1], datetime.now(UTC))
    assert calls_of_a_tick() == {"ListPipelineJobs": 1, "GetPipelineJob": 1}
    assert statuses() == {"running": MANY}
    for job in list(cloud.pipelines.jobs):
        cloud.pipelines.change(job, state=PipelineState.PIPELINE_STATE_CANCELLED)
    engine.tick()
    assert statuses() == {"cancelled": MANY}
