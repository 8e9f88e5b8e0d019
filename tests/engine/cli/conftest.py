"""Workspaces for commands: one without experiments, one with a completed one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.cli.command import REPOSITORY, RUN, Command, end, standin


@pytest.fixture(scope="session", autouse=True)
def _runs_find_the_standin() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        yield


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Command]:
    """A workspace without experiments."""
    workspace = standin(tmp_path / "shop")
    yield Command(workspace.root)
    end(workspace)


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    """A workspace with one completed experiment; only for tests that leave it as it is."""
    workspace = standin(tmp_path_factory.mktemp("used") / "shop")
    command = Command(workspace.root)
    done = command(*RUN, "--wait", "--name", "first \x1b]0;owned\x07", "--tag", "a", "--tag", "b")
    assert done.code == 0, done.err
    yield command
    end(workspace)
