"""The app in a real terminal: it opens, leaves cleanly, and a run outlives it."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import psutil
import pytest

from tests.e2e.terminal import REPOSITORY, Terminal
from tests.engine.cli.command import RUN, Command, end, set_behaviour, standin
from tests.sample_data import write_ratings

ALTERNATE_SCREEN_LEFT = b"\x1b[?1049l"
MOUSE_LEFT = b"\x1b[?1003l"
CURSOR_SHOWN = b"\x1b[?25h"


class Start(Protocol):
    def __call__(self, *arguments: str, **env: str) -> Terminal: ...


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace that begins with one completed experiment, #1."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        workspace = standin(tmp_path_factory.mktemp("app") / "shop")
        assert Command(workspace.root)(*RUN, "--wait", "--name", "The first").code == 0
        yield workspace.root
        end(workspace)


@pytest.fixture
def app(folder: Path) -> Iterator[Start]:
    opened: list[Terminal] = []

    def start(*arguments: str, **env: str) -> Terminal:
        defaults = {"LANG": "C.UTF-8", "COLORTERM": "truecolor"}
        opened.append(Terminal(*arguments, cwd=folder, **{**defaults, **env}))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def running(folder: Path) -> int:
    """Start a run that takes some seconds and return its number."""
    set_behaviour(folder, '{"seconds": 6}')
    return json.loads(Command(folder)(*RUN, "--json").out)["number"]


def completed(folder: Path, number: int) -> bool:
    waited = Command(folder)("show", str(number), "--wait", "--json")
    return waited.code == 0 and waited.json["status"] == "completed"


def test_the_bare_command_opens_the_list_and_q_leaves(app: Start) -> None:
    shown = app()
    shown.read_until("The first")
    shown.read_until(" quit")
    shown.press("q")
    assert shown.wait() == 0
    assert ALTERNATE_SCREEN_LEFT in shown.output
    assert MOUSE_LEFT in shown.output
    assert shown.output.rstrip().endswith(b"l") or CURSOR_SHOWN in shown.output


def test_an_experiment_that_the_command_line_starts_appears_and_its_run_is_followed(
    folder: Path, app: Start
) -> None:
    shown = app()
    shown.read_until("The first")
    number = running(folder)
    shown.read_until(f"#{number}")
    shown.read_until("Train")
    assert completed(folder, number)
    shown.read_until("completed")  # the notification


def test_a_dropped_connection_leaves_the_run_alone(folder: Path, app: Start) -> None:
    number = running(folder)
    shown = app()
    shown.read_until(f"#{number}")
    shown.hang_up()
    assert shown.process.wait(timeout=60) in (128 + signal.SIGHUP, 1)
    assert completed(folder, number)


def test_a_killed_app_leaves_the_run_alone_and_shows_it_when_opened_again(
    folder: Path, app: Start
) -> None:
    number = running(folder)
    shown = app()
    shown.read_until(f"#{number}")
    shown.process.kill()
    shown.process.wait(timeout=60)
    again = app()
    again.read_until(f"#{number}")
    assert completed(folder, number)
    again.read_until("R@100")


def test_sigterm_restores_the_terminal(app: Start) -> None:
    shown = app()
    shown.read_until(" quit")
    shown.process.terminate()
    assert shown.wait() == 128 + signal.SIGTERM
    assert ALTERNATE_SCREEN_LEFT in shown.output
    assert CURSOR_SHOWN in shown.output


def test_ctrl_z_gives_the_shell_back_and_fg_draws_all_anew(app: Start) -> None:
    shown = app()
    shown.read_until(" quit")
    shown.press("\x1a")
    while psutil.Process(shown.process.pid).status() != psutil.STATUS_STOPPED:
        shown.read_some(0.1)
    assert ALTERNATE_SCREEN_LEFT in shown.output
    shown.output = b""
    shown.process.send_signal(signal.SIGCONT)
    shown.read_until("The first")
    shown.read_until(" quit")
    shown.press("q")
    assert shown.wait() == 0


def test_hostile_names_reach_no_terminal(folder: Path, app: Start) -> None:
    set_behaviour(folder, '{"seconds": 0.3}')
    name = "\x1b]0;owned\x07[@click=app.quit]x[/] \u202eevil"
    assert Command(folder)(*RUN, "--wait", "--name", name).code == 0
    shown = app()
    shown.read_until("owned")
    shown.press("\r")
    shown.read_until("Overview")
    shown.press("q")
    assert shown.wait() == 0
    assert b"\x1b]0;owned" not in shown.output
    assert "\u202e".encode() not in shown.output


def test_ascii_mode_draws_no_other_characters(folder: Path, app: Start) -> None:
    shown = app("--ascii", "--no-mouse")
    shown.read_until(" quit")
    shown.press("q")
    assert shown.wait() == 0
    drawn = shown.text.replace("␛", "").replace("␇", "")
    other = [line for line in drawn.splitlines() if any(ord(c) > 126 for c in line)]
    assert not other
    assert b"\x1b[?1003h" not in shown.output


def test_without_a_workspace_the_welcome_opens(tmp_path: Path) -> None:
    shown = Terminal(cwd=tmp_path, LANG="C.UTF-8")
    try:
        shown.read_until("try the demo")
        shown.press("s")
        shown.press("nothing.csv\r")
        shown.read_until("There is no nothing.csv")
        shown.press("\x1b")
        shown.read_for(0.5)  # an s that follows at once would make it Alt-s
        write_ratings(tmp_path / "ratings.csv", 300)
        shown.press("s")
        shown.press("ratings.csv\r")
        shown.read_until("No experiments yet")
        shown.press("q")
        assert shown.wait() == 0
        assert "nanobind" not in shown.text
    finally:
        shown.close()
