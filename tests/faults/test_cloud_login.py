"""Who isn't signed in, or no longer, is told so; a new login goes on without a restart."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.faults.cloud_engine import CloudEngine
from tests.faults.standin import Behaviour

__all__ = ["cloud", "served"]

NOBODY = "Nobody is signed in to Google Cloud."
EXPIRED = "The login to Google Cloud has expired."


@pytest.fixture
def login(tmp_path: Path, cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that `gcloud auth application-default login` writes, of a person; not there yet."""
    folder = tmp_path / "gcloud"
    folder.mkdir()
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(folder))
    for name in ("HTTPS_PROXY", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setitem(os.environ, name, cloud.environment[name])
    return folder / "application_default_credentials.json"


def sign_in(login: Path, token: str) -> None:
    person = {"type": "authorized_user", "client_id": "c", "client_secret": "s"}
    draft = login.with_suffix(".tmp")
    draft.write_text(json.dumps({**person, "refresh_token": token}))
    os.replace(draft, login)


@pytest.fixture
def engine(tmp_path: Path, cloud: Cloud, login: Path) -> Iterator[CloudEngine]:
    engine = CloudEngine(cloud_workspace(tmp_path / "shop", cloud))
    yield engine
    cloud.bucket.tokens.seconds, cloud.bucket.tokens.expired = 3600, False
    cloud.pipelines.jobs.clear()
    engine.database.close()


def test_nobody_is_signed_in_until_somebody_is(engine: CloudEngine, login: Path):
    number = engine.create(Behaviour(seconds=0))
    assert engine.tick_until_told(number, NOBODY).status == "submitting"
    sign_in(login, "first")
    assert engine.tick_until(number, "completed", "failed").status == "completed"


def test_a_login_that_expires_changes_nothing_and_a_new_one_goes_on(
    engine: CloudEngine, cloud: Cloud, login: Path
):
    sign_in(login, "first")
    cloud.bucket.tokens.seconds = 1  # so that each call asks for a token
    running = engine.create(Behaviour(seconds=600))
    engine.tick_until(running, "running")
    cloud.bucket.tokens.expired = True
    waiting = engine.create(Behaviour(seconds=0))
    for number, status in ((running, "running"), (waiting, "submitting")):
        assert engine.tick_until_told(number, EXPIRED).status == status
    cloud.bucket.tokens.expired = False
    sign_in(login, "second")
    assert engine.tick_until(waiting, "completed", "failed").status == "completed"
    assert engine.tick_until(running, "running").error_message is None
    assert cloud.bucket.tokens.logins[-1] == "second"


def test_who_signs_out_is_told_so_and_goes_on_with_the_next_login(
    engine: CloudEngine, cloud: Cloud, login: Path
):
    sign_in(login, "first")
    running = engine.create(Behaviour(seconds=600))
    engine.tick_until(running, "running")
    login.unlink()
    assert engine.tick_until_told(running, NOBODY).status == "running"
    sign_in(login, "second")
    engine.tick_until(running, "running")
    engine.tick()
    assert engine.see(running).error_message is None
