"""What goes wrong with Google Cloud, as the person reads it: each cause has its own sentence."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from google.api_core import exceptions as api
from google.auth import exceptions as auth

from engine.backends.vertex.problems import explained
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.engine.cli.command import Command, end
from tests.faults.cloud_engine import CloudEngine

__all__ = ["cloud", "served"]

SIGN_IN = "Run `gcloud auth application-default login`."
WAIT = "Nothing has to be done: it is tried again by itself."
OFF = (
    "Vertex AI API has not been used in project 12 before or it is disabled. Enable it by visiting"
    " https://console.developers.google.com/apis/api/aiplatform.googleapis.com/overview?project=12"
)
GONE_PROJECT = "Project 'projects/my-shop' not found or deleted. CONSUMER_INVALID"
PLUGIN = "Getting metadata from plugin failed with error: "


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (
            auth.DefaultCredentialsError("Your default credentials were not found."),
            "Nobody is signed in to Google Cloud.",
            SIGN_IN,
        ),
        (
            api.InternalServerError(PLUGIN + "Your default credentials were not found."),
            "Nobody is signed in to Google Cloud.",
            SIGN_IN,
        ),
        (
            api.ServiceUnavailable(PLUGIN + "('File x is not a valid json file.', e)"),
            "Nobody is signed in to Google Cloud.",
            SIGN_IN,
        ),
        (
            auth.RefreshError("invalid_grant: Token has been expired or revoked."),
            "The login to Google Cloud has expired.",
            SIGN_IN,
        ),
        (
            api.ServiceUnavailable(PLUGIN + "('invalid_grant: Bad Request', {})"),
            "The login to Google Cloud has expired.",
            SIGN_IN,
        ),
        (
            api.ServiceUnavailable(PLUGIN + "('Reauthentication is needed.',)"),
            "The login to Google Cloud has expired.",
            SIGN_IN,
        ),
        (
            api.Unauthenticated("Request had invalid authentication credentials."),
            "The login to Google Cloud has expired.",
            SIGN_IN,
        ),
        (
            api.ServiceUnavailable(PLUGIN + "HTTPSConnectionPool: Failed to resolve 'oauth2'"),
            "Vertex AI can't be reached to list the jobs.",
            f"Is there a network? {WAIT}",
        ),
        (
            api.ServiceUnavailable("failed to connect to all addresses; last error: UNAVAILABLE"),
            "Vertex AI can't be reached to list the jobs.",
            f"Is there a network? {WAIT}",
        ),
        (
            requests.ConnectionError("Name or service not known"),
            "Vertex AI can't be reached to list the jobs.",
            f"Is there a network? {WAIT}",
        ),
        (
            auth.TransportError("no route to host"),
            "Vertex AI can't be reached to list the jobs.",
            f"Is there a network? {WAIT}",
        ),
        (
            api.RetryError("Timeout of 45.0s exceeded", cause=api.DeadlineExceeded("late")),
            "Vertex AI doesn't answer in time to list the jobs.",
            WAIT,
        ),
        (
            requests.Timeout("read timed out"),
            "Vertex AI doesn't answer in time to list the jobs.",
            WAIT,
        ),
        (
            api.PermissionDenied(GONE_PROJECT),
            "There is no project my-shop, or your account doesn't see it.",
            "Correct `project` under [cloud] in config.toml; `gcloud projects list` lists yours.",
        ),
        (
            api.NotFound("Project my-shop was not found."),
            "There is no project my-shop, or your account doesn't see it.",
            "Correct `project` under [cloud] in config.toml; `gcloud projects list` lists yours.",
        ),
        (
            api.PermissionDenied(OFF),
            "Vertex AI's API is off in project my-shop.",
            "Run `gcloud services enable aiplatform.googleapis.com --project=my-shop`.",
        ),
        (
            api.PermissionDenied("Permission 'aiplatform.pipelineJobs.list' denied."),
            "Your account may not list the jobs (Vertex AI in project my-shop).",
            "It needs roles/aiplatform.user: docs/cloud.md tells how to grant it.",
        ),
        (
            api.ResourceExhausted("Quota exceeded for quota metric 'List requests'."),
            "Vertex AI's quota of my-shop is used up: it can't list the jobs now.",
            WAIT,
        ),
        (
            api.InternalServerError("Internal error encountered."),
            "Vertex AI is out of order: it can't list the jobs now.",
            WAIT,
        ),
        (
            api.InvalidArgument("labels: \x1b]0;owned\x07 is no label"),
            "Vertex AI refuses to list the jobs: labels: ␛]0;owned␇ is no label",
            "Run `towerlab doctor`.",
        ),
    ],
)
def test_each_cause_has_its_own_sentence_and_says_what_to_do(
    error: Exception, message: str, hint: str
):
    told = explained(error, "Vertex AI", "list the jobs", "my-shop")
    assert (told.message, told.hint) == (message, hint)


@pytest.fixture
def shop(tmp_path: Path, cloud: Cloud) -> Iterator[CloudEngine]:
    engine = CloudEngine(cloud_workspace(tmp_path / "shop", cloud))
    yield engine
    end(engine.workspace)
    cloud.pipelines.jobs.clear()
    engine.database.close()


def test_the_person_reads_the_cause_and_what_to_do_as_plain_text(shop: CloudEngine, cloud: Cloud):
    number = shop.create()
    message = "labels: \x1b]0;owned\x07[@click=app.quit]here[/] is no label"
    cloud.builds.faults.plan("CreateBuild", "refuse", status="INVALID_ARGUMENT", message=message)
    shop.tick_until_told(number)
    command = Command(shop.workspace.root)
    seen = command("show", str(number), "--json").json
    assert seen["error"]["message"].startswith(
        "Cloud Build refuses to start a build: labels: ␛]0;owned␇["
    )
    assert seen["error"]["hint"] == "Run `towerlab doctor`."
    shown = command("show", str(number)).out
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[@click=app.quit]here[/]" in " ".join(shown.split())


def test_without_a_login_the_person_reads_what_to_run(
    shop: CloudEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    number = shop.create()
    shop.tick_until_told(number)
    shown = " ".join(Command(shop.workspace.root)("show", str(number)).out.split())
    assert "Nobody is signed in to Google Cloud." in shown
    assert SIGN_IN in shown
