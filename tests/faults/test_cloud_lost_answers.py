"""Google did what it was asked, and its answer got lost: nothing is ever done twice."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest
from google.cloud.aiplatform_v1 import PipelineJob

from engine.backends.vertex.target import target_of
from engine.spec import ExperimentSpec
from engine.spec.cloud import job_id
from pipelines.submission import submit
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.cloud.servers.standin_builds import standin_job
from tests.faults.cloud_engine import CloudEngine
from tests.faults.standin import Behaviour, standin_spec

__all__ = ["cloud", "served"]

SHARE = 0.3
"""Of all answers that get lost."""

rounds = pytest.mark.parametrize("many", [15, pytest.param(200, marks=pytest.mark.slow)])


@rounds
def test_every_experiment_has_one_build_and_one_job(tmp_path: Path, cloud: Cloud, many: int):
    engine = CloudEngine(cloud_workspace(tmp_path / "shop", cloud, max_running=many))
    before = len(cloud.builds.builds)
    for service in (cloud.pipelines, cloud.builds, cloud.bucket):
        service.faults.plan("*", "lose", share=SHARE)
    numbers = [engine.create(Behaviour(seconds=0)) for _ in range(many)]
    engine.settle(seconds=240)
    seen = [engine.see(number) for number in numbers]
    assert Counter(e.status for e in seen) == {"completed": many}
    made = Counter(cloud.pipelines.creations)
    assert [made[job_id(e.uid, 1)] for e in seen] == [1] * many
    assert len(cloud.builds.builds) - before == many


@rounds
def test_the_compile_step_makes_one_job(cloud: Cloud, many: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cloud.pipelines, "on_create", lambda job_id: None)
    target = target_of(cloud.settings)
    cloud.pipelines.faults.plan("CreatePipelineJob", "lose", share=0.5)
    specs = [standin_spec(uuid4().hex, Behaviour(seconds=0)) for _ in range(many)]

    def compiled(spec: ExperimentSpec) -> str:
        job = PipelineJob.to_dict(standin_job(spec, target))
        return submit(job, target, job_id(spec.uid, 1))

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(compiled, specs))
    made = Counter(cloud.pipelines.creations)
    assert [made[job_id(spec.uid, 1)] for spec in specs] == [1] * many
