"""The app in a real terminal drives an experiment in the cloud, from the wizard to its result."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.spec.cloud import job_id
from tests.cloud.pty_screen import Screen
from tests.cloud.servers.cloud import Cloud
from tests.cloud.servers.fixtures import cloud, served, write_settings
from tests.e2e.terminal import REPOSITORY, Terminal
from tests.engine.cli.command import Command, end, set_behaviour, standin

__all__ = ["cloud", "served"]

pytestmark = pytest.mark.processes

TAB, UP, RIGHT, END, ESCAPE = "\t", "\x1b[A", "\x1b[C", "\x1b[F", "\x1b"
NEXT, START = "\x0e", "\x13"
PAGES = 8
"""Of the Training tab, at most."""
FIELDS_BEFORE_BACKEND = 9
SIZES = [(80, 24), (120, 40)]


@pytest.fixture
def shop(tmp_path: Path, cloud: Cloud) -> Iterator[Command]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        workspace = standin(tmp_path / "shop")
        write_settings(workspace.root, cloud, idle_seconds=2)
        set_behaviour(workspace.root, '{"seconds": 4}')
        yield Command(workspace.root)
        end(workspace)


@pytest.fixture(params=SIZES, ids=["80x24", "120x40"])
def screen(request: pytest.FixtureRequest, shop: Command) -> Iterator[Screen]:
    columns, lines = request.param
    terminal = Terminal(
        cwd=shop.folder, columns=columns, lines=lines, LANG="C.UTF-8", COLORTERM="truecolor"
    )
    yield Screen(terminal, columns, lines)
    terminal.close()


def test_from_the_wizard_to_the_result(screen: Screen, shop: Command, cloud: Cloud):
    screen.wait_for("start a first experiment")
    _fill_in(screen)
    screen.press(START)
    _follow(screen)
    _look_at_the_result(screen)
    seen = shop("show", "1", "--json").json
    assert seen["status"] == "completed"
    assert seen["params"]["machine_type"] == "e2-standard-16"
    job = job_id(seen["uid"], 1)
    assert job in cloud.pipelines.jobs
    screen.wait_without("completed: Recall")  # the notification
    screen.press("[", "[", "[", END)
    screen.wait_for("Google Cloud", "e2-standard-16", job)
    screen.press(ESCAPE)
    screen.wait_for("1 experiment")
    screen.press("q")
    assert screen.terminal.wait() == 0
    assert os.listdir(shop.folder / ".towerlab" / "runs") == [seen["uid"]]


def _fill_in(screen: Screen) -> None:
    screen.press("n")
    screen.wait_for("New experiment", "All weights")
    screen.press(TAB, UP)
    screen.wait_for("▌ retrieval-standard")
    screen.press(NEXT)
    screen.wait_for("runs on")
    screen.press(*[TAB] * FIELDS_BEFORE_BACKEND)
    screen.wait_for("config.toml names")
    screen.press(RIGHT)
    screen.wait_for("has no BigQuery source")
    screen.press(TAB, RIGHT, TAB, RIGHT, RIGHT, RIGHT)
    screen.wait_for("e2-standard-16", "sends      about ")


def _follow(screen: Screen) -> None:
    """See every component at work, and its log."""
    screen.wait_for("submitting")
    screen.wait_for("◐ Examples")
    screen.wait_for("◐ Transform", "Transform log")
    screen.wait_for("✔ Transform", "◐ Train")
    screen.wait_for("✔ completed", "Train ends")


def _look_at_the_result(screen: Screen) -> None:
    screen.press("]", "]")
    screen.wait_for("Recall@100", "above popularity")
    for _ in range(2 * PAGES):
        screen.press("c")
        if screen.shows("Weights, query tower"):
            break
    screen.wait_for("Weights, query tower", "of 2")
