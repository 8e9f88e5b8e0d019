"""`towerlab doctor` on a workspace in Google Cloud: what is missing, and what to run."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.backends.vertex.clients import Clients, Patience
from engine.backends.vertex.examination import examine
from engine.backends.vertex.target import target_of
from engine.cloud_doctor import examine_cloud
from engine.config import CloudSettings
from engine.findings import Check
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served

__all__ = ["cloud", "served"]

QUICK = Patience(call=2.0, retries=2.0, pause=0.01)
NAMES = [
    *("sign-in", "APIs", "roles", "region", "bucket", "temp bucket", "image", "runner", "quotas"),
]


def found(settings: CloudSettings, *, seconds: float = 20) -> dict[str, Check]:
    clients = Clients(target_of(settings), settings.endpoints, QUICK)
    return {check.name: check for check in examine(clients, settings, seconds=seconds)}


def test_a_project_that_is_set_up_misses_nothing(tmp_path: Path, cloud: Cloud):
    workspace = cloud_workspace(tmp_path / "shop", cloud)
    checks = list(examine_cloud(workspace))
    assert [check.name for check in checks] == [*NAMES, "stray jobs"]
    assert [check for check in checks if check.state != "ok"] == []
    assert checks[0].message == "runner@shop.iam.gserviceaccount.com"
    assert checks[-2].message == (
        "free for Dataflow's workers in europe-west1: 64 CPUS, 8 IN_USE_ADDRESSES"
    )


def test_a_workspace_without_a_project_needs_nothing(tmp_path: Path, cloud: Cloud):
    workspace = cloud_workspace(tmp_path / "shop", cloud)
    (workspace.root / "config.toml").write_text("")
    (check,) = examine_cloud(type(workspace)(workspace.root))
    assert (check.name, check.state) == ("Google Cloud", "ok")


def test_a_setting_that_is_missing_is_named(tmp_path: Path, cloud: Cloud):
    (check,) = examine_cloud(cloud_workspace(tmp_path / "shop", cloud, image=""))
    assert check.state == "missing"
    assert check.message == "[cloud] in config.toml doesn't say: image."


def test_an_account_of_every_role_is_told_what_it_lacks(cloud: Cloud):
    cloud.project.denied = {"aiplatform.pipelineJobs.cancel", "logging.logEntries.list"}
    check = found(cloud.settings)["roles"]
    assert check.state == "missing"
    assert check.message == (
        "your account lacks on shop-test: roles/aiplatform.user, roles/logging.viewer"
    )
    assert "gcloud projects add-iam-policy-binding shop-test" in check.hint
    assert "--role=roles/aiplatform.user" in check.hint


def test_without_builds_nobody_needs_the_role_for_them(cloud: Cloud):
    cloud.project.denied = {"cloudbuild.builds.create"}
    assert found(cloud.settings)["roles"].state == "missing"
    assert found(cloud.settings.model_copy(update={"compile": "local"}))["roles"].state == "ok"


@pytest.mark.parametrize(
    ("name", "spoil", "message", "hint"),
    [
        (
            "APIs",
            lambda cloud: cloud.project.enabled.discard("dataflow"),
            "off in shop-test: dataflow.googleapis.com",
            "gcloud services enable --project=shop-test dataflow.googleapis.com",
        ),
        (
            "bucket",
            lambda cloud: cloud.bucket.denied.add("storage.objects.delete"),
            "your account may not delete objects in gs://shop-test-towerlab",
            "--role=roles/storage.objectAdmin",
        ),
        (
            "image",
            lambda cloud: cloud.project.images.clear(),
            "there is no europe-docker.pkg.dev/shop-test/towerlab/towerlab:1",
            "gcloud builds submit --tag=europe-docker.pkg.dev/shop-test/towerlab/towerlab:1 .",
        ),
        (
            "runner",
            lambda cloud: cloud.project.accounts.clear(),
            "there is no account runner@shop-test.iam.gserviceaccount.com",
            "gcloud iam service-accounts create runner",
        ),
        (
            "runner",
            lambda cloud: cloud.project.denied.add("iam.serviceAccounts.actAs"),
            "your account may not start jobs as runner@shop-test.iam.gserviceaccount.com",
            "--role=roles/iam.serviceAccountUser",
        ),
        (
            "APIs",
            lambda cloud: cloud.project.faults.plan(
                "ListServices",
                "refuse",
                status="PERMISSION_DENIED",
                message="Service Usage API has not been used in project 1 before or it is disabled."
                " SERVICE_DISABLED",
            ),
            "Service Usage's API is off in project shop-test.",
            "gcloud services enable serviceusage.googleapis.com --project=shop-test",
        ),
    ],
)
def test_what_is_missing_comes_with_the_command_that_mends_it(
    cloud: Cloud, name: str, spoil: Callable[[Cloud], None], message: str, hint: str
):
    spoil(cloud)
    checks = found(cloud.settings)
    assert [check.name for check in checks.values() if check.state != "ok"] == [name]
    assert checks[name].state == "missing"
    assert checks[name].message == message
    assert hint in checks[name].hint


def test_quotas_are_a_hint_only(cloud: Cloud):
    cloud.project.quotas["CPUS"] = (24.0, 16.0)
    check = found(cloud.settings)["quotas"]
    assert check.state == "warning"
    assert check.message.endswith("8 CPUS, 8 IN_USE_ADDRESSES")
    assert "choose smaller hardware" in check.hint


def test_buckets_that_are_not_there_are_told(cloud: Cloud):
    changed = {"bucket": "gs://no-such-bucket/towerlab", "temp_bucket": "gs://nor-this"}
    checks = found(cloud.settings.model_copy(update=changed))
    assert checks["bucket"].message == "There is no bucket gs://no-such-bucket."
    assert checks["temp bucket"].message == "There is no bucket gs://nor-this."
    assert "gcloud storage buckets create gs://nor-this" in checks["temp bucket"].hint


@pytest.mark.parametrize(
    ("setting", "name", "message"),
    [
        ("region", "region", "Vertex AI refuses europe-west99: "),
        ("dataflow_region", "quotas", "there is no region europe-west99 for Dataflow's workers"),
    ],
)
def test_regions_that_are_not_there_are_told(cloud: Cloud, setting: str, name: str, message: str):
    checks = found(cloud.settings.model_copy(update={setting: "europe-west99"}))
    assert [check.name for check in checks.values() if check.state != "ok"] == [name]
    assert checks[name].state == "missing"
    assert checks[name].message.startswith(message)
    assert f"Correct `{setting}`" in checks[name].hint


def test_a_region_without_a_host_is_asked_about(cloud: Cloud):
    """So a region that isn't there looks at Google: each has a host of its own."""
    nowhere = cloud.settings.endpoints.model_copy(update={"vertex": "nowhere.invalid:443"})
    checks = found(cloud.settings.model_copy(update={"endpoints": nowhere}))
    assert [check.name for check in checks.values() if check.state != "ok"] == ["region"]
    assert "Vertex AI" in checks["region"].message
    assert checks["region"].hint.startswith("Is `region`, europe-central2, right?")


def test_a_project_of_somebody_else_is_told_apart_from_a_missing_role(cloud: Cloud):
    checks = found(cloud.settings.model_copy(update={"project": "other-shop"}))
    assert checks["APIs"].state == "missing"
    assert checks["APIs"].message.startswith("Your account may not list the APIs that are on")
    cloud.project.faults.plan(
        "ListServices",
        "refuse",
        status="PERMISSION_DENIED",
        message="Project 'shop-test' not found or deleted. CONSUMER_INVALID",
    )
    check = found(cloud.settings)["APIs"]
    assert check.message == "There is no project shop-test, or your account doesn't see it."
    assert "gcloud projects list" in check.hint


def test_nobody_signed_in_is_told_alone_and_at_once(
    tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    checks = found(cloud.settings)
    assert list(checks) == ["sign-in"]
    assert checks["sign-in"].message == "Nobody is signed in to Google Cloud."
    assert checks["sign-in"].hint == "Run `gcloud auth application-default login`."


def test_an_expired_login_is_told_alone(
    tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
):
    person = {"type": "authorized_user", "client_id": "c", "client_secret": "s"}
    login = tmp_path / "login.json"
    login.write_text(json.dumps({**person, "refresh_token": "r"}))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(login))
    for name in ("HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setitem(os.environ, name, cloud.environment[name])
    monkeypatch.setattr(cloud.bucket.tokens, "expired", True)
    checks = found(cloud.settings)
    assert list(checks) == ["sign-in"]
    assert checks["sign-in"].message == "The login to Google Cloud has expired."


def test_without_a_network_it_says_so(cloud: Cloud):
    nowhere = cloud.settings.endpoints.model_copy(update={"services": "http://127.0.0.1:9"})
    checks = found(cloud.settings.model_copy(update={"endpoints": nowhere}))
    assert checks["APIs"].message.startswith("Service Usage can't be reached")
    assert checks["APIs"].hint == "Is there a network? Ask again later."
    assert checks["bucket"].state == "ok"


def test_the_command_says_nothing_of_its_own_libraries(tmp_path: Path, cloud: Cloud):
    workspace = cloud_workspace(tmp_path / "shop", cloud)
    towerlab = str(Path(sys.executable).with_name("towerlab"))
    nobody = {"GOOGLE_APPLICATION_CREDENTIALS": "", "CLOUDSDK_CONFIG": str(tmp_path)}
    done = subprocess.run(
        [towerlab, "--workspace", str(workspace.root), "doctor"],
        env={**os.environ, **nobody},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (3, "")
    assert "Nobody is signed in to Google Cloud." in done.stdout


def test_a_service_that_hangs_costs_its_deadline_and_hides_nothing(cloud: Cloud):
    cloud.project.faults.plan("TestProject", "hang")
    began = time.monotonic()
    checks = found(cloud.settings, seconds=1)
    assert time.monotonic() - began < 4
    assert checks["roles"].state == "missing"
    assert checks["roles"].message == "no answer within 1 s"
    assert list(checks) == NAMES
