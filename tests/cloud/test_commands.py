"""The command line with a real worker, whose cloud is the servers: from `run` to `delete`."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.spec.cloud import job_id
from engine.workspace import Workspace
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, served, write_settings
from tests.engine.cli.command import REPOSITORY, Command, end, set_behaviour, standin
from tests.faults.waiting import wait_for

__all__ = ["cloud", "served"]

pytestmark = pytest.mark.processes

RUN = (
    *("run", "--feature-config", "basic", "--model-config", "retrieval-standard"),
    *("--backend", "vertex", "--upload-rows"),
)


@pytest.fixture(scope="module", autouse=True)
def _worker_environment(served: Cloud) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        yield


@pytest.fixture
def shop(tmp_path: Path, cloud: Cloud) -> Iterator[Command]:
    workspace = standin(tmp_path / "shop")
    write_settings(workspace.root, cloud, idle_seconds=2)
    yield Command(workspace.root)
    end(workspace)


def uid_of(command: Command, number: int) -> str:
    return command("show", str(number), "--json").json["uid"]


def test_a_run_goes_from_rows_to_result(shop: Command, cloud: Cloud):
    done = shop(*RUN, "--hardware", "medium", "--wait", "--json")
    assert done.code == 0, done.err
    seen = shop("show", "1", "--json").json
    assert seen["status"] == "completed"
    assert seen["backend"] == "vertex"
    assert seen["metrics"]["recall_at_100"] == 0.5
    assert seen["params"]["machine_type"] == "e2-standard-8"
    assert [c["status"] for c in seen["components"]] == ["completed"] * 5
    name = f"projects/123456789012/locations/europe-central2/pipelineJobs/{job_id(seen['uid'], 1)}"
    assert seen["cloud"]["pipeline_job_name"] == name
    assert seen["cloud"]["build_id"] in cloud.builds.builds
    build = cloud.builds.builds[seen["cloud"]["build_id"]]
    assert build.substitutions["_MACHINE_TYPE"] == "e2-standard-8"
    rows = cloud.bucket.uris(f"{seen['artifacts_uri']}/rows/")
    assert [uri.split("/")[-2] for uri in rows] == ["eval", "test", "train"]
    assert f"{job_id(seen['uid'], 1)} · Dataflow on e2-standard-8" in shop("show", "1").out
    history = shop("history", "1", "--json").json
    assert history["epochs"] == [0, 1, 2]


def test_a_rerun_has_a_job_of_its_own(shop: Command, cloud: Cloud):
    assert shop(*RUN, "--wait").code == 0
    done = shop("rerun", "1", "--set", "seed=7", "--wait", "--json")
    assert done.code == 0, done.err
    assert shop("show", "2", "--json").json["status"] == "completed"
    jobs = {job_id(uid_of(shop, number), 1) for number in (1, 2)}
    assert len(jobs) == 2
    assert jobs <= set(cloud.pipelines.jobs)


def test_logs_and_histograms_come_through_the_worker(shop: Command, cloud: Cloud):
    assert shop(*RUN, "--wait").code == 0
    cloud.logging.faults.calls.clear()
    lines = shop("logs", "1", "Schema", "--json").json
    assert [line["message"] for line in lines] == ["Schema ends", "Schema starts"]
    assert shop("logs", "1", "Schema", "--json").json == lines
    assert cloud.logging.faults.calls["ListLogEntries"] == 1
    assert shop("histograms", "1", "--json").json["epochs"] == [0, 1, 2]
    shop.folder.joinpath(".towerlab", "worker.log").read_text()


def test_a_failure_is_told_with_its_cause(shop: Command):
    set_behaviour(shop.folder, '{"seconds": 0.3, "fails_in": "Transform"}')
    assert shop(*RUN, "--wait").code == 1
    error = shop("show", "1", "--json").json["error"]
    assert error["component"] == "Transform"
    assert error["message"] == "ValueError: Transform was told to fail"


def test_cancel_and_delete_leave_nothing_behind(shop: Command, cloud: Cloud):
    set_behaviour(shop.folder, '{"seconds": 600}')
    assert shop(*RUN).code == 0
    uid = uid_of(shop, 1)
    shown = "Examples"
    wait_for(lambda: shop("show", "1", "--json").json["stage"] == shown, seconds=60, what=shown)
    before = len(cloud.dataflow.states())
    assert shop("cancel", "1").code == 0
    wait_for(lambda: shop("show", "1", "--json").json["status"] == "cancelled", what="cancelled")
    assert set(cloud.dataflow.states()[before - 1 :]) == {"JOB_STATE_CANCELLED"}
    assert cloud.bucket.uris(f"{cloud.settings.bucket}/runs/{uid}/")
    assert shop("delete", "1", "--yes").code == 0
    wait_for(lambda: shop("show", "1").code == 2, what="deleted")
    assert cloud.bucket.uris(f"{cloud.settings.bucket}/runs/{uid}/") == []
    assert job_id(uid, 1) not in cloud.pipelines.jobs
    assert not (Workspace(shop.folder).runs / uid).exists()


def test_without_settings_it_says_what_is_missing(tmp_path: Path):
    workspace = standin(tmp_path / "shop")
    refused = Command(workspace.root)(*RUN)
    assert refused.code == 3
    assert "[cloud] in config.toml doesn't say: project, bucket, temp_bucket, image." in refused.err
    assert os.listdir(workspace.runs) == []
