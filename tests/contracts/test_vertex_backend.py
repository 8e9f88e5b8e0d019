"""The backend on Google Cloud: the contract, through Google's clients and real sockets."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.backends.base import Backend
from engine.backends.vertex.backend import VertexBackend
from engine.spec.cloud import job_id
from engine.workspace import Workspace
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, cloud_workspace, served
from tests.contracts.backend_contract import BackendContract, uid

__all__ = ["cloud", "served", "uid"]


@pytest.fixture
def workspace(tmp_path: Path, cloud: Cloud) -> Workspace:
    return cloud_workspace(tmp_path / "shop", cloud)


class TestVertexBackend(BackendContract):
    @pytest.fixture
    def backend(self, workspace: Workspace) -> Backend:
        return VertexBackend(workspace)

    @pytest.fixture
    def starts(self, cloud: Cloud) -> Callable[[str], int]:
        return lambda uid: cloud.pipelines.creations.count(job_id(uid, 1))
