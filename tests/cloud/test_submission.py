"""The compile step submits over a real socket: one job, however often it runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.spec.cloud import compile_arguments, compile_options
from tests.cloud.pipeline_service import serve
from tests.pipelines.compiled import TARGET, bigquery_spec

pytestmark = pytest.mark.pipeline

NAME = "projects/shop/locations/europe-central2/pipelineJobs/qt-0123456789ab-a1"

_SUBMIT = """
import json, sys
from engine.spec.cloud import CloudTarget
from pipelines.errors import RunFailure
from pipelines.submission import submit
target = CloudTarget.model_validate_json(sys.argv[1])
try:
    print(submit({"displayName": "towerlab-1"}, target, "qt-0123456789ab-a1"))
except RunFailure as failure:
    sys.exit(f"{failure.message} {failure.hint}")
"""


def run(arguments: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory):
    with serve(tmp_path_factory.mktemp("service")) as found:
        yield found


@pytest.fixture
def service(served):
    service, _ = served
    service.jobs.clear()
    service.calls, service.losses, service.refusal = 0, 0, None
    return service


def submitted(served) -> subprocess.CompletedProcess[str]:
    service, environment = served
    target = TARGET.replace(endpoint=f"127.0.0.1:{service.port}")
    return run(["-c", _SUBMIT, target.model_dump_json()], environment)


def test_a_build_that_runs_twice_makes_one_job(served, service, tmp_path: Path):
    spec = bigquery_spec()
    (tmp_path / "spec.json").write_text(spec.model_dump_json())
    target = TARGET.replace(endpoint=f"127.0.0.1:{service.port}")
    options = compile_options(target, spec, str(tmp_path / "spec.json"))
    arguments = [*compile_arguments(options), f"--output={tmp_path / 'job.json'}", "--submit"]
    for _ in range(2):
        done = run(["-m", "pipelines.compile", *arguments], served[1])
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.splitlines()[-1] == NAME
    assert service.calls == 2
    (job,) = service.jobs.values()
    assert list(service.jobs) == [NAME]
    assert job.labels["towerlab-experiment"] == spec.uid
    executors = job.pipeline_spec["deploymentSpec"]["executors"]
    for task in ("ExampleGen", "StatisticsGen", "Transform"):
        args = list(executors[f"{task}_executor"]["container"]["args"])
        assert "--worker_machine_type=e2-standard-8" in args
        assert "--region=europe-west1" in args


def test_a_lost_answer_makes_no_second_job(served, service):
    service.losses = 1
    done = submitted(served)
    assert (done.returncode, done.stdout.strip()) == (0, NAME), done.stderr[-3000:]
    assert service.calls == 2
    assert list(service.jobs) == [NAME]


def test_a_refusal_is_told_in_a_sentence(served, service):
    import grpc

    service.refusal = grpc.StatusCode.PERMISSION_DENIED
    done = submitted(served)
    assert done.returncode == 1
    told = done.stderr.splitlines()[-1]
    assert told.startswith(
        "Vertex AI didn't take the job qt-0123456789ab-a1 in europe-central2: 403"
    )
    assert told.endswith("Run `towerlab doctor`.")
    assert service.calls == 1
