"""Workspaces are found upwards, and their state is private."""

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.errors import EnvironmentNotReady, InvalidInput, NotFound
from engine.workspace import Workspace, find_workspace


@pytest.fixture
def workspace(tmp_path):
    (tmp_path / "config.toml").write_text("")
    return Workspace(tmp_path)


@pytest.fixture(autouse=True)
def _umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_the_nearest_folder_upwards_is_taken(workspace):
    inner = workspace.root / "a" / "b"
    inner.mkdir(parents=True)
    assert find_workspace(inner).root == workspace.root


def test_without_a_workspace_the_error_says_what_to_run(tmp_path):
    with pytest.raises(NotFound, match="towerlab init"):
        find_workspace(tmp_path)


def test_state_folders_are_private(workspace):
    workspace.prepare()
    assert stat.S_IMODE(workspace.runs.stat().st_mode) == 0o700


def test_git_ignores_the_state(workspace):
    workspace.prepare()
    assert (workspace.state / ".gitignore").read_text() == "*\n"


def test_a_shared_workspace_lets_the_group_read(tmp_path):
    (tmp_path / "config.toml").write_text("[workspace]\nshared = true\n")
    Workspace(tmp_path).prepare()
    assert stat.S_IMODE((tmp_path / ".towerlab" / "runs").stat().st_mode) == 0o750


def test_a_state_folder_that_cannot_be_made_is_one_sentence(workspace):
    (workspace.root / ".towerlab").write_text("a file in the way")
    with pytest.raises(EnvironmentNotReady, match="cannot be written"):
        workspace.prepare()


def test_the_database_is_configurable(tmp_path):
    (tmp_path / "config.toml").write_text('[workspace]\ndatabase = "other.db"\n')
    assert Workspace(tmp_path).database_url == f"sqlite:///{tmp_path / 'other.db'}"


def test_an_id_is_made_once_whoever_asks_first(workspace):
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: Workspace(workspace.root).id, range(64)))
    assert len(found) == 1
    assert re.fullmatch("[0-9a-f]{16}", found.pop())
    assert [file.name for file in workspace.state.iterdir()] == ["id"]


def test_workspaces_differ_in_their_ids(workspace, tmp_path):
    assert Workspace(tmp_path / "other").id != workspace.id


def test_an_id_that_cannot_be_written_is_one_sentence(workspace):
    workspace.state.write_text("a file in the way")
    with pytest.raises(EnvironmentNotReady, match="id cannot be read or written"):
        _ = workspace.id


def test_settings_of_the_cloud_are_as_they_are_now(workspace):
    config = workspace.root / "config.toml"
    before = workspace.cloud.project
    config.write_text('[cloud]\nproject = "shop-test"\n')
    assert workspace.cloud.project == "shop-test"
    assert workspace.settings.cloud.project == before


def test_settings_of_the_cloud_that_cannot_be_read_change_nothing(workspace):
    before = workspace.cloud
    (workspace.root / "config.toml").write_text("[cloud\n")
    assert workspace.cloud == before
    with pytest.raises(InvalidInput, match="isn't valid TOML"):
        _ = Workspace(workspace.root).cloud
