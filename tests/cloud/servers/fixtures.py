"""Fixtures: the servers, and a workspace whose experiments run there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.workspace import Workspace
from tests.cloud.servers.cloud import Cloud, as_toml, serve

_OWN = ("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", "GOOGLE_APPLICATION_CREDENTIALS", "NO_GCE_CHECK")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """The servers, which this process's clients trust."""
    with serve(tmp_path_factory.mktemp("cloud")) as cloud, pytest.MonkeyPatch.context() as patch:
        for name in _OWN:
            patch.setitem(os.environ, name, cloud.environment[name])
        yield cloud


@pytest.fixture
def cloud(served: Cloud) -> Iterator[Cloud]:
    """The servers, without faults before and after a test."""
    served.clear_faults()
    yield served
    served.clear_faults()


def cloud_workspace(root: Path, cloud: Cloud, **changes: object) -> Workspace:
    """Make a workspace in a folder whose experiments run on the servers."""
    root.mkdir(parents=True, exist_ok=True)
    write_settings(root, cloud, **changes)
    workspace = Workspace(root)
    workspace.prepare()
    return workspace


def write_settings(
    root: Path, cloud: Cloud, *, idle_seconds: float = 60, **changes: object
) -> None:
    """Write the `config.toml` of a workspace whose experiments run on the servers."""
    settings = cloud.settings.model_copy(update=changes)
    worker = f"[worker]\npoll_seconds = 0.2\nidle_seconds = {idle_seconds}\n\n"
    (root / "config.toml").write_text(worker + as_toml(settings))
